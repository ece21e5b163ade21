"""What sync relies on at an Odoo store: calls counted, creates that survive, contexts, the change feed."""

import json
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from isthmus.component import ComponentRegistry, declared_components
from isthmus.env import Env, plain
from isthmus.errors import (
    BackendError,
    CredentialsError,
    HiddenRecordError,
    InvalidDataError,
    MissingRecordError,
    NetworkRetryableError,
    PendingWriteError,
    TransactionError,
    UnknownModelError,
    UnknownOutcomeError,
)
from isthmus.http import Timeout
from isthmus.simulators.odoo import PROJECT_USER, OdooSimulator, errors
from isthmus.store.odoo import Login, OdooClient, OdooStore, dialects_of
from isthmus.store.sql import SqlModel
from isthmus.testing import FrozenClock
from isthmus.testing.envs import Envs

TASK, PROJECT, STAGE = "project.task", "project.project", "project.task.type"
MODELS = [TASK, PROJECT, STAGE, "res.partner", "project.tags"]


@pytest.fixture(params=["18.0", "19.0"])
def version(request: pytest.FixtureRequest) -> str:
    """Once over JSON-RPC, once over JSON-2."""
    return request.param


@pytest.fixture
def clock() -> FrozenClock:
    """The time, on both sides."""
    return FrozenClock()


@pytest.fixture
def odoo(version: str, clock: FrozenClock) -> Iterator[OdooSimulator]:
    """An Odoo of its own, whose calls are counted."""
    with OdooSimulator(version=version, clock=clock) as running:
        yield running


@pytest.fixture
def secret(odoo: OdooSimulator, version: str) -> str:
    """What proves who we are: an API key where the protocol wants one."""
    return odoo.api_key(days=30) if version == "19.0" else odoo.password


@pytest.fixture
def patience_s() -> float:
    """How long an answer may take: long, but where it is the fault that none comes."""
    return 60.0


def store_on(odoo: OdooSimulator, login: str, secret: str, patience_s: float = 60.0) -> OdooStore:
    """Make a store for one user."""
    client = OdooClient(
        odoo.url,
        Login(odoo.database, login, secret),
        timeout=Timeout(read=timedelta(seconds=patience_s)),
        clock=FrozenClock(),
    )
    registry = ComponentRegistry.build(declared_components("isthmus.store.odoo"))
    return OdooStore("odoo", MODELS, lambda: client, dialects=dialects_of(registry))


@pytest.fixture
def store(odoo: OdooSimulator, secret: str, patience_s: float) -> OdooStore:
    """A store for the administrator."""
    return store_on(odoo, odoo.login, secret, patience_s)


@pytest.fixture
def envs(store: OdooStore, hub_envs: Callable[..., Envs], clock: FrozenClock) -> Envs:
    """Envs over it."""
    return hub_envs(store, clock=clock)


@pytest.fixture
def env(envs: Envs) -> Iterator[Env]:
    """An env over it."""
    with envs.env() as opened:
        yield opened


def spoil(odoo: OdooSimulator, bad: Collection[Any], said: errors.OdooError) -> None:
    """Let reads that hold one of these tasks fail, as a computed field of it does."""
    usual = odoo.world.execute

    def execute(uid: int, model: str, method: str, *arguments: Any) -> Any:
        told = usual(uid, model, method, *arguments)
        if model == TASK and method in {"read", "search_read"} and any(row["id"] in bad for row in told):
            raise said
        return told

    odoo.world.execute = execute  # type: ignore[method-assign]


def accesses(odoo: OdooSimulator) -> dict[tuple[str, str], int]:
    """Count calls by method and model."""
    found: dict[tuple[str, str], int] = {}
    for call in odoo.calls:
        if call.model and call.model != "res.users":
            found[call.method, call.model] = found.get((call.method, call.model), 0) + 1
    return found


class TestCalls:
    def test_a_page_of_five_hundred_records_is_one_call(self, env: Env, odoo: OdooSimulator) -> None:
        """Created, written, read and looked at one by one, asked for only the fields that are looked at."""
        made = env[TASK].create([{"name": f"task {n}"} for n in range(500)])
        keys = [task.id for task in made]
        env[TASK].write(keys, {"sequence": 3})
        env[TASK].read(keys, ["name"])
        names = [(task.name, task.sequence) for task in made]

        assert names == [(f"task {n}", 3) for n in range(500)]
        assert accesses(odoo) == {
            ("fields_get", TASK): 1, ("create", TASK): 1, ("write", TASK): 1, ("read", TASK): 3,
        }  # fmt: skip

    def test_what_was_looked_at_once_is_read_together_next_time(
        self, envs: Envs, odoo: OdooSimulator
    ) -> None:
        """The second page costs one call, whatever mappers read of it."""
        with envs.env() as env:
            first = env[TASK].create([{"name": "a"}, {"name": "b"}])
            assert [(t.name, t.sequence, t.active) for t in first] == [("a", 10, True), ("b", 10, True)]
        odoo.calls.clear()

        with envs.env() as env:
            again = [(t.name, t.sequence, t.active) for t in env[TASK].search([], order="id")]

        assert again == [("a", 10, True), ("b", 10, True)]
        assert accesses(odoo) == {("search", TASK): 1, ("read", TASK): 1}

    def test_walking_over_relations_reads_each_group_once(self, env: Env, odoo: OdooSimulator) -> None:
        """Records found together are read together, also when other models are read in between."""
        projects = env[PROJECT].create([{"name": "one"}, {"name": "two"}])
        env[TASK].create([{"name": str(n), "project_id": projects[n % 2].id} for n in range(20)])
        odoo.calls.clear()

        found = {(task.project_id.name, task.name) for task in env[TASK].search([])}

        assert len(found) == 20
        assert odoo.calls.count(method="read", model=TASK) <= 2
        assert odoo.calls.count(method="read", model=PROJECT) == 2  # each found alone

    def test_what_was_written_is_read_again(self, env: Env) -> None:
        """A value known before a write is not trusted after it."""
        task = env[TASK].create({"name": "before"})
        assert task.name == "before"

        task.write({"name": "after"})

        assert task.name == "after"

    def test_an_assignment_is_refused(self, env: Env) -> None:
        """Code for every store writes by write(); the message says so."""
        task = env[TASK].create({"name": "x"})

        with pytest.raises(TransactionError) as caught:
            task.name = "y"

        assert str(caught.value).endswith("cannot be assigned, the record lives in store 'odoo': use write()")

    def test_a_call_is_refused_once_something_was_written(self, env: Env) -> None:
        """Nothing waits for a slow server while it holds locks here."""
        env.session.execute(SqlModel.metadata.tables["isthmus_lease"].delete())
        env.transaction.mark("write of sale.order")

        with pytest.raises(PendingWriteError):
            env[TASK].create({"name": "x"})

    def test_not_even_fields_are_asked_for_once_something_was_written(self, env: Env) -> None:
        """What is known already is told all the same."""
        assert "name" in env[PROJECT].fields
        env.session.execute(SqlModel.metadata.tables["isthmus_lease"].delete())
        env.transaction.mark("write of sale.order")

        with pytest.raises(PendingWriteError) as caught:
            _ = env[TASK].fields

        assert "cannot read the fields of project.task" in str(caught.value)
        assert "name" in env[PROJECT].fields

    def test_the_env_s_context_goes_along(self, env: Env, odoo: OdooSimulator) -> None:
        """Language, archived records, companies: what Odoo knows of it, and nothing else."""
        odoo.as_user("admin").create(TASK, {"name": "away", "active": False})
        with env.context(active_test=False, connector_no_export=True):
            everything = env[TASK].search_count()
        with pytest.raises(BackendError) as caught, env.context(lang="xx_XX"):
            env[TASK].search([])

        assert (env[TASK].search_count(), everything) == (0, 1)
        assert "xx_XX" in str(caught.value)

    def test_answers_that_are_cut_on_the_way_are_asked_for_in_parts(
        self, env: Env, odoo: OdooSimulator
    ) -> None:
        """A proxy that lets only so much through makes it slower, not impossible."""
        store, values = env[TASK].store, [{"name": f"{'long ' * 20}{n}"} for n in range(100)]
        ours = [f"key-{n}" for n in range(100)]
        keys = store.create_keyed(env, TASK, values, ours)
        odoo.faults.cut_over_bytes = 4_000

        rows = env[TASK].read(keys, ["name"])
        told_ours = store.creation_keys(env, TASK, keys)
        told, _ = store.changes(env, TASK, None, 500, ["name"])

        odoo.faults.cut_over_bytes = 300
        walked = store.ids(env, TASK)

        assert [row["id"] for row in rows] == keys
        assert told_ours == dict(zip(keys, ours, strict=True))
        assert sorted(row["id"] for row in told) == keys
        assert walked == keys

    @pytest.mark.parametrize("said", ["crash", "access", "length"])
    def test_records_that_cannot_be_read_are_told_with_the_reason(
        self, env: Env, store: OdooStore, odoo: OdooSimulator, said: str
    ) -> None:
        """A crash of a computed field, the right to what it reads, a length that a proxy cuts."""
        long = "x" * 9_000 if said == "length" else "x"
        keys = store.create_keyed(
            env, TASK, [{"name": long if n in {3, 50} else f"task {n}"} for n in range(60)],
            [f"key-{n}" for n in range(60)],
        )  # fmt: skip
        bad = [keys[3], keys[50]]
        if said == "length":
            odoo.faults.cut_over_bytes = 8_000
        else:
            spoil(odoo, bad, errors.access_error("No.") if said == "access" else errors.value_error("No."))

        with pytest.raises(HiddenRecordError) as caught:
            env[TASK].read(keys, ["name"])
        told, mark = store.changes(env, TASK, None, 58, ["name"])
        rest, _ = store.changes(env, TASK, mark, 58, ["name"])

        assert list(caught.value.ids) == bad
        assert all(f"project.task({key})" in caught.value.why[key] for key in bad)
        assert [row["id"] for row in (*told, *rest)] == [key for key in keys if key not in bad]

    def test_a_model_of_which_nothing_can_be_read_is_no_matter_of_its_records(
        self, env: Env, store: OdooStore, odoo: OdooSimulator
    ) -> None:
        """What Odoo says is raised, soon; nothing is parked for it."""
        keys = [t.id for t in env[TASK].create([{"name": f"task {n}"} for n in range(100)])]
        spoil(odoo, keys, errors.value_error("No."))
        odoo.calls.clear()

        with pytest.raises(InvalidDataError, match="No") as caught:
            env[TASK].read(keys, ["name"])

        assert not isinstance(caught.value, HiddenRecordError)
        assert odoo.calls.count(method="read") < 80

    def test_a_model_that_is_not_installed_is_told(self, env: Env, store: OdooStore) -> None:
        """With the name of the database."""
        other = OdooStore("odoo", ["sale.order"], store._client)

        with pytest.raises(UnknownModelError) as caught:
            other.fields("sale.order")

        assert "sale.order" in str(caught.value)


class TestCreateSafety:
    def test_five_hundred_creates_are_one_load(self, env: Env, store: OdooStore, odoo: OdooSimulator) -> None:
        """Scalars, html, instants and relations go along; what cannot follows in one write."""
        project = env[PROJECT].create({"name": "p"})
        tag = env["project.tags"].create({"name": "t"})
        values = [
            {
                "name": f"task {n}", "description": "<p>x</p>", "project_id": project.id,
                "active": n % 2 == 0, "date_deadline": env.now(), "tag_ids": [(4, tag.id)],
            }
            for n in range(500)
        ]  # fmt: skip
        odoo.calls.clear()

        keys = store.create_keyed(env, TASK, values, [f"k{n}" for n in range(500)])

        assert accesses(odoo) == {("fields_get", TASK): 1, ("load", TASK): 1, ("write", TASK): 1}
        rows = env[TASK].read(
            keys, ["name", "description", "project_id", "active", "date_deadline", "tag_ids"]
        )
        expected = [
            {**v, "id": key, "date_deadline": env.now().replace(microsecond=0), "tag_ids": [tag.id]}
            for key, v in zip(keys, values, strict=True)
        ]
        assert rows == expected

    @pytest.mark.parametrize("patience_s", [0.5])
    @pytest.mark.parametrize("fault", ["timeout_after", "reset_after", "truncated"])
    def test_a_repeated_create_finds_the_first(
        self, env: Env, store: OdooStore, odoo: OdooSimulator, fault: str
    ) -> None:
        """Whatever became of the answer."""
        values = {"name": "once"}
        env[TASK].search_count()
        odoo.faults.next(fault, method="load")
        with pytest.raises(UnknownOutcomeError):
            store.create_keyed(env, TASK, [values], ["key-1"])

        found = store.find_created(env, TASK, "key-1", values, env.now())
        env[TASK].browse(found[0]).write({"name": "edited since"})
        again = store.create_keyed(env, TASK, [values, {"name": "new"}], ["key-1", "key-2"])

        assert again[:1] == found
        assert sorted(task.name for task in env[TASK].search([])) == ["edited since", "new"]
        assert store.find_created(env, TASK, "key-9", values, env.now()) == []

    @pytest.mark.parametrize("patience_s", [0.5])
    def test_what_a_killed_create_had_no_time_to_write_is_written_when_it_is_found(
        self, env: Env, store: OdooStore, odoo: OdooSimulator
    ) -> None:
        """The load was answered, the write behind it never came."""
        tag = env["project.tags"].create({"name": "t"})
        values = {
            "name": "x", "tag_ids": [(4, tag.id)], "date_deadline": env.now(),
            "allocated_hours": Decimal("1.5"),
        }  # fmt: skip
        env[TASK].search_count()
        odoo.faults.next("timeout_before", method="write")
        with pytest.raises(UnknownOutcomeError):
            store.create_keyed(env, TASK, [values], ["key-1"])

        (found,) = store.find_created(env, TASK, "key-1", plain(values), env.now())

        task = env[TASK].browse(found)
        assert (task.tag_ids, task.allocated_hours) == ([tag], 1.5)

    def test_a_create_that_succeeded_in_part_has_an_unknown_outcome(
        self, env: Env, store: OdooStore, odoo: OdooSimulator
    ) -> None:
        """What is there must be looked for, and not be made again under another key."""
        env[TASK].search_count()
        odoo.faults.next("serialization", method="write")

        with pytest.raises(UnknownOutcomeError) as caught:
            store.create_keyed(env, TASK, [{"name": "x", "tag_ids": [(5,)]}], ["key-1"])

        assert "done in part" in str(caught.value)
        assert len(store.find_created(env, TASK, "key-1", {"name": "x"}, env.now())) == 1

    def test_an_archived_record_is_found_by_its_key(self, env: Env, store: OdooStore) -> None:
        """And a deleted one's key is free."""
        (first,) = store.create_keyed(env, TASK, [{"name": "x", "active": False}], ["key-1"])
        found = store.find_created(env, TASK, "key-1", {}, env.now())
        env[TASK].unlink([first])

        assert found == [first]
        assert store.find_created(env, TASK, "key-1", {}, env.now()) == []

    def test_our_keys_are_told_apart_from_other_records(self, env: Env, store: OdooStore) -> None:
        """A record that somebody else made carries none of our keys."""
        ours = store.create_keyed(env, TASK, [{"name": "a"}, {"name": "b"}], ["key-a", "key-b"])
        theirs = env[TASK].create({"name": "c"}).id

        assert store.creation_keys(env, TASK, [*ours, theirs]) == {ours[0]: "key-a", ours[1]: "key-b"}

    def test_a_user_without_administration_rights_creates_safely_too(
        self, odoo: OdooSimulator, hub_envs: Callable[..., Envs], version: str
    ) -> None:
        """External IDs are written and found without the right to read their table."""
        uid = odoo.world.add_user("bot", "bot", PROJECT_USER)
        secret = odoo.world.make_key(uid) if version == "19.0" else "bot"
        store = store_on(odoo, "bot", secret)
        with hub_envs(store).env() as env:
            (made,) = store.create_keyed(env, TASK, [{"name": "x"}], ["key-1"])

            assert store.find_created(env, TASK, "key-1", {"name": "x"}, env.now()) == [made]
            assert store.creation_keys(env, TASK, [made]) == {made: "key-1"}

    def test_a_row_that_is_refused_is_told_in_odoo_s_words_and_nothing_is_kept(
        self, env: Env, store: OdooStore
    ) -> None:
        """All rows of a call are kept or none."""
        project = env[PROJECT].create({"name": "p"})
        with pytest.raises(InvalidDataError) as caught:
            store.create_keyed(
                env, TASK,
                [{"name": "good", "project_id": project.id}, {"name": "bad", "project_id": 98_765}],
                ["key-1", "key-2"],
            )  # fmt: skip

        assert "98765" in str(caught.value)
        assert env[TASK].search_count() == 0

    @pytest.mark.parametrize("by", ["check", "rule"])
    def test_a_record_that_may_not_have_what_load_cannot_carry_is_told_in_its_place(
        self, env: Env, store: OdooStore, odoo: OdooSimulator, by: str
    ) -> None:
        """It is there and found by its key; the others have it."""
        tag = env["project.tags"].create({"name": "t"})
        known = odoo.world.registry[TASK]

        def check(env: Any, row: dict[str, Any], changed: Any) -> None:
            if row["name"] == "task 3" and "tag_ids" in changed:
                raise errors.validation_error("No tags here.")

        def rule(env: Any, operation: str) -> Any:
            return (lambda row: row["name"] != "task 3") if operation == "write" else None

        usual, refusing = getattr(known, by), {"check": check, "rule": rule}[by]
        setattr(known, by, refusing)
        values = [{"name": f"task {n}", "tag_ids": [(4, tag.id)]} for n in range(6)]

        made = store.create_keyed(env, TASK, values, [f"k{n}" for n in range(6)])
        with pytest.raises(InvalidDataError, match="cannot finish"):
            store.find_created(env, TASK, "k3", plain(values[3]), env.now())
        setattr(known, by, usual)
        (found,) = store.find_created(env, TASK, "k3", plain(values[3]), env.now())

        assert isinstance(made[3], InvalidDataError)
        said = {"check": "No tags here.", "rule": "no right to do this on project.task"}[by]
        assert f"finish project.task({found})" in str(made[3])
        assert said in str(made[3])
        assert sorted(task.id for task in env[TASK].search([])) == sorted([*made[:3], found, *made[4:]])
        assert [task.tag_ids for task in env[TASK].search([])] == [[tag]] * 6

    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("SerializationFailure", "could not serialize access due to concurrent update\n"),
            ("DeadlockDetected", "deadlock detected\nDETAIL:  Process 7 waits for ShareLock on ...\n"),
            ("LockNotAvailable", "canceling statement due to lock timeout\n"),
            ("LockNotAvailable", 'could not obtain lock on row in relation "project_task"\n'),
        ],
    )
    def test_a_load_that_met_another_transaction_may_be_repeated(
        self, env: Env, store: OdooStore, odoo: OdooSimulator, kind: str, said: str
    ) -> None:
        """It tells that as a message about a row."""

        def check(*_: Any) -> None:
            raise errors.postgres(kind, said)

        odoo.world.registry[TASK].check = check  # type: ignore[method-assign]

        with pytest.raises(NetworkRetryableError, match=said.partition("\n")[0]):
            store.create_keyed(env, TASK, [{"name": "x"}], ["key-1"])

    def test_a_user_who_may_not_create_is_a_matter_of_configuration(
        self, odoo: OdooSimulator, hub_envs: Callable[..., Envs], version: str
    ) -> None:
        """Not a bad record to be parked: the message names the model."""
        uid = odoo.world.add_user("bot", "bot", PROJECT_USER)
        store = store_on(odoo, "bot", odoo.world.make_key(uid) if version == "19.0" else "bot")

        with hub_envs(store).env() as env, pytest.raises(CredentialsError) as caught:
            store.create_keyed(env, "res.partner", [{"name": "x"}], ["key-1"])

        assert "no right to create res.partner" in str(caught.value)

    def test_a_create_that_a_rule_forbids_is_a_matter_of_the_record(
        self, env: Env, odoo: OdooSimulator
    ) -> None:
        """Our user may create others."""
        odoo.world.registry[TASK].rule = lambda _env, operation: (  # type: ignore[method-assign]
            (lambda row: row["name"] != "bad") if operation == "create" else None
        )

        with pytest.raises(InvalidDataError, match="no right to do this"):
            env[TASK].create({"name": "bad"})
        assert env[TASK].create({"name": "good"}).exists()

    def test_a_validation_error_of_a_write_is_told_in_odoo_s_words(self, env: Env) -> None:
        """So that whoever finds it in the inbox knows what to change."""
        one = env["res.partner"].create({"name": "One"})
        two = env["res.partner"].create({"name": "Two", "parent_id": one.id})

        with pytest.raises(InvalidDataError) as caught:
            one.write({"parent_id": two.id})

        assert "ecursive" in str(caught.value)

    def test_a_record_that_was_deleted_in_between_is_missing(self, env: Env, odoo: OdooSimulator) -> None:
        """Told as such when it is written, left out when it is read."""
        task = env[TASK].create({"name": "x"})
        odoo.as_user("admin").unlink(TASK, task.id)

        with pytest.raises(MissingRecordError):
            task.write({"name": "y"})
        assert env[TASK].read([task.id], ["name"]) == []

    @pytest.mark.parametrize("fault", ["maintenance", "serialization", "wrong_type", "truncated"])
    def test_a_read_that_failed_may_be_tried_again(self, env: Env, odoo: OdooSimulator, fault: str) -> None:
        """A page of a proxy, a transaction that lost, half an answer."""
        env[TASK].search_count()
        for _ in range(3):
            odoo.faults.next(fault, method="search")

        with pytest.raises(NetworkRetryableError):
            env[TASK].search([])


class TestChangeFeed:
    def walk(self, env: Env, store: OdooStore, mark: Any, limit: int = 3) -> tuple[list[Any], Any]:
        """Read the feed to the end of its walk; the mark goes through JSON."""
        told: list[Any] = []
        while True:
            rows, mark = store.changes(env, TASK, json.loads(json.dumps(mark)), limit, ["name"])
            told += rows
            if len(rows) < limit:
                return told, mark

    def test_every_record_is_told_once_per_walk(self, env: Env, store: OdooStore, clock: FrozenClock) -> None:
        """Many in one second, few in others, archived ones too; in the order of their writing."""
        for count in (1, 7, 2):
            env[TASK].create([{"name": "x", "active": n % 2 == 0} for n in range(count)])
            clock.advance(timedelta(seconds=1, milliseconds=100))

        told, _ = self.walk(env, store, None)

        assert [row["id"] for row in told] == store.ids(env, TASK)
        assert [row["write_date"] for row in told] == sorted(row["write_date"] for row in told)

    def test_a_transaction_that_ends_after_later_ones_is_not_lost(
        self, env: Env, store: OdooStore, odoo: OdooSimulator, clock: FrozenClock
    ) -> None:
        """It is stamped with its beginning, which lies before what was told already."""
        slow = odoo.world.begin()
        clock.advance(timedelta(minutes=4))
        env[TASK].create({"name": "quick"})
        told, mark = self.walk(env, store, None)
        slow.execute(odoo.as_user("admin").uid, TASK, "create", [{"name": "slow"}])
        slow.commit()

        later, _ = self.walk(env, store, mark)

        assert [row["name"] for row in told] == ["quick"]
        assert {row["name"] for row in later} == {"slow", "quick"}

    def test_a_poll_with_nothing_new_is_one_call(
        self, env: Env, store: OdooStore, odoo: OdooSimulator, clock: FrozenClock
    ) -> None:
        """Whether the lag window has passed or not."""
        env[TASK].create([{"name": "x"}, {"name": "y"}])
        _, mark = self.walk(env, store, None)
        counts = []
        for _ in range(4):
            odoo.calls.clear()
            told, mark = self.walk(env, store, mark)
            counts.append((len(told), accesses(odoo)))
            clock.advance(timedelta(minutes=5))

        assert [told for told, _ in counts] == [2, 2, 0, 0]
        assert all(calls == {("search_read", TASK): 1} for _, calls in counts)
