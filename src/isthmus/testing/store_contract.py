"""What every store must do: subclass `StoreContract`, open envs on your store, run pytest.

The store serves the bundled models ``project.project``, ``project.task.type`` and ``project.task``.
"""

# ruff: noqa: S101 - a suite of tests

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from isthmus.env import Env, Record
from isthmus.errors import (
    DomainError,
    FailError,
    InvalidDataError,
    MissingRecordError,
    ReadonlyError,
    RecordValueError,
    UnknownFieldError,
    UnknownModelError,
)

PLANES = "a ä Ω ж 漢 \u200d 😀 \U0001d4b3 \U0010fffd"
"""Text from every part of Unicode that a name may hold."""


class StoreContract:
    """Subclass it in a test module under a name that starts with ``Test``.

    The store is empty when a test begins.
    """

    def open_env(self, *, readonly: bool = False, **ctx: Any) -> AbstractContextManager[Env]:
        """Open an env over the store under test.

        Raises:
            NotImplementedError: Unless the subclass has it.
        """
        msg = f"{type(self).__name__} must implement open_env()"
        raise NotImplementedError(msg)

    @pytest.fixture
    def env(self) -> Iterator[Env]:
        """An env over the store under test."""
        with self.open_env() as env:
            yield env

    @pytest.fixture
    def world(self, env: Env) -> dict[str, Any]:
        """Two projects, two stages, five tasks; names to keys, for domains."""
        todo, doing = env["project.task.type"].create([{"name": "To do"}, {"name": "Doing"}])
        one = env["project.project"].create({"name": "One", "type_ids": [(6, 0, [todo.id, doing.id])]})
        two = env["project.project"].create({"name": "Two", "type_ids": [todo.id]})
        bare = env["project.project"].create({"name": "Bare"})
        tasks = env["project.task"].create([
            {"name": "Alpha", "sequence": 1, "project_id": one.id, "stage_id": todo.id,
             "date_deadline": datetime(2026, 1, 1, tzinfo=UTC), "description": "<p>first</p>"},
            {"name": "beta_1%", "sequence": 2, "project_id": one.id, "stage_id": doing.id},
            {"name": "ÄRGER 😀", "sequence": 3, "project_id": two.id, "stage_id": todo.id},
            {"name": "delta", "sequence": 4, "date_deadline": datetime(2026, 2, 1, tzinfo=UTC)},
            {"name": "hidden", "sequence": 5, "project_id": two.id, "active": False},
        ])  # fmt: skip
        keys = {"todo": todo.id, "doing": doing.id, "one": one.id, "two": two.id, "bare": bare.id}
        return keys | {task["name"]: task.id for task in tasks}

    # -- description -------------------------------------------------------------------

    def test_the_store_says_which_models_it_has(self, env: Env) -> None:
        """A model is there under its name, and its store lists it."""
        model = env["project.task"]

        assert model.name == "project.task"
        assert "project.task" in model.store.models()
        assert "project.task" in env

    def test_the_store_says_where_its_records_are(self, env: Env) -> None:
        """In words that fit into a sentence, the same each time."""
        store = env["project.task"].store

        assert store.place().split()[0] in {"our", "the"}
        assert store.place() == store.place()

    def test_an_unknown_model_is_an_error_with_near_names(self, env: Env) -> None:
        """A misspelt model is told, and what may have been meant."""
        with pytest.raises(UnknownModelError) as caught:
            env["project.tasks"]

        assert str(caught.value).startswith("unknown model 'project.tasks'; did you mean ")
        assert "'project.task'" in str(caught.value)

    def test_fields_are_told_in_odoo_s_words(self, env: Env) -> None:
        """Type and relation of a field are the same on every store."""
        fields = env["project.task"].fields
        told = {
            n: (fields[n].type, fields[n].relation) for n in ("name", "description", "project_id", "active")
        }
        lists = env["project.project"].fields["type_ids"]

        assert told == {
            "name": ("char", None),
            "description": ("html", None),
            "project_id": ("many2one", "project.project"),
            "active": ("boolean", None),
        }
        assert (lists.type, lists.relation) == ("many2many", "project.task.type")
        assert fields["name"].required
        assert fields["id"].readonly

    # -- search ------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("domain", "names"),
        [
            ([], "Alpha beta ÄRGER delta"),
            ([("name", "=", "Alpha")], "Alpha"),
            ([("name", "==", "Alpha")], "Alpha"),
            ([("name", "!=", "Alpha")], "beta ÄRGER delta"),
            ([("name", "<>", "Alpha")], "beta ÄRGER delta"),
            ([("sequence", "<", 2)], "Alpha"),
            ([("sequence", "<=", 2)], "Alpha beta"),
            ([("sequence", ">", 3)], "delta"),
            ([("sequence", ">=", 3)], "ÄRGER delta"),
            ([("sequence", "in", [1, 4])], "Alpha delta"),
            ([("sequence", "not in", [1, 4])], "beta ÄRGER"),
            ([("sequence", "in", [])], ""),
            ([("sequence", "not in", [])], "Alpha beta ÄRGER delta"),
            ([("sequence", "=?", None)], "Alpha beta ÄRGER delta"),
            ([("sequence", "=?", 2)], "beta"),
            ([("name", "like", "lph")], "Alpha"),
            ([("name", "like", "ALPH")], ""),
            ([("name", "ilike", "ALPH")], "Alpha"),
            ([("name", "ilike", "ärger")], "ÄRGER"),
            ([("name", "ilike", "😀")], "ÄRGER"),
            ([("name", "not like", "lph")], "beta ÄRGER delta"),
            ([("name", "not ilike", "TA")], "Alpha ÄRGER"),
            ([("name", "=like", "%a")], "Alpha delta"),
            ([("name", "=like", "d____")], "delta"),
            ([("name", "=ilike", "ALPHA")], "Alpha"),
            ([("name", "ilike", r"\_1")], "beta"),
            ([("name", "ilike", r"\%")], "beta"),
            ([("name", "ilike", False)], "Alpha beta ÄRGER delta"),
            ([("project_id", "=", "one")], "Alpha beta"),
            ([("project_id", "!=", "one")], "ÄRGER delta"),
            ([("project_id", "=", False)], "delta"),
            ([("project_id", "=", None)], "delta"),
            ([("project_id", "!=", False)], "Alpha beta ÄRGER"),
            ([("project_id", "in", ["one", False])], "Alpha beta delta"),
            ([("project_id", "not in", ["one"])], "ÄRGER delta"),
            ([("project_id", "not in", ["one", False])], "ÄRGER"),
            ([("project_id", "ilike", "two")], "ÄRGER"),
            ([("project_id", "not ilike", "two")], "Alpha beta delta"),
            ([("project_id.name", "=", "One")], "Alpha beta"),
            ([("project_id.type_ids", "=", "doing")], "Alpha beta"),
            ([("project_id.type_ids.name", "ilike", "DO")], "Alpha beta ÄRGER"),
            ([("stage_id.project_ids", "in", ["two"])], "Alpha ÄRGER"),
            ([("date_deadline", ">", datetime(2026, 1, 15, tzinfo=UTC))], "delta"),
            ([("date_deadline", "=", datetime(2026, 1, 1, tzinfo=UTC))], "Alpha"),
            ([("date_deadline", "<=", "2026-01-01 00:00:00")], "Alpha"),
            ([("date_deadline", "=", False)], "beta ÄRGER"),
            ([("active", "=", False)], "hidden"),
            ([("active", "in", [True, False])], "Alpha beta ÄRGER delta hidden"),
            (["!", ("name", "=", "Alpha")], "beta ÄRGER delta"),
            (["!", ("project_id", "=", "one")], "ÄRGER delta"),
            (["!", ("date_deadline", ">", datetime(2026, 1, 15, tzinfo=UTC))], "Alpha beta ÄRGER"),
            (["|", ("name", "=", "Alpha"), ("name", "=", "delta")], "Alpha delta"),
            (["&", ("project_id", "=", "one"), ("sequence", ">", 1)], "beta"),
            (
                ["|", "&", ("sequence", ">", 1), ("project_id", "=", "one"), ("name", "=", "delta")],
                "beta delta",
            ),
            (["!", "|", ("sequence", "=", 1), ("sequence", "=", 2)], "ÄRGER delta"),
            (["!", "&", ("sequence", "=", 1), ("project_id", "=", "one")], "beta ÄRGER delta"),
            (["|", ("sequence", "=", 1), ("sequence", "=", 2), ("name", "ilike", "beta")], "beta"),
        ],
        ids=str,
    )
    def test_a_domain_finds_what_odoo_would(
        self, env: Env, world: dict[str, Any], domain: list[Any], names: str
    ) -> None:
        """Every operator, with empty values, relations and negation."""
        found = env["project.task"].search(_with_keys(domain, world), order="sequence")

        assert " ".join(task.name.split()[0].split("_")[0] for task in found) == names

    @pytest.mark.parametrize(
        ("domain", "names"),
        [
            ([("type_ids", "=", "doing")], "One"),
            ([("type_ids", "!=", "doing")], "Bare Two"),
            ([("type_ids", "in", ["todo", "doing"])], "One Two"),
            ([("type_ids", "not in", ["doing"])], "Bare Two"),
            ([("type_ids", "=", False)], "Bare"),
            ([("type_ids", "!=", False)], "One Two"),
            ([("type_ids", "in", ["doing", False])], "Bare One"),
            ([("type_ids.name", "=", "Doing")], "One"),
            ([("type_ids", "ilike", "doing")], "One"),
            ([("type_ids", "not ilike", "doing")], "Bare Two"),
        ],
        ids=str,
    )
    def test_a_domain_looks_into_lists(
        self, env: Env, world: dict[str, Any], domain: list[Any], names: str
    ) -> None:
        """One of many is enough; an empty list is found by False."""
        found = env["project.project"].search(_with_keys(domain, world), order="name")

        assert " ".join(project.name for project in found) == names

    def test_a_count_counts_what_a_search_finds(self, env: Env, world: dict[str, Any]) -> None:
        """Both see the same records."""
        domain = [("project_id", "=", world["one"])]

        assert env["project.task"].search_count(domain) == 2
        assert env["project.task"].search_count() == 4

    @pytest.mark.usefixtures("world")
    def test_archived_records_are_left_out_unless_asked_for(self, env: Env) -> None:
        """By a context key, or by naming the field."""
        with env.context(active_test=False):
            everything = env["project.task"].search_count()

        assert everything == 5
        assert env["project.task"].search_count([("active", "=", False)]) == 1

    def test_an_order_is_stable_and_pages_do_not_overlap(self, env: Env) -> None:
        """Equal records come in the order of their keys, so pages neither drop nor repeat one."""
        made = env["project.task"].create([{"name": "same", "sequence": 1} for _ in range(7)])
        model = env["project.task"]

        pages = [model.search(order="sequence desc", limit=3, offset=start) for start in (0, 3, 6)]

        assert [task.id for page in pages for task in page] == [task.id for task in made]

    @pytest.mark.usefixtures("world")
    def test_empty_values_are_ordered_last_and_first_when_descending(self, env: Env) -> None:
        """As PostgreSQL does, so that a page is the same on every database."""
        model = env["project.task"]
        ascending = [task.sequence for task in model.search(order="date_deadline, sequence")]
        descending = [task.sequence for task in model.search(order="date_deadline desc, sequence desc")]

        assert ascending == [1, 4, 2, 3]
        assert descending == [3, 2, 4, 1]

    def test_an_unknown_field_is_an_error_with_near_names(self, env: Env) -> None:
        """In a domain, behind a dot, in an order, in a read, in values: always the same message."""
        model, message = env["project.task"], "model 'project.task' has no field 'nmae'; did you mean 'name'?"
        project = "model 'project.project' has no field 'nmae'; did you mean 'name'?"
        attempts: list[tuple[Callable[[], Any], str]] = [
            (lambda: model.search([("nmae", "=", 1)]), message),
            (lambda: model.search_count([("nmae", "=", 1)]), message),
            (lambda: model.search([("project_id.nmae", "=", 1)]), project),
            (lambda: model.search([], order="nmae desc"), message),
            (lambda: model.read([1], ["nmae"]), message),
            (lambda: model.create({"nmae": "x"}), message),
            (lambda: model.write([1], {"nmae": "x"}), message),
            (lambda: model.browse(1)["nmae"], message),
        ]

        for attempt, expected in attempts:
            with pytest.raises(UnknownFieldError) as caught:
                attempt()
            assert str(caught.value) == expected

    @pytest.mark.parametrize(
        ("domain", "message"),
        [
            ([("name", "ilke", "x")], "unknown operator 'ilke' for field 'name'; did you mean 'ilike'"),
            ([("name", "=")], "is neither '&', '|', '!' nor (field, operator, value)"),
            (["|", ("name", "=", "x")], "operator '|' lacks an operand"),
            (["!"], "operator '!' lacks an operand"),
            ([("name", "in", "abc")], "operator 'in' for field 'name' needs a list, not 'abc'"),
            ([("name.x", "=", 1)], "project.task.name is no relation, so 'name.x' leads nowhere"),
            ("name = x", "a domain is a list of (field, operator, value), not 'name = x'"),
        ],
        ids=str,
    )
    def test_a_malformed_domain_is_told(self, env: Env, domain: Any, message: str) -> None:
        """The message shows the part that is wrong."""
        with pytest.raises(DomainError) as caught:
            env["project.task"].search(domain)

        assert message in str(caught.value)

    @pytest.mark.parametrize(
        "domain",
        [[("sequence", "=", "abc")], [("sequence", "ilike", "1")], [("project_id.type_ids", ">", 1)],
         [("date_deadline", ">", "soon")]],
        ids=str,
    )  # fmt: skip
    def test_a_value_that_does_not_fit_its_field_is_an_error(self, env: Env, domain: list[Any]) -> None:
        """Not an empty answer on one database and a crash on another; the env goes on."""
        with pytest.raises(FailError):
            env["project.task"].search(domain)

        assert env["project.task"].search_count() == 0

    @pytest.mark.parametrize("order", ["name up", "name asc desc", "type_ids"])
    def test_a_malformed_order_is_told(self, env: Env, order: str) -> None:
        """A direction that is none, and a list that has no order."""
        with pytest.raises(DomainError):
            env["project.project"].search([], order=order)

    # -- read --------------------------------------------------------------------------

    def test_a_read_keeps_the_order_and_leaves_out_what_is_missing(
        self, env: Env, world: dict[str, Any]
    ) -> None:
        """Rows come as asked; a key without record has no row."""
        gone = env["project.task"].create({"name": "gone"})
        gone.unlink()

        rows = env["project.task"].read([world["delta"], gone.id, world["Alpha"]], ["name", "project_id"])

        assert rows == [
            {"id": world["delta"], "name": "delta", "project_id": None},
            {"id": world["Alpha"], "name": "Alpha", "project_id": world["one"]},
        ]

    def test_a_strict_read_names_what_is_missing(self, env: Env, world: dict[str, Any]) -> None:
        """Where a missing record is an error, it is named."""
        gone = env["project.task"].create({"name": "gone"})
        gone.unlink()

        with pytest.raises(MissingRecordError) as caught:
            env["project.task"].read([world["Alpha"], gone.id], ["name"], missing="raise")

        assert str(caught.value) == f"project.task {gone.id} does not exist (any more)"

    def test_lists_are_read_as_keys(self, env: Env, world: dict[str, Any]) -> None:
        """A plain read gives keys, in the order of the keys, and an empty list for none."""
        rows = env["project.project"].read([world["one"], world["bare"]], ["type_ids"])

        assert rows == [
            {"id": world["one"], "type_ids": sorted([world["todo"], world["doing"]])},
            {"id": world["bare"], "type_ids": []},
        ]

    def test_relations_are_read_as_records(self, env: Env, world: dict[str, Any]) -> None:
        """A many2one is a record or None, an x2many a list of records."""
        task, alone = env["project.task"].browse([world["Alpha"], world["delta"]])

        assert isinstance(task.project_id, Record)
        assert (task.project_id.name, task["project_id"].id) == ("One", world["one"])
        assert alone.project_id is None
        assert {stage.name for stage in task.project_id.type_ids} == {"To do", "Doing"}

    def test_a_missing_record_is_told_when_it_is_read(self, env: Env) -> None:
        """Reading a field, or writing, of what is not there."""
        gone = env["project.task"].create({"name": "gone"})
        gone.unlink()
        attempts: list[Callable[[], Any]] = [
            lambda: env["project.task"].browse(gone.id).name,
            lambda: env["project.task"].write([gone.id], {"name": "x"}),
            lambda: env["project.task"].unlink([gone.id]),
            lambda: env["project.task"].browse(gone.id).read(["name"]),
        ]

        for attempt in attempts:
            with pytest.raises(MissingRecordError):
                attempt()

    def test_existence_is_told_in_order(self, env: Env, world: dict[str, Any]) -> None:
        """Those that exist, in the order asked, archived ones too."""
        gone = env["project.task"].create({"name": "gone"})
        gone.unlink()

        there = env["project.task"].exists([world["hidden"], gone.id, world["Alpha"]])

        assert [task.id for task in there] == [world["hidden"], world["Alpha"]]
        assert not gone.exists()
        assert there[0].exists()

    def test_a_key_survives_as_text(self, env: Env, world: dict[str, Any]) -> None:
        """Bindings keep keys as text; the store turns them back."""
        key = world["Alpha"]

        back = env["project.task"].store.key("project.task", str(key))

        assert (back, type(back)) == (key, type(key))

    # -- create, write, unlink ---------------------------------------------------------

    def test_many_are_created_in_order(self, env: Env) -> None:
        """The records come back in the order of their values."""
        made = env["project.task"].create([{"name": f"task {n}"} for n in range(20)])

        assert [task.name for task in made] == [f"task {n}" for n in range(20)]
        assert env["project.task"].create([]) == []

    def test_defaults_are_filled_in(self, env: Env) -> None:
        """What is not given has the model's default."""
        task = env["project.task"].create({"name": "x"})

        assert (task.active, task.sequence, task.description) == (True, 10, None)
        assert task.create_date.tzinfo is not None

    def test_one_write_gives_many_records_the_same_values(self, env: Env, world: dict[str, Any]) -> None:
        """And leaves what it does not name alone."""
        model = env["project.task"]

        model.write([world["Alpha"], world["delta"]], {"sequence": 7, "project_id": None})

        rows = model.read(
            [world["Alpha"], world["delta"], world["beta_1%"]], ["name", "sequence", "project_id"]
        )
        assert [(r["name"], r["sequence"], r["project_id"]) for r in rows] == [
            ("Alpha", 7, None),
            ("delta", 7, None),
            ("beta_1%", 2, world["one"]),
        ]

    def test_a_record_stands_for_its_key_in_values(self, env: Env, world: dict[str, Any]) -> None:
        """A many2one takes a record, a list takes records, a domain too."""
        project = env["project.project"].browse(world["two"])
        stages = env["project.task.type"].browse([world["doing"]])

        task = env["project.task"].create({"name": "x", "project_id": project})
        project.write({"type_ids": stages})

        assert task.project_id == project
        assert project.type_ids == stages
        assert task in env["project.task"].search([("project_id", "=", project)])

    def test_false_is_empty_but_for_booleans(self, env: Env, world: dict[str, Any]) -> None:
        """Odoo's spelling of an empty value is taken, and never given."""
        task = env["project.task"].browse(world["Alpha"])

        task.write({"date_deadline": False, "project_id": False, "description": False, "active": False})

        row = task.read(["date_deadline", "project_id", "description", "active"])
        assert row == {
            "id": task.id, "date_deadline": None, "project_id": None, "description": None, "active": False,
        }  # fmt: skip

    def test_what_is_deleted_is_gone(self, env: Env, world: dict[str, Any]) -> None:
        """By model or by record."""
        env["project.task"].unlink([world["Alpha"]])
        env["project.task"].browse(world["delta"]).unlink()

        assert [t.sequence for t in env["project.task"].search([], order="sequence")] == [2, 3]

    def test_a_failed_write_changes_nothing(self, env: Env, world: dict[str, Any]) -> None:
        """All records or none."""
        gone = env["project.task"].create({"name": "gone"})
        gone.unlink()

        with pytest.raises(MissingRecordError):
            env["project.task"].write([world["Alpha"], gone.id], {"name": "changed"})

        assert env["project.task"].browse(world["Alpha"]).name == "Alpha"

    @pytest.mark.parametrize(
        ("commands", "left"),
        [
            ([(6, 0, ["doing"])], ["Doing"]),
            ([(5, 0, 0)], []),
            ([(4, "doing", 0)], ["Doing", "To do"]),
            ([(4, "todo", 0)], ["To do"]),
            ([(3, "todo", 0)], []),
            ([(0, 0, {"name": "New"})], ["New", "To do"]),
            ([(1, "todo", {"name": "Renamed"})], ["Renamed"]),
            ([(5,), (4, "doing")], ["Doing"]),
            (["doing"], ["Doing"]),
            ([], []),
            (None, []),
        ],
        ids=str,
    )
    def test_a_list_takes_odoo_s_commands(
        self, env: Env, world: dict[str, Any], commands: Any, left: list[str]
    ) -> None:
        """Create, update, delete, unlink, link, clear, set; also a plain list of keys."""
        project = env["project.project"].browse(world["two"])

        project.write({"type_ids": commands and _with_keys(commands, world)})

        assert sorted(stage.name for stage in project.type_ids) == left

    def test_unlinking_a_command_s_record_keeps_it_and_deleting_does_not(
        self, env: Env, world: dict[str, Any]
    ) -> None:
        """3 takes it out of the list, 2 removes it."""
        stages = env["project.task.type"]
        doing, extra = stages.browse(world["doing"]), stages.create({"name": "Extra"})
        project = env["project.project"].create({"name": "p", "type_ids": [doing.id, extra.id]})

        project.write({"type_ids": [(3, doing.id, 0), (2, extra.id, 0)]})

        assert [stage.exists() for stage in (doing, extra)] == [True, False]

    def test_instants_go_in_and_out_aware(self, env: Env) -> None:
        """Whatever the zone, the same instant comes back, in UTC."""
        given = datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2)))

        task = env["project.task"].create({"name": "x", "date_deadline": given})

        assert task.date_deadline == given
        assert task.date_deadline.utcoffset() == timedelta(0)
        assert task.read(["date_deadline"])["date_deadline"] == given

    def test_instants_are_searched_to_the_second(self, env: Env) -> None:
        """Two within one minute are told apart."""
        noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
        tasks = env["project.task"]
        early = tasks.create({"name": "early", "date_deadline": noon})
        late = tasks.create({"name": "late", "date_deadline": noon + timedelta(seconds=1)})

        assert tasks.search([("date_deadline", "=", noon)]) == [early]
        assert tasks.search([("date_deadline", "<=", "2026-03-29 12:00:00")]) == [early]
        assert tasks.search([("date_deadline", ">", noon)]) == [late]

    def test_text_of_all_planes_survives(self, env: Env) -> None:
        """In values and in domains."""
        task = env["project.task"].create({"name": PLANES, "description": f"<p>{PLANES}</p>"})

        assert (task.name, task.description) == (PLANES, f"<p>{PLANES}</p>")
        assert env["project.task"].search([("name", "=", PLANES)]) == [task]

    @pytest.mark.parametrize(
        "values",
        [
            {"name": None},
            {"name": 7},
            {"name": "nul \x00"},
            {"name": "x", "date_deadline": "tomorrow"},
            {"name": "x", "sequence": "many"},
            {"name": "x", "sequence": 2**70},
            {"name": "x", "project_id": 987_654},
        ],
        ids=str,
    )
    def test_a_value_that_cannot_be_kept_is_refused(self, values: dict[str, Any]) -> None:
        """It is told as an error of the value, and nothing is created."""
        with pytest.raises((RecordValueError, InvalidDataError)), self.open_env() as env:
            env["project.task"].create(values)

        with self.open_env() as env:
            assert env["project.task"].search_count() == 0

    def test_two_thousand_records_at_once(self, env: Env) -> None:
        """A page of this size is created, read, written, found and deleted in one go."""
        model = env["project.task"]
        made = model.create([{"name": f"task {n}", "sequence": n} for n in range(2_000)])
        keys = [task.id for task in made]

        model.write(keys, {"active": False})
        rows = model.read(keys, ["sequence", "active"])
        found = model.search([("id", "in", keys), ("active", "=", False)])

        assert [row["sequence"] for row in rows] == list(range(2_000))
        assert not any(row["active"] for row in rows)
        assert len(found) == 2_000
        model.unlink(keys)
        assert model.search_count([("id", "in", keys)]) == 0

    # -- env ---------------------------------------------------------------------------

    def test_a_readonly_env_refuses_every_write(self, world: dict[str, Any], env: Env) -> None:
        """Whichever way it is written; reading goes on."""
        key = world["Alpha"]
        self.settle(env)
        with self.open_env(readonly=True) as reading:
            model = reading["project.task"]
            attempts: list[Callable[[], Any]] = [
                lambda: model.create({"name": "x"}),
                lambda: model.write([key], {"name": "x"}),
                lambda: model.unlink([key]),
                lambda: model.browse(key).write({"name": "x"}),
                lambda: model.browse(key).unlink(),
                lambda: setattr(model.browse(key), "name", "x"),
            ]

            for attempt in attempts:
                with pytest.raises(ReadonlyError):
                    attempt()
            assert model.browse(key).name == "Alpha"

    def test_records_are_equal_by_model_and_key(self, env: Env, world: dict[str, Any]) -> None:
        """Read twice, a record is the same; its repr shows no values."""
        first, again = env["project.task"].browse(world["Alpha"]), env["project.task"].browse(world["Alpha"])
        project = env["project.project"].browse(world["Alpha"])

        assert first == again
        assert hash(first) == hash(again)
        assert first != project
        assert repr(first) == f"project.task({world['Alpha']!r})"

    def settle(self, env: Env) -> None:
        """Make what was written visible to other envs."""
        env.transaction.commit()


def _with_keys(domain: Any, keys: dict[str, Any]) -> Any:
    """Put keys in the place of names, in values only."""
    if isinstance(domain, list):
        return [_with_keys(term, keys) for term in domain]
    if not isinstance(domain, tuple):
        return _key(domain, keys)
    if isinstance(domain[0], int):  # a command
        return domain[0], *[_with_keys(part, keys) for part in domain[1:]]
    field, operator, value = domain
    relations = {"project_id", "type_ids", "project_ids", "stage_id"}
    like = operator.endswith("like") or field.rpartition(".")[2] not in relations
    return field, operator, value if like else _key(value, keys)


def _key(value: Any, keys: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_key(item, keys) for item in value]
    return keys.get(value, value) if isinstance(value, str) else value
