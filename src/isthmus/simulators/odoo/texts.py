"""What `load` makes of one cell."""

from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from functools import partial
from typing import Any

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.conditions import named
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.external import find_external, split_external
from isthmus.simulators.odoo.fields import Field, to_date, to_datetime, written
from isthmus.simulators.odoo.model import Model

Reader = Callable[[Any], Any]

_TRUE = frozenset({"1", "true", "yes"})
_FALSE = frozenset({"", "0", "false", "no"})


class CellError(Exception):
    """A cell that cannot be read: what `load` says of it in its messages."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told["message"])
        self.told = told


class RowError(Exception):
    """All that is wrong with the cells of a record."""

    def __init__(self, errors: list[CellError]) -> None:
        super().__init__(f"{len(errors)} cells cannot be read")
        self.errors = errors


def reader(env: Environment, field: Field, path: Sequence[str]) -> Reader:
    """Make what turns the cells of a column into what create and write take; not for empty ones."""
    how = path[0] if path else ""
    if field.type == "many2one":
        return lambda cell: _record(env, field, how, cell)
    if field.many:
        return lambda cell: [
            [6, 0, [_record(env, field, how, part.strip()) for part in str(cell).split(",")]]
        ]
    convert = _CONVERT.get(field.type)
    return partial(convert, env, field) if convert else _as_it_is


def _as_it_is(cell: Any) -> Any:
    return cell


def _refuse(field: Field, message: str, moreinfo: Any = None) -> CellError:
    told: dict[str, Any] = {"field": field.name, "message": message}
    if moreinfo is not None:
        told["moreinfo"] = moreinfo
    return CellError(told | {"field_name": field.string})


def _boolean(env: Environment, field: Field, cell: Any) -> bool:  # noqa: ARG001
    if not isinstance(cell, str):
        raise errors.builtin("AttributeError", f"'{type(cell).__name__}' object has no attribute 'lower'")
    if cell.lower() in _TRUE:
        return True
    if cell.lower() in _FALSE:
        return False
    raise _refuse(
        field, f"Unknown value '{cell}' for boolean field '{field.string}'", "Use '1' for yes and '0' for no"
    )


def _integer(env: Environment, field: Field, cell: Any) -> int:  # noqa: ARG001
    try:
        return int(cell)
    except ValueError as error:
        raise _refuse(field, f"'{cell}' does not seem to be an integer for field '{field.string}'") from error


def _float(env: Environment, field: Field, cell: Any) -> float:  # noqa: ARG001
    try:
        return float(cell)
    except ValueError as error:
        raise _refuse(field, f"'{cell}' does not seem to be a number for field '{field.string}'") from error


def _date(env: Environment, field: Field, cell: Any) -> str:  # noqa: ARG001
    try:
        return to_date(cell).isoformat()
    except ValueError as error:
        raise _refuse(
            field,
            f"'{cell}' does not seem to be a valid date for field '{field.string}'",
            "Use the format '2012-12-31'",
        ) from error


def _datetime(env: Environment, field: Field, cell: Any) -> str:
    try:
        moment = to_datetime(cell)
    except ValueError as error:
        raise _refuse(
            field,
            f"'{cell}' does not seem to be a valid datetime for field '{field.string}'",
            "Use the format '2012-12-31 23:59:59'",
        ) from error
    # What is imported is in the person's zone; what is kept is UTC.
    zone = env.timezone or UTC
    # An hour that comes twice, or never, is read in standard time.
    offsets = [zone.utcoffset(moment.replace(fold=fold)) or timedelta(0) for fold in (0, 1)]
    return written(moment - min(offsets))


def _selection(env: Environment, field: Field, cell: Any) -> str:  # noqa: ARG001
    wanted = str(cell).lower()
    for key, label in field.selection:
        if wanted in {key.lower(), label.lower()}:
            return key
    if not field.selection:
        return str(cell)
    raise _refuse(
        field,
        f"Value '{cell}' not found in selection field '{field.string}'",
        [label for _, label in field.selection],
    )


_CONVERT: dict[str, Callable[[Environment, Field, Any], Any]] = {
    "boolean": _boolean,
    "integer": _integer,
    "float": _float,
    "monetary": _float,
    "date": _date,
    "datetime": _datetime,
    "selection": _selection,
}


def _record(env: Environment, field: Field, how: str, cell: Any) -> int:
    comodel: Model = env.registry[field.relation or ""]
    if how == ".id":
        text = str(cell)
        if not text.isdecimal():
            raise _refuse(
                field,
                f"Invalid database id '{cell}' for the field '{field.string}'",
                _values(comodel, data=True),
            )
        number = int(text)
        found, kind = (number if number in env.rows(comodel.name) else None), "database id"
    elif how == "id":
        found, kind = _external(env, field, comodel, str(cell)), "external id"
    else:
        found, kind = min(named(env, comodel, str(cell), "="), default=None), "name"
    if found is None:
        raise _refuse(
            field,
            f"No matching record found for {kind} '{cell}' in field '{field.string}'",
            _values(comodel, data=kind != "name"),
        )
    return found


def _external(env: Environment, field: Field, comodel: Model, text: str) -> int | None:
    row = find_external(env, *split_external(env, text))
    if row is None:
        return None
    if row["model"] != comodel.name:
        wrong = f"expected model '{comodel.name}', found '{row['model']}'"
        raise CellError({"field": field.name, "message": f"Invalid external ID {text}: {wrong}"})
    return int(row["res_id"])


def _values(comodel: Model, *, data: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": "Possible Values",
        "type": "ir.actions.act_window",
        "target": "new",
        "view_mode": "list,form" if comodel.release.major >= 18 else "tree,form",
        "views": [[False, "list"], [False, "form"]],
        "context": {"create": False},
        "help": "See all possible values",
        "res_model": "ir.model.data" if data else comodel.name,
    }
    return shown | ({"domain": [["model", "=", comodel.name]]} if data else {})
