"""Our side in an Odoo: a simulated server, somebody who works in it, and the hub's login."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from isthmus.cli.demo.crash import HeldAnswer
from isthmus.cli.demo.side import ARCHIVED_TOO, Rows
from isthmus.hub import Hub
from isthmus.simulators.odoo import PROJECT_USER, OdooSimulator
from isthmus.sync.service import get_backend

_PERSON: Final = "robin"
_SETTINGS: Final = """\
plugins = ["trello", "odoo"]
id_walk_s = 0  # deletions are looked for at each poll

[stores.odoo]
backend = "odoo"
models = ["project.project", "project.task.type", "project.task"]
lag = 1
"""


class OdooSide:
    """Our records are in an Odoo, which nothing is installed in.

    Args:
        odoo: The running simulator.
    """

    def __init__(self, odoo: OdooSimulator) -> None:
        self.odoo = odoo
        self.place = "in Odoo"
        self.title = f"An Odoo {odoo.version.name} here, a Trello there"
        self.settings = _SETTINGS
        self.made: HeldAnswer | None = HeldLoad(odoo)
        odoo.world.add_user(_PERSON, _PERSON, groups=PROJECT_USER)
        self._person = odoo.as_user(_PERSON)
        self._kinds: dict[str, dict[str, str]] = {}

    def connect(self, hub: Hub) -> list[str]:
        """Tell the hub where the Odoo is; it logs in by an API key of the administrator."""
        with hub.env(user="demo") as env:
            backend = env["odoo.backend"].create({"name": "odoo", "url": self.odoo.url})
            backend.set_credentials({"key": self.odoo.api_key()})
            backend.set_options({"database": self.odoo.database, "login": self.odoo.login})
        with hub.env(user="demo") as env:
            connected: str = get_backend(env, "odoo").connect()
        return [connected]

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        """Let somebody create a record, in Odoo itself."""
        return self._person.create(model, self._there(values))

    def write(self, model: str, key: int, values: Mapping[str, Any]) -> None:
        """Let somebody change a record, in Odoo itself."""
        self._person.write(model, key, self._there(values))

    def unlink(self, model: str, key: int) -> None:
        """Let somebody delete a record, in Odoo itself."""
        self._person.unlink(model, key)

    def rows(self, model: str, fields: Sequence[str]) -> Rows:
        """Read all records by Odoo's own API; the hub has no part in it."""
        admin = self.odoo.as_user(self.odoo.login)
        if model not in self._kinds:
            told = admin.call(model, "fields_get")
            self._kinds[model] = {name: field["type"] for name, field in told.items()}
        kinds = self._kinds[model]
        ids = admin.search(model, [list(ARCHIVED_TOO)], order="id")
        return [
            {name: _here(kinds[name], value) for name, value in row.items()}
            for row in admin.read(model, ids, list(fields))
        ]

    @staticmethod
    def _there(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: [[6, 0, value]] if isinstance(value, list) else value for name, value in values.items()}

    def hints(self) -> list[str]:
        """Say how somebody changes a task in Odoo, from another terminal."""
        (task,) = self._person.search("project.task", limit=1)
        edit = (
            f'{{"login": "{_PERSON}", "model": "project.task", "method": "write", '
            f'"args": [[{task}], {{"name": "Edited in Odoo"}}]}}'
        )
        return [f"curl -d '{edit}' -H 'Content-Type: application/json' {self.odoo.url}/_control/call"]


class HeldLoad:
    """Odoo's answer to the create of a task.

    Args:
        odoo: Makes the task at once.
    """

    what = "Odoo's `load`"

    def __init__(self, odoo: OdooSimulator) -> None:
        self._odoo = odoo
        self._before = 0

    def hold(self, seconds: float) -> None:
        """Let the next answer come so much later."""
        self._before = self.count()
        self._odoo.faults.next("slow", method="load", model="project.task", delay_s=seconds)

    def is_held(self) -> bool:
        """Tell whether the task is there and its answer is not."""
        sent = self._odoo.calls.matching("load", "project.task")[self._before :]
        return any(call.applied and call.fault == "slow" for call in sent)

    def count(self) -> int:
        """Count the creates that were sent."""
        return self._odoo.calls.count("load", "project.task")


def _here(kind: str, value: Any) -> Any:
    """Read a value of the API: nothing is False there, a relation has its name beside it."""
    if kind == "boolean":
        return value
    if value is False:
        return None
    if kind == "many2one":
        return value[0]
    if kind == "datetime":
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return date.fromisoformat(value) if kind == "date" else value
