"""A hub whose projects live in a simulated Odoo, beside a simulated Trello, as a person uses it."""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from isthmus.cli import backend as backend_command
from isthmus.cli import status as status_command
from isthmus.cli import sync as sync_command
from isthmus.cli.session import Session, Shared
from isthmus.connectors.trello.markup import html_to_markdown, markdown_to_html
from isthmus.hub import Hub
from isthmus.job import State
from isthmus.mapping import ImportMapper, mapping, only_create
from isthmus.simulators.odoo import OdooSimulator, errors
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync import CursorBook, Inbox, Report, service
from isthmus.testing import FrozenClock

TASK, PROJECT, STAGE = "project.task", "project.project", "project.task.type"
MODELS = (PROJECT, STAGE, TASK)
QUIET = timedelta(seconds=60)
IMPATIENT_S = 0.5
"""For where it is the fault that no answer comes."""


class Tagged(ImportMapper):
    """Somebody's addition to the mapper of cards: what ``load`` cannot carry."""

    _inherit = "trello.card.import.mapper"

    @only_create
    @mapping
    def tags_of_ours(self, payload: Any) -> dict[str, Any]:
        """Link two tags, beside those that Odoo may set itself."""
        return {"tag_ids": [(4, 1), (4, 2)]}


@dataclass(frozen=True)
class Told:
    """What a command told, and its exit code."""

    code: int
    out: str
    err: str


class _At(Session):
    """A command's run on a hub that is there already, with its clock."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(Shared())
        # The cached properties of the base class, filled.
        self.__dict__ |= {"settings": hub.settings, "raw_hub": hub}


class Company:
    """A hub, an Odoo with our projects, and a Trello with one board of six cards.

    Nothing is imported before `sync`.
    """

    def __init__(
        self,
        start: Callable[[], Hub],
        odoo: OdooSimulator,
        trello: TrelloSimulator,
        clock: FrozenClock,
        *,
        cards: int = 3,
        secret: str | None = None,
    ) -> None:
        self._start, self.hub = start, start()
        self.odoo, self.trello, self.clock = odoo, trello, clock
        # The same login as the hub's: whose change it was does not decide.
        self.robin = odoo.as_user("admin")
        trello.seed_demo(boards=1, lists=2, cards=cards)
        (self.board,) = trello.state.boards()
        self.lists = trello.state.lists(self.board)
        with self.hub.env() as env:
            here = env["odoo.backend"].create({"name": "company", "url": odoo.url})
            here.set_credentials({"key": secret or odoo.password})
            here.set_options({"database": odoo.database, "login": odoo.login})
            there = env["trello.backend"].create({
                "name": "trello", "url": trello.url, "lease_s": 5.0, "quiet_s": QUIET.total_seconds(),
            })  # fmt: skip
            there.set_credentials({"key": trello.key, "token": trello.token})
            there.set_options({"boards": [self.board["id"]]})

    # -- commands ----------------------------------------------------------------------

    def _run(self, command: Callable[..., int | None], *words: Any) -> Told:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), _At(self.hub) as session:
            code = session.guard(lambda: command(session, *words))
        return Told(code, out.getvalue(), err.getvalue())

    def sync(self) -> Told:
        """Run ``isthmus sync trello``."""
        return self._run(sync_command.sync, "trello")

    def test(self, backend: str = "company") -> Told:
        """Run ``isthmus backend test``."""
        return self._run(backend_command.test, backend)

    def status(self) -> str:
        """Run ``isthmus status``; give its problems, but for the worker that tests do not have."""
        told = self._run(status_command.status)
        assert told.code == 0
        lines = [line for line in told.out.splitlines() if line.startswith("! ")]
        return "\n".join(line for line in lines if "no worker is running" not in line)

    # -- parts of a run ----------------------------------------------------------------

    def observe(self, *, full: bool = False) -> int:
        """Look for changes in Odoo; tells how many were told to listeners."""
        with self.hub.env() as env:
            done = service.observe_backend(env, service.get_backend(env, "trello"), full=full).done
        return int(done["observed"])

    def fetch(self, *, full: bool = False) -> Report:
        """Import what changed on Trello."""
        with self.hub.env() as env:
            return service.import_backend(env, service.get_backend(env, "trello"), full=full)

    def jobs(self, rounds: int = 20) -> None:
        """Run the jobs, also those for later."""
        for _ in range(rounds):
            self.hub.queue.run_pending()
            if not self.hub.queue.counts()[State.PENDING]:
                break
            self.clock.advance(timedelta(seconds=30))

    def settle(self) -> None:
        """Let some time pass, and run everything until nothing is left to do."""
        self.clock.advance(timedelta(minutes=16))
        while self.observe() + self.fetch().changed + self.hub.queue.counts()[State.PENDING]:
            self.jobs()
            self.clock.advance(QUIET)

    def set(self, backend: str = "company", **options: Any) -> None:
        """Set options of a backend, as another process does."""
        with self.hub.env() as env:
            service.get_backend(env, backend).set_options(options)
        if backend == "company":
            self.restart()

    def set_key(self, key: str) -> None:
        """Store another key."""
        with self.hub.env() as env:
            service.get_backend(env, "company").set_credentials({"key": key})

    def restart(self) -> None:
        """Go on with a hub that knows nothing yet, as a new process does."""
        self.hub.close()
        self.hub = self._start()

    def constrain(self, model: str, refuse: Callable[[dict[str, Any]], str | None]) -> None:
        """Let Odoo refuse records, as a module of the customer's own does.

        Args:
            model: The model.
            refuse: Gives what Odoo says of a row; None when it is right.
        """
        known = self.odoo.world.registry[model]
        usual = known.check

        def check(env: Any, row: dict[str, Any], changed: Any) -> None:
            said = refuse(row)
            if said is not None:
                raise errors.validation_error(said)
            usual(env, row, changed)

        known.check = check  # type: ignore[method-assign]

    def refuse(self, model: str, field: str, name: str, said: str) -> Callable[[], None]:
        """Let Odoo refuse values of a field for the record of a name; gives what ends that."""
        known = self.odoo.world.registry[model]
        usual = known.check

        def check(env: Any, row: dict[str, Any], changed: Any) -> None:
            if row["name"] == name and field in changed:
                raise errors.validation_error(said)
            usual(env, row, changed)

        known.check = check  # type: ignore[method-assign]
        return lambda: setattr(known, "check", usual)

    def keep(self, model: str, *kept: int) -> None:
        """Let Odoo refuse to delete some records."""

        def before_unlink(_env: Any, ids: Sequence[int]) -> None:
            if not set(kept).isdisjoint(ids):
                raise errors.user_error("It is needed.")

        self.odoo.world.registry[model].before_unlink = before_unlink  # type: ignore[method-assign]

    def hide(self, model: str, *hidden: int, only: str = "") -> None:
        """Let a record rule keep records from everybody: from sight, or only from one operation."""
        known = self.odoo.world.registry[model]
        usual = type(known).rule

        def rule(env: Any, operation: str) -> Any:
            other = usual(known, env, operation)
            if only not in {"", operation}:
                return other
            return lambda row: row["id"] not in hidden and (other is None or other(row))

        known.rule = rule  # type: ignore[method-assign]

    def before(self, model: str, method: str, action: Callable[[], Any], *, turn: int = 1) -> None:
        """Let a person do something just before our next call of a method, or the one so many turns later."""
        usual, left = self.odoo.world.execute, [turn]

        def execute(uid: int, called: str, name: str, *arguments: Any) -> Any:
            if (called, name) == (model, method):
                left[0] -= 1
                if left[0] == 0:
                    action()
            return usual(uid, called, name, *arguments)

        self.odoo.world.execute = execute  # type: ignore[method-assign]

    def work_as(self, login: str, *groups: str) -> None:
        """Let the hub be a user of its own from now on."""
        self.odoo.world.add_user(login, login, groups)
        self.set(login=login)
        self.set_key(login)
        self.restart()

    # -- looking -----------------------------------------------------------------------

    def failed(self) -> list[str]:
        """List the errors of failed jobs."""
        return [str(job.error) for job in self.hub.queue.list(state="failed")]

    def waiting(self) -> list[str]:
        """List why jobs wait that were tried."""
        return [str(job.error) for job in self.hub.queue.list(state="pending") if job.error]

    def inbox(self) -> list[dict[str, Any]]:
        """List what waits for a person."""
        with self.hub.env(readonly=True) as env:
            return Inbox(env).list()

    def resolve(self, item: int, choice: Any) -> None:
        """Choose, as in ``isthmus inbox resolve``."""
        with self.hub.env() as env:
            Inbox(env).resolve(item, choice)

    def book(self, env: Any) -> CursorBook:
        """Give the cursors of the Trello."""
        return CursorBook(env, service.get_backend(env, "trello").id)

    def effects(self) -> int:
        """Count writes whose outcome is open."""
        with self.hub.env(readonly=True) as env:
            return int(env["isthmus.effect"].search_count([("state", "in", ["open", "asked"])]))

    def tasks(self) -> list[int]:
        """List the tasks in Odoo, archived ones too."""
        return self.robin.search(TASK, [], order="id", context={"active_test": False})

    def task(self, name: str) -> int:
        """Find a task by its name."""
        (found,) = self.robin.search(TASK, [["name", "=", name]], context={"active_test": False})
        return found

    def read(self, task: int, *fields: str) -> dict[str, Any]:
        """Read a task as Odoo spells it."""
        (row,) = self.robin.read(TASK, task, fields)
        return row

    def card(self, name: str) -> dict[str, Any]:
        """Find a card by its name."""
        (found,) = [card for card in self.trello.state.cards() if card["name"] == name]
        return found

    def names_here(self) -> list[str]:
        """List what the tasks are called."""
        return sorted(row["name"] for row in self.robin.read(TASK, self.tasks(), ["name"]))

    def names_there(self) -> list[str]:
        """List what the cards are called."""
        return sorted(card["name"] for card in self.trello.state.cards())

    def here(self) -> list[tuple[Any, ...]]:
        """Tell the tasks as a person sees them, to compare."""
        many = self.odoo.version.major >= 15
        fields = [
            "name",
            "description",
            "active",
            "date_deadline",
            "stage_id",
            "user_ids" if many else "user_id",
        ]
        stages = {row["id"]: row["name"] for row in self.rows(STAGE, ["name"])}
        return sorted(
            (row["name"], html_to_markdown(row["description"] or ""), row["active"],
             _day(row["date_deadline"]), stages[row["stage_id"][0]])
            for row in self.robin.read(TASK, self.tasks(), fields)
        )  # fmt: skip

    def rows(self, model: str, fields: list[str]) -> list[dict[str, Any]]:
        """Read all records of a model, archived ones too."""
        return self.robin.read(model, self.robin.search(model, [], context={"active_test": False}), fields)

    def there(self) -> list[tuple[Any, ...]]:
        """Tell the cards in the same form."""
        lists = {entry["id"]: entry["name"] for entry in self.trello.state.lists(self.board)}
        return sorted(
            (
                card["name"],
                html_to_markdown(markdown_to_html(card["desc"])),
                not card["closed"],
                _day(card["due"]),
                lists[card["idList"]],
            )
            for card in self.trello.state.cards()
        )

    def writes(self) -> Counter[tuple[str, str]]:
        """Count the calls that have written, on both sides."""
        found: Counter[tuple[str, str]] = Counter()
        for call in self.odoo.calls:
            if call.method in {"load", "create", "write", "unlink"}:
                found["odoo", call.method] += 1
        for request in self.trello.requests:
            if request.method != "GET":
                found["trello", request.method] += 1
        return found

    def nothing_moves(self, rounds: int = 3) -> bool:
        """Tell that so many more rounds write nothing anywhere."""
        self.odoo.calls.clear()
        self.trello.requests.clear()
        for _ in range(rounds):
            self.settle()
        return not self.writes()


def _day(value: Any) -> str:
    return str(value)[:10] if value else ""


def instant(text: str) -> datetime:
    """Read an instant as Odoo spells it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
