"""`load`: rows of text, external IDs, all or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from isthmus.simulators.odoo import errors, orm
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.external import find_external, split_external
from isthmus.simulators.odoo.fields import Row
from isthmus.simulators.odoo.model import Model
from isthmus.simulators.odoo.tables import savepoint
from isthmus.simulators.odoo.texts import CellError, Reader, RowError, reader

Path = list[str]


@dataclass(slots=True)
class _Column:
    """A column of the file: the field it is for, and what reads its cells or is its column in a list."""

    name: str
    read: Reader
    inner: "_Column | None" = None


Cells = list[tuple[_Column, Any]]


@dataclass(slots=True)
class _Record:
    """A record of the file: the rows that it is made of, and its cells."""

    first: int
    last: int
    cells: Cells
    lines: dict[str, list[Cells]] = dataclass_field(default_factory=dict)


def load(env: Environment, model: Model, fields: Sequence[str], data: Sequence[Sequence[Any]]) -> Any:
    """Create and update records, all or none.

    Raises:
        OdooError: If there is no such field; what is wrong with a record is in the answer's messages.
    """
    paths = [_path(name) for name in fields]
    for path in paths:
        _check_path(env, model, path)
    env = env.with_context(import_file=True)
    mark = savepoint(env.transaction)
    changes = dict(env.transaction.changes)
    messages: list[dict[str, Any]] = []
    ids: list[int] = []
    columns = [_column(env, model, path) for path in paths]
    for number, record in enumerate(_records(columns, data)):
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


def _column(env: Environment, model: Model, path: Path) -> _Column:
    name, *rest = path
    if name == "id":
        return _Column(name, lambda cell: str(cell or ""))
    if name == ".id":
        return _Column(name, lambda cell: _database_id(env, model, cell))
    field = model.fields[name]
    below = rest and field.type == "one2many"
    inner = _column(env, env.registry[field.relation or ""], rest) if below else None
    return _Column(name, reader(env, field, rest), inner)


def _records(columns: list[_Column], data: Sequence[Sequence[Any]]) -> Iterable[_Record]:
    lists = {column.name for column in columns if column.inner}
    record: _Record | None = None
    for number, row in enumerate(data):
        cells = list(zip(columns, row, strict=False))
        own = [(column, cell) for column, cell in cells if column.name not in lists] if lists else cells
        if record is None or not lists or any(cell not in ("", None, False) for _, cell in own):
            if record is not None:
                yield record
            record = _Record(number, number, own)
        record.last = number
        for name in lists:
            line = [(column.inner, cell) for column, cell in cells if column.inner and column.name == name]
            if any(cell not in ("", None, False) for _, cell in line):
                record.lines.setdefault(name, []).append(line)
    if record is not None:
        yield record


def _keep(env: Environment, model: Model, record: _Record) -> int:
    values: dict[str, Any] = {}
    refused: list[CellError] = []
    for column, cell in record.cells:
        try:
            empty = cell is None or cell is False or cell == ""
            values[column.name] = False if empty else column.read(cell)
        except CellError as error:
            refused.append(error)
    if refused:
        raise RowError(refused)
    external, database_id = values.pop("id", ""), values.pop(".id", None)
    known = _known(env, model, external) if external else None
    target = database_id or (known and int(known["res_id"]))
    if known and not database_id and known.get("noupdate") and env.context.get("mode") == "update":
        return int(known["res_id"])
    if target:
        orm.write(env, model, [target], values)
    else:
        target = orm.create(env, model, [values])[0]
    if external and known is None:
        _name(env, model, external, target)
    for name, lines in record.lines.items():
        field = model.fields[name]
        comodel: Model = env.registry[field.relation or ""]
        inside = env.with_context(**{f"default_{field.inverse}": target})
        for line in lines:
            _keep(inside, comodel, _Record(0, 0, line))
    return target


def _database_id(env: Environment, model: Model, cell: Any) -> int:
    text = str(cell)
    if not text.isdecimal():
        raise errors.postgres(
            "InvalidTextRepresentation", f'invalid input syntax for type integer: "{text}"\n'
        )
    if int(text) not in env.rows(model.name):
        raise CellError({"field": ".id", "message": f"Unknown database identifier '{text}'"})
    return int(text)


def _known(env: Environment, model: Model, text: str) -> Row | None:
    """Find what is kept of the external ID of a record.

    Raises:
        user_error: If it is that of another model's record.
    """
    module, name = split_external(env, text)
    row = find_external(env, module, name)
    if row is not None and row["model"] != model.name:
        raise errors.user_error(
            f"For external id {module}.{name} when trying to create/update a record of model "
            f"{model.name} found record of different model {row['model']} ({row['id']})"
        )
    return row


def _name(env: Environment, model: Model, text: str, record: int) -> None:
    module, name = split_external(env, text)
    values = {"module": module, "name": name, "model": model.name, "res_id": record}
    values["noupdate"] = bool(env.context.get("noupdate"))
    orm.create(env.sudo(), env.registry["ir.model.data"], [values])
