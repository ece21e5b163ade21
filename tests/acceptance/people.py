"""People who work in an Odoo, a simulated or a real one: by its own API, without a line of the store."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from xmlrpc.client import ServerProxy

from isthmus.simulators.odoo import OdooSimulator

Execute = Callable[[str, str, list[Any], dict[str, Any]], Any]
"""Calls a method: model, name, arguments, named arguments; both sides of it are JSON."""


class People:
    """Somebody in an Odoo, with as much of an env's manners as the stories use.

    Args:
        execute: Makes a call.
    """

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self._known: dict[str, PeoplesModel] = {}

    @classmethod
    def of(cls, odoo: OdooSimulator) -> "People":
        """Work in a simulator, without its network."""
        person = odoo.as_user(odoo.login)
        return cls(lambda model, method, args, options: person.call(model, method, *args, **options))

    @contextmanager
    def at_work(self) -> Iterator["People"]:
        """Stand in for what opens an env; each call is a transaction."""
        yield self

    def __getitem__(self, model: str) -> "PeoplesModel":
        if model not in self._known:
            self._known[model] = PeoplesModel(self._execute, model)
        return self._known[model]


@dataclass(frozen=True)
class Made:
    """A record, by its key."""

    model: "PeoplesModel"
    id: int

    def __getattr__(self, name: str) -> Any:
        return self.model.read([self.id], [name])[0][name]


class PeoplesModel:
    """One model as people see it.

    Args:
        execute: Makes a call.
        name: The model's name.
    """

    def __init__(self, execute: Execute, name: str) -> None:
        self._execute = execute
        self._name = name

    def call(self, method: str, *args: Any, **options: Any) -> Any:
        return self._execute(self._name, method, list(args), options)

    @cached_property
    def fields(self) -> dict[str, str]:
        """Types of the fields that are kept."""
        told = self.call("fields_get", attributes=["type", "store"])
        return {name: field["type"] for name, field in told.items() if field.get("store", True)}

    def search(self, domain: Sequence[Any] = (), **options: Any) -> list[Made]:
        terms = [term if isinstance(term, str) else list(term) for term in domain]
        return [Made(self, key) for key in self.call("search", terms, **options)]

    def read(self, ids: Sequence[int], fields: Sequence[str]) -> list[dict[str, Any]]:
        names = [name for name in fields if name != "id"]
        rows = self.call("read", list(ids), names, load="")
        return [{name: self._here(name, value) for name, value in row.items()} for row in rows]

    def create(self, values: Mapping[str, Any]) -> Made:
        return Made(self, self.call("create", self._there(values)))

    def write(self, ids: Sequence[int], values: Mapping[str, Any]) -> None:
        self.call("write", list(ids), self._there(values))

    def unlink(self, ids: Sequence[int]) -> None:
        self.call("unlink", list(ids))

    def _here(self, name: str, value: Any) -> Any:
        kind = self.fields.get(name)
        if name == "id" or kind == "boolean":
            return value
        if value is False:
            return None
        if kind == "many2one":
            return value[0] if isinstance(value, list) else value
        if kind == "datetime":
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        return value

    def _there(self, values: Mapping[str, Any]) -> dict[str, Any]:
        def told(value: Any) -> Any:
            if isinstance(value, datetime):
                return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
            if isinstance(value, list):
                return [[6, 0, value]]
            return False if value is None else value

        return {name: told(value) for name, value in values.items()}


def people_of(url: str, database: str, login: str, secret: str) -> People:
    """Work in a real Odoo, over XML-RPC, which the store does not speak."""
    uid = ServerProxy(f"{url}/xmlrpc/2/common").authenticate(database, login, secret, {})
    assert uid, f"{login} is not let into {database} at {url}"

    def execute(model: str, method: str, args: list[Any], options: dict[str, Any]) -> Any:
        with ServerProxy(f"{url}/xmlrpc/2/object", allow_none=True) as server:
            return server.execute_kw(database, uid, secret, model, method, args, options)

    return People(execute)
