"""`load`: rows of text, external IDs, all or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from isthmus.simulators.odoo import errors, orm
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.model import Model
from isthmus.simulators.odoo.tables import savepoint
from isthmus.simulators.odoo.texts import CellError, RowError, converted

Path = list[str]
_IMPORT = "__import__"


@dataclass
class _Record:
    """A record of the file: the rows that it is made of, and its cells."""

    first: int
    last: int
    cells: list[tuple[Path, Any]]
    lines: dict[str, list[list[tuple[Path, Any]]]] = dataclass_field(default_factory=dict)


def load(env: Environment, model: Model, fields: Sequence[str], data: Sequence[Sequence[Any]]) -> Any:
    """Create and update records, all or none.

    Raises:
        OdooError: If there is no such field; what is wrong with a record is in the answer's messages.
    """
    paths = [_path(name) for name in fields]
    for path in paths:
        _check_path(env, model, path)
    mark = savepoint(env.transaction)
    changes = dict(env.transaction.changes)
    messages: list[dict[str, Any]] = []
    ids: list[int] = []
    for number, record in enumerate(_records(model, paths, data)):
        where = {"rows": {"from": record.first, "to": record.last}}
        inner = savepoint(env.transaction)
        try:
            ids.append(_keep(env, model, record))
        except RowError as found:
            named = env.release.major >= 16
            messages += [
                where
                | {"type": "error", "record": number}
                | {key: value for key, value in e.told.items() if named or key != "field_name"}
                for e in found.errors
            ]
        except errors.OdooError as error:
            if error.name == "builtins.AttributeError" or error.name.endswith("InvalidTextRepresentation"):
                raise
            env.database.undo_to(env.transaction, inner)
            told = error.loading or _told(error)
            messages.append(where | {"record": number, "type": "error"} | told)
    if messages:
        env.database.undo_to(env.transaction, mark)
        env.transaction.changes = changes
        return {"ids": False, "messages": messages, "nextrow": 0}
    return {"ids": ids, "messages": [], "nextrow": 0}


def _check_path(env: Environment, model: Model, path: Path) -> None:
    for name in path:
        if name in {"id", ".id"}:
            continue
        field = model.fields.get(name)
        if field is None and env.release.major <= 17:
            raise errors.builtin("KeyError", name)
        if field is None:
            raise errors.value_error(f"Invalid field name '{name}'")
        model = env.registry.get(field.relation or "", model)


def _told(error: errors.OdooError) -> dict[str, str]:
    if error.name.startswith("builtins."):
        kind = error.name.removeprefix("builtins.")
        return {
            "message": f"Unknown error during import: <class '{kind}'>: {error.message}",
            "moreinfo": "Resolve other errors first",
        }
    return {"message": error.message}


def _path(name: str) -> Path:
    # "project_id.id" and "project_id:id" are older spellings of "project_id/.id" and "project_id/id".
    if name != ".id":
        name = name.replace("/.id", "\0").replace(".id", "/.id").replace(":id", "/id").replace("\0", "/.id")
    return [part for part in name.split("/") if part]


def _records(model: Model, paths: list[Path], data: Sequence[Sequence[Any]]) -> Iterable[_Record]:
    lists = {
        p[0] for p in paths if len(p) > 1 and p[0] in model.fields and model.fields[p[0]].type == "one2many"
    }
    record: _Record | None = None
    for number, row in enumerate(data):
        cells = list(zip(paths, row, strict=False))
        own = [(path, cell) for path, cell in cells if path[0] not in lists]
        if record is None or not lists or any(cell not in ("", None, False) for _, cell in own):
            if record is not None:
                yield record
            record = _Record(number, number, own)
        record.last = number
        for name in lists:
            line = [(path[1:], cell) for path, cell in cells if path[0] == name]
            if any(cell not in ("", None, False) for _, cell in line):
                record.lines.setdefault(name, []).append(line)
    if record is not None:
        yield record


def _keep(env: Environment, model: Model, record: _Record) -> int:
    env = env.with_context(import_file=True)
    values: dict[str, Any] = {}
    external, database_id = "", None
    refused: list[CellError] = []
    for path, cell in record.cells:
        try:
            if path[0] == "id":
                external = str(cell or "")
            elif path[0] == ".id":
                database_id = _database_id(env, model, cell)
            else:
                values[path[0]] = converted(env, model.fields[path[0]], path[1:], cell)
        except CellError as error:
            refused.append(error)
    if refused:
        raise RowError(refused)
    known = find_external(env, model, external) if external else None
    target = database_id or known
    if known and database_id is None and _is_kept(env, external):
        return known
    if target:
        orm.write(env, model, [target], values)
    else:
        target = orm.create(env, model, [values])[0]
    if external and known is None:
        _name(env, model, external, target)
    for name, lines in record.lines.items():
        field = model.fields[name]
        comodel: Model = env.registry[field.relation or ""]
        for line in lines:
            owner = ([field.inverse or ""], target)
            _keep_line(env, comodel, [*line], owner)
    return target


def _keep_line(
    env: Environment, model: Model, cells: list[tuple[Path, Any]], owner: tuple[Path, int]
) -> None:
    record = _Record(0, 0, cells)
    path, parent = owner
    _keep(env.with_context(**{f"default_{path[0]}": parent}), model, record)


def _database_id(env: Environment, model: Model, cell: Any) -> int | None:
    if cell in ("", None, False):
        return None
    text = str(cell)
    if not text.isdecimal():
        raise errors.postgres(
            "InvalidTextRepresentation", f'invalid input syntax for type integer: "{text}"\n'
        )
    if int(text) not in env.rows(model.name):
        raise CellError({"field": ".id", "message": f"Unknown database identifier '{text}'"})
    return int(text)


def split_external(env: Environment, text: str) -> tuple[str, str]:
    """Split an external ID; one without a module gets that of imports."""
    module, dot, name = text.partition(".")
    return (module, name) if dot else (env.context.get("_import_current_module") or _IMPORT, text)


def find_external(env: Environment, model: Model, text: str) -> int | None:
    """Find the record of an external ID.

    Raises:
        user_error: If Odoo refuses it in a person's words.
    """
    module, name = split_external(env, text)
    data = env.table("ir.model.data")
    for known in data.by("name", name):
        row = data.rows[known]
        if row["module"] == module:
            if row["model"] != model.name:
                raise errors.user_error(
                    f"For external id {module}.{name} when trying to create/update a record of model "
                    f"{model.name} found record of different model {row['model']} ({known})"
                )
            return int(row["res_id"])
    return None


def _is_kept(env: Environment, text: str) -> bool:
    """Tell whether what goes under an external ID is left as it is: so marked, and asked for as an update."""
    module, name = split_external(env, text)
    data = env.table("ir.model.data")
    rows = (data.rows[known] for known in data.by("name", name))
    return env.context.get("mode") == "update" and any(r["module"] == module and r["noupdate"] for r in rows)


def _name(env: Environment, model: Model, text: str, record: int) -> None:
    module, name = split_external(env, text)
    values = {"module": module, "name": name, "model": model.name, "res_id": record}
    values["noupdate"] = bool(env.context.get("noupdate"))
    orm.create(env.sudo(), env.registry["ir.model.data"], [values])
