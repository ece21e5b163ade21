"""The methods of models that may be called, with Odoo's own parameters."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from isthmus.simulators.odoo import access, errors, keys, orm
from isthmus.simulators.odoo.copying import copied
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.loading import load
from isthmus.simulators.odoo.model import Model
from isthmus.simulators.odoo.reading import CLASSIC, read_rows
from isthmus.simulators.odoo.web import web_read

Method = Callable[..., Any]


class ModelMethods:
    """Methods that belong to a model, not to records (`@api.model`)."""

    def __init__(self, env: Environment, model: Model) -> None:
        self.env = env
        self.model = model

    def create(self, vals_list: Any) -> Any:
        """Create one record from a mapping, or several from a list.

        Raises:
            builtin: One of Python's own errors, as Odoo's.
        """
        if isinstance(vals_list, dict):
            return orm.create(self.env, self.model, [vals_list])[0]
        if vals_list is None:
            raise errors.builtin("TypeError", "'NoneType' object is not iterable")
        return orm.create(self.env, self.model, list(vals_list))

    def search(self, domain: Any, offset: Any = 0, limit: Any = None, order: Any = None) -> Any:
        """Find IDs."""
        rows = orm.search(self.env, self.model, domain, offset=offset, limit=limit, order=order)
        return [row["id"] for row in rows]

    def search_count(self, domain: Any, limit: Any = None) -> Any:
        """Count."""
        return orm.count(self.env, self.model, domain, limit)

    def search_read(
        self,
        domain: Any = None,
        fields: Any = None,
        offset: Any = 0,
        limit: Any = None,
        order: Any = None,
        load: Any = CLASSIC,
    ) -> Any:
        """Find and read; ``active_test`` counts for what is found, not for the lists that are read."""
        rows = orm.search(self.env, self.model, domain or [], offset=offset, limit=limit, order=order)
        return read_rows(self.env.with_context(active_test=True), self.model, rows, fields, load)

    def name_search(self, name: Any = "", args: Any = None, operator: str = "ilike", limit: Any = 100) -> Any:
        """Find by name: pairs of ID and name."""
        domain = [*(args or ())]
        if name or operator == "ilike":
            domain += self.model.name_domain(name or "", operator)
        rows = orm.search(self.env, self.model, domain, limit=limit)
        return [[row["id"], self.env.name_of(self.model.name, row["id"])] for row in rows]

    def name_create(self, name: Any) -> Any:
        """Create a record by its name only."""
        made = orm.create(self.env, self.model, [{self.model.rec_name: name}])[0]
        return [made, self.env.name_of(self.model.name, made)]

    def fields_get(self, allfields: Any = None, attributes: Any = None) -> Any:
        """Describe fields."""
        found = {}
        for field in self.model.fields.values():
            if allfields and field.name not in allfields:
                continue
            told = field.describe()
            if field.type == "selection" and field.name == "lang":
                told["selection"] = [
                    [row["code"], row["name"]]
                    for row in self.env.rows("res.lang").values()
                    if row.get("active")
                ]
            found[field.name] = {k: v for k, v in told.items() if not attributes or k in attributes}
        return found

    def default_get(self, fields_list: Any) -> Any:
        """Give defaults."""
        given = orm.defaults(self.env, self.model, {})
        return {name: given[name] for name in fields_list if given.get(name) is not None}

    def load(self, fields: Any, data: Any) -> Any:
        """Import rows of text with external IDs."""
        return load(self.env, self.model, fields, data)

    def check_access_rights(self, operation: str, raise_exception: Any = True) -> Any:
        """Tell, or insist, that a person may do this at all."""
        if raise_exception:
            access.check_rights(self.env, self.model, operation)
            return None if self.env.release.major >= 18 else True
        return access.has_rights(self.env, self.model, operation)


class RecordMethods:
    """Methods of records."""

    def __init__(self, env: Environment, model: Model, ids: Sequence[Any]) -> None:
        self.env = env
        self.model = model
        self.ids = ids

    def write(self, vals: Any) -> Any:
        """Write."""
        return orm.write(self.env, self.model, self.ids, vals)

    def unlink(self) -> Any:
        """Delete."""
        return orm.unlink(self.env, self.model, self.ids)

    def read(self, fields: Any = None, load: Any = CLASSIC) -> Any:
        """Read those that are there.

        Raises:
            postgres: An error of the database.
        """
        if any(isinstance(i, str) and not i.isdecimal() for i in self.ids):
            raise errors.postgres(
                "InvalidTextRepresentation", f'invalid input syntax for type integer: "{self.ids[0]}"\n'
            )
        rows = self.env.rows(self.model.name)
        there = [rows[i] for i in self.ids if i in rows]
        return read_rows(self.env, self.model, there, fields, load)

    def exists(self) -> Any:
        """Tell which are there."""
        rows = self.env.rows(self.model.name)
        return [i for i in dict.fromkeys(self.ids) if i in rows]

    def copy(self, default: Any = None) -> Any:
        """Duplicate: the new ID, in a list from 18.0 on."""
        made = [copied(self.env, self.model, row, default or {}) for row in self._rows()]
        return made if self.env.release.major >= 18 else made[0]

    def web_read(self, specification: Any) -> Any:
        """Read as the web client does."""
        return web_read(self.env, self.model, self._rows(), specification)

    def get_metadata(self) -> Any:
        """Tell who made records and under which external IDs they go, to everybody."""
        known: dict[Any, list[dict[str, Any]]] = {}
        for data in self.env.rows("ir.model.data").values():
            if data["model"] == self.model.name:
                known.setdefault(data["res_id"], []).append({
                    "xmlid": f"{data['module']}.{data['name']}",
                    "noupdate": bool(data.get("noupdate")),
                })
        rows = read_rows(
            self.env,
            self.model,
            self._rows(),
            ["create_uid", "create_date", "write_uid", "write_date"],
            CLASSIC,
        )
        for row in rows:
            names = known.get(row["id"], [])
            row |= {
                "xmlid": names[0]["xmlid"] if names else False,
                "noupdate": bool(names) and names[0]["noupdate"],
                "xmlids": names[::-1],
            }
        return rows

    def name_get(self) -> Any:
        """Name records."""
        return [[row["id"], self.env.name_of(self.model.name, row["id"])] for row in self._rows()]

    def has_access(self, operation: str) -> Any:
        """Tell whether a person may do this with these.

        Raises:
            OdooError: As Odoo refuses.
        """
        try:
            self.check_access(operation)
        except errors.OdooError as refused:
            if refused.name != "odoo.exceptions.AccessError":
                raise
            return False
        return True

    def check_access(self, operation: str) -> Any:
        """Insist that a person may do this with these."""
        access.check_rights(self.env, self.model, operation)
        access.check_rules(self.env, self.model, operation, self._rows())

    def _rows(self) -> Any:
        return access.existing(self.env, self.model, self.ids)


SINCE = {"web_read": 17, "has_access": 18, "check_access": 18}
UNTIL = {"name_get": 18, "check_access_rights": 19}
_PRIVATE = frozenset({"init", "browse", "env", "sudo", "with_context", "with_user", "search_fetch", "flush"})
_OVERRIDDEN = {
    "project.task": {"write", "unlink", "copy", "create"},
    "project.project": {"write", "unlink", "copy", "create"},
    "res.partner": {"write", "create", "unlink"},
    "res.users": {"write", "create", "unlink"},
}


def call(env: Environment, model: Model, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call a method as RPC does: the first argument of a record method is its IDs.

    Raises:
        access_error: If the person may not.
        builtin: One of Python's own errors, as Odoo's.
    """
    if name.startswith("_") or name in _PRIVATE or (name == "exists" and env.release.major >= 19):
        raise errors.access_error(
            f"Private methods (such as '{model.name}.{name}') cannot be called remotely."
            if env.release.major >= 18
            else f"Private methods (such as {name}) cannot be called remotely."
        )
    kind = kind_of(env, model, name)
    if kind == "":
        raise errors.builtin(
            "AttributeError",
            f"The method '{model.name}.{name}' does not exist"
            if env.release.major >= 18
            else f"type object '{model.name}' has no attribute '{name}'",
            kind="method",
        )
    if kind == "model":
        return _bound(env, model, name, getattr(ModelMethods(env, model), name, _nothing), args, kwargs)
    if not args:
        raise errors.builtin("IndexError", "tuple index out of range", kind="arguments")
    ids, *rest = args
    if isinstance(ids, int) and not isinstance(ids, bool):
        ids = [ids]
    return _bound(
        env, model, name, getattr(RecordMethods(env, model, list(ids or ())), name, _nothing), rest, kwargs
    )


def _nothing() -> None:
    """Stand where a model has a method of its own."""


def kind_of(env: Environment, model: Model, name: str) -> str:
    """Tell whether a method is of the "model", of a "record", or not there ("")."""
    since, own = _OWN.get((model.name, name), (0, None))
    if own is not None:
        return "model" if env.release.major >= since else ""
    if not SINCE.get(name, 0) <= env.release.major < UNTIL.get(name, 99):
        return ""
    if hasattr(ModelMethods, name):
        return "model"
    return "record" if hasattr(RecordMethods, name) else ""


def _bound(
    env: Environment, model: Model, name: str, method: Method, args: list[Any], kwargs: dict[str, Any]
) -> Any:
    _, own = _OWN.get((model.name, name), (0, None))
    method = method if own is None else partial(own, env)
    signature = inspect.signature(method)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        owner = model.class_name if name in _OVERRIDDEN.get(model.name, ()) else "BaseModel"
        text = _explained(f"{owner}.{name}" if name != "create" else name, signature, args, kwargs, error)
        raise errors.builtin("TypeError", text, kind="arguments") from error
    return method(*args, **kwargs)


def _explained(
    called: str, signature: inspect.Signature, args: list[Any], kwargs: dict[str, Any], error: TypeError
) -> str:
    names = list(signature.parameters)
    for name in kwargs:
        if name not in names:
            return f"{called}() got an unexpected keyword argument '{name}'"
    lacking = [
        f"'{p.name}'"
        for n, p in enumerate(signature.parameters.values())
        if p.default is p.empty and n >= len(args) and p.name not in kwargs
    ]
    if lacking:
        plural = "s" if len(lacking) > 1 else ""
        return (
            f"{called}() missing {len(lacking)} required positional argument{plural}: {' and '.join(lacking)}"
        )
    if len(args) > len(names):
        return f"{called}() takes {len(names) + 1} positional arguments but {len(args) + 1} were given"
    return f"{called}() {error}"


def _context_get(env: Environment) -> dict[str, Any]:
    return {"lang": env.person.get("lang") or "en_US", "tz": env.person.get("tz") or False, "uid": env.uid}


def _check_object_reference(
    env: Environment, module: Any, xml_id: Any, raise_on_access_error: Any = False
) -> Any:
    """Find the record of an external ID: model and ID, False for one that a search does not find.

    Raises:
        builtin: If there is no such external ID.
        access_error: If it cannot be found and that shall be told.
    """
    found = [
        data
        for data in env.rows("ir.model.data").values()
        if data["module"] == module and data["name"] == xml_id
    ]
    if not found:
        raise errors.builtin("ValueError", f"External ID not found in the system: {module}.{xml_id}")
    model = env.registry[found[0]["model"]]
    if orm.search(env, model, [["id", "=", found[0]["res_id"]]]):
        return [model.name, found[0]["res_id"]]
    if raise_on_access_error:
        raise errors.access_error(f'Not enough access rights on the external ID "{module}.{xml_id}"')
    return [model.name, False]


_OWN: dict[tuple[str, str], tuple[int, Method]] = {
    ("res.users", "context_get"): (0, _context_get),
    ("ir.model.data", "check_object_reference"): (0, _check_object_reference),
    ("res.users.apikeys", "generate"): (19, keys.generate),
    ("res.users.apikeys", "revoke"): (19, keys.revoke),
}
"""Methods that only one model has, and since which version; they get the environment first."""
