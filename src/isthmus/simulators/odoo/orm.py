"""Create, write, unlink and search: what every model does with its rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isthmus.simulators.odoo import access, errors
from isthmus.simulators.odoo.commands import Records, apply_commands
from isthmus.simulators.odoo.conditions import with_active
from isthmus.simulators.odoo.domain_syntax import Junction, Leaf, Node, parse
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Field, Row, stored_value
from isthmus.simulators.odoo.model import Model
from isthmus.simulators.odoo.order import in_order
from isthmus.simulators.odoo.tables import Action, Change


class _Records:
    """What commands may call here."""

    def create(self, env: Environment, model: Model, many: Sequence[Any]) -> list[int]:
        return create(env, model, many)

    def write(self, env: Environment, model: Model, ids: Sequence[int], given: Any) -> bool:
        return write(env, model, ids, given)

    def unlink(self, env: Environment, model: Model, ids: Sequence[int]) -> bool:
        return unlink(env, model, ids)


_RECORDS: Records = _Records()


# -- search --------------------------------------------------------------------------


def search(
    env: Environment,
    model: Model,
    domain: Any,
    *,
    offset: Any = 0,
    limit: Any = None,
    order: str | None = None,
) -> list[Row]:
    """Find the rows that a person may see.

    Raises:
        postgres: An error of the database.
    """
    access.check_rights(env, model, "read")
    found = in_order(env, model, _matching(env, model, domain), order)
    start = int(offset or 0)
    size = int(limit) if limit else None
    if size is not None and size < 0:
        raise errors.postgres("InvalidRowCountInLimitClause", "LIMIT must not be negative\n")
    return found[start : None if size is None else start + size]


def count(env: Environment, model: Model, domain: Any, limit: Any = None) -> int:
    """Count what a search would find."""
    access.check_rights(env, model, "read")
    number = len(_matching(env, model, domain))
    return min(number, int(limit)) if limit else number


def _matching(env: Environment, model: Model, domain: Any) -> list[Row]:
    node = parse(domain, env.release)
    test = with_active(env, model, node, archived=not env.active_test)
    rows = env.rows(model.name)
    some = _candidates(env, model, node)
    pool: Iterable[Row] = rows.values() if some is None else [rows[i] for i in some if i in rows]
    found = [row for row in pool if test(row)]
    rule = None if env.su else model.rule(env, "read")
    return found if rule is None else [row for row in found if rule(row)]


def _candidates(env: Environment, model: Model, node: Node) -> set[int] | None:
    """Narrow by what an index knows; None is everything."""
    if isinstance(node, Junction) and node.operator == "&":
        first, second = _candidates(env, model, node.first), _candidates(env, model, node.second)
        if first is None or second is None:
            return second if first is None else first
        return first & second
    if not isinstance(node, Leaf) or node.operator not in {"=", "in"}:
        return None
    given = node.right if isinstance(node.right, (list, tuple, set)) else [node.right]
    if not all(isinstance(i, int) and not isinstance(i, bool) for i in given):
        return None
    if node.left == "id":
        return set(given)
    if node.left in env.table(model.name).indexes:
        return {row for value in given for row in env.table(model.name).by(node.left, value)}
    return None


# -- create --------------------------------------------------------------------------


def create(env: Environment, model: Model, many: Sequence[Any]) -> list[int]:
    """Create records, in order."""
    access.check_rights(env, model, "create")
    made = [_create_one(env, model, values) for values in many]
    model.after_create(env, made)
    rows = env.rows(model.name)
    access.check_rules(env, model, "create", (rows[i] for i in made if i in rows))
    return made


def _create_one(env: Environment, model: Model, given: Any) -> int:
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise errors.builtin("AttributeError", f"'{kind}' object has no attribute 'get'")
    values = _known(model, given, creating=True)
    values = model.before_create(env, defaults(env, model, values) | values)
    table = env.table(model.name)
    record = table.next_id()
    columns, lists = _parted(model, values)
    row: Row = {"id": record, **columns}
    if model.logged:
        row["create_uid"] = row["write_uid"] = env.uid
        row["create_date"] = row["write_date"] = env.transaction.start
    model.complete(env, row, values)
    _check_columns(env, model, row, model.fields)
    env.database.put(env.transaction, model.name, record, row)
    for field, value in lists:
        apply_commands(env, model, record, field, value, _RECORDS)
    model.check(env, table.rows[record], values)
    _note(env, model, record, "create", values)
    return record


def defaults(env: Environment, model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the fields have that were not given."""
    found = {name: env.defaults[name] for name in env.defaults if name in model.fields and name not in given}
    for field in model.defaulted:
        if field.name not in given and field.name not in found:
            default = field.default
            found[field.name] = default(env) if callable(default) else default
    return found


def _unknown_field(model: Model, name: str, *, creating: bool) -> errors.OdooError:
    if model.release.major < 19:
        return errors.unknown_field(name, model.name)
    # Recorded: 19.0 names the field only, when it is written.
    return errors.unknown_field(name, model.name, "in") if creating else errors.builtin("KeyError", name)


def _known(model: Model, given: Mapping[str, Any], *, creating: bool) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in model.writable:
            values[name] = value
        elif name not in model.fields:
            raise _unknown_field(model, name, creating=creating)
    return values


def _parted(model: Model, values: Mapping[str, Any]) -> tuple[Row, list[tuple[Field, Any]]]:
    """Part values into what the row keeps and what changes lists."""
    columns: Row = {}
    lists: list[tuple[Field, Any]] = []
    for name, value in values.items():
        field = model.fields[name]
        if field.column:
            columns[name] = stored_value(model.name, field, value)
        elif field.many:
            lists.append((field, value))
    return columns, lists


def _check_columns(env: Environment, model: Model, row: Row, names: Iterable[str]) -> None:
    for field in model.mandatory:
        if row.get(field.name) is None and field.name in names:
            raise errors.not_null(model.label, model.name, field.string, field.name, env.release.major)
    for field in model.references:
        other = row.get(field.name)
        if other is None or field.name not in names or field.relation not in env.registry:
            continue
        if other not in env.rows(field.relation or ""):
            raise _foreign_key(model, field)


def _foreign_key(model: Model, field: Field) -> errors.OdooError:
    if model.release.major >= 19:
        return errors.foreign_key_19(model.label, model.name, field.string, field.name)
    constraint = f"{model.table}_{field.name}_fkey"
    return errors.foreign_key(model.label, model.name, constraint, model.release.major)


# -- write ---------------------------------------------------------------------------


def write(env: Environment, model: Model, ids: Sequence[int], given: Mapping[str, Any]) -> bool:
    """Give many records the same values."""
    access.check_rights(env, model, "write")
    rows = access.existing(env, model, ids)
    access.check_rules(env, model, "write", rows)
    wanted = _known(model, given, creating=False)
    if not given:
        return True
    values = model.before_write(env, rows, wanted)
    columns, lists = _parted(model, values)
    if model.logged:
        columns |= {"write_uid": env.uid, "write_date": env.transaction.start}
    for record in ids:
        row = env.rows(model.name)[record] | columns
        model.complete(env, row, values)
        _check_columns(env, model, row, columns)
        env.database.put(env.transaction, model.name, record, row)
        for field, value in lists:
            apply_commands(env, model, record, field, value, _RECORDS)
        model.check(env, row, values)
        _note(env, model, record, "write", values)
    # Odoo does not ask the rules again: one may write a record out of one's own sight.
    model.after_write(env, ids, values)
    return True


def _note(env: Environment, model: Model, record: int, action: Action, names: Iterable[str]) -> None:
    row = env.rows(model.name)[record]
    env.transaction.note(Change(model.name, record, action, frozenset(names), env.uid, row))


# -- unlink --------------------------------------------------------------------------


def unlink(env: Environment, model: Model, ids: Sequence[int]) -> bool:
    """Delete records, and what cannot be without them."""
    access.check_rights(env, model, "unlink")
    rows = access.existing(env, model, ids)
    access.check_rules(env, model, "unlink", rows)
    model.before_unlink(env, ids)
    for record in dict.fromkeys(ids):
        _remove(env, model, record)
    return True


def _remove(env: Environment, model: Model, record: int) -> None:
    row = env.rows(model.name).get(record)
    if row is None:
        return
    _note(env, model, record, "unlink", ())
    for other, field in referring(env, model.name):
        for holder in env.table(other.name).by(field.name, record):
            _release(env, other, field, holder)
    for linked in model.fields.values():
        if linked.link:
            for partner in env.related(linked, record):
                pair = (partner, record) if linked.flipped else (record, partner)
                env.database.link(env.transaction, linked.link, *pair, add=False)
    env.database.put(env.transaction, model.name, record, None)
    data = env.table("ir.model.data")
    for known in data.by("res_id", record):
        if data.rows[known]["model"] == model.name:
            env.database.put(env.transaction, "ir.model.data", known, None)


def _release(env: Environment, model: Model, field: Field, holder: int) -> None:
    if field.on_delete == "cascade":
        _remove(env, model, holder)
    elif field.on_delete == "restrict":
        raise _foreign_key(model, field)
    else:
        # The database does this, so the holder's write_date stays.
        row = env.rows(model.name)[holder] | {field.name: None}
        env.database.put(env.transaction, model.name, holder, row)


def referring(env: Environment, name: str) -> list[tuple[Model, Field]]:
    """List the columns that point to a model."""
    return [
        (other, field)
        for other in env.registry.values()
        for field in other.columns
        if field.relation == name and field.name in env.table(other.name).indexes
    ]
