"""A page of rows by one statement and few parameters: what is done per row is done by the driver.

SQLAlchemy spends longer on the parameters of a statement for many rows than SQLite or PostgreSQL on the rows.
So the rows of a page are one parameter, JSON or an array, that the statement reads as a table; only an
INSERT into SQLite takes them one by one, since its driver repeats a statement in less time than JSON is read.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

from sqlalchemy import JSON, Connection, Dialect, String, Table, any_, column, func, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import StatementError


def is_storable(text: str) -> bool:
    r"""Tell whether both databases can hold a text: no NUL, and no half of a character.

    >>> is_storable("\U0001f600"), is_storable("a\0b"), is_storable("\ud83d")
    (True, False, False)
    """
    return "\0" not in text and (text.isascii() or text.encode(errors="replace").decode() == text)


def among(dialect: Dialect, expression: Any, keys: Sequence[Any]) -> Any:
    """Give the condition that an expression has one of many values; what no database can hold is none."""
    keys = [key for key in keys if not isinstance(key, str) or is_storable(key)]
    if dialect.name == "postgresql":
        return expression == any_(literal(keys, ARRAY(expression.type)))
    return expression.in_(select(each(dialect, keys, expression.type).c.value))


def each(dialect: Dialect, values: Sequence[Any], kind: Any) -> Any:
    """Give values of a type as a table with one column, ``value``."""
    value = column("value", kind)
    if dialect.name == "postgresql":
        return func.unnest(literal(list(values), ARRAY(kind))).table_valued(value).render_derived()
    return func.json_each(literal(_json(list(values)), String)).table_valued(value)


def given(dialect: Dialect, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """Give rows as a table that a statement reads.

    Args:
        dialect: The database's.
        table: Where they belong: it says of what types they are.
        names: Their columns.
        rows: Values that JSON has, of one row at least.
    """
    columns = [table.c[name] for name in names]
    if dialect.name == "postgresql":
        objects = literal([dict(zip(names, row, strict=True)) for row in rows], JSON)
        typed = [column(c.name, c.type) for c in columns]
        return func.json_to_recordset(objects).table_valued(*typed).render_derived(with_types=True)
    text = _json(list(zip(*_bound(dialect, table, names, rows), strict=True)))
    row = func.json_each(literal(text, String)).table_valued("value").c.value
    cells = [func.json_extract(row, f"$[{place}]", type_=c.type) for place, c in enumerate(columns)]
    return select(*(cell.label(c.name) for cell, c in zip(cells, columns, strict=True))).subquery()


def insert_rows(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    same: Mapping[str, Any],
) -> None:
    """Insert rows.

    Args:
        connection: Where; its transaction is the caller's.
        table: The table.
        names: Columns that differ from row to row.
        rows: Their values, such that JSON has, of one row at least.
        same: Values that all rows have.
    """
    dialect = connection.dialect
    if any(c.default is not None and c.name not in same and c.name not in names for c in table.c):
        # A table of somebody else, with defaults that only SQLAlchemy can make.
        connection.execute(insert(table), [{**dict(zip(names, row, strict=True)), **same} for row in rows])
    elif dialect.name == "postgresql":
        new = given(dialect, table, names, rows)
        constant = [literal(value, table.c[name].type) for name, value in same.items()]
        statement = select(*(new.c[name] for name in names), *constant)
        connection.execute(insert(table).from_select([*names, *same], statement, include_defaults=False))
    else:
        columns = _bound(dialect, table, names, rows)
        columns += [repeat(value[0]) for value in _bound(dialect, table, list(same), [list(same.values())])]
        form = dialect.identifier_preparer
        listed = ", ".join(form.format_column(table.c[name]) for name in (*names, *same))
        marks = ", ".join("?" * (len(names) + len(same)))
        text = f"INSERT INTO {form.format_table(table)} ({listed}) VALUES ({marks})"  # noqa: S608 - names
        connection.exec_driver_sql(text, list(zip(*columns, strict=False)))


def _json(rows: list[Any]) -> str:
    """Write rows for SQLite, which reads a text within JSON up to the first NUL.

    Raises:
        StatementError: When a text has one; half of a character is refused by the driver.
    """
    text = json.dumps(rows, ensure_ascii=False)
    if "\\u0000" in text and "\\u0000" in text.replace(r"\\", ""):
        raise StatementError("a NUL character cannot be kept", None, None, ValueError("NUL"))
    return text


def _bound(dialect: Dialect, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Give the columns of rows as the driver takes them."""
    columns: list[Any] = []
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        bind = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        columns.append(values if bind is None else [bind(value) for value in values])
    return columns
