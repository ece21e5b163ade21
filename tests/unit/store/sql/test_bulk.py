"""Rows in bulk: each database gets what SQLAlchemy would have given it row by row."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    select,
    update,
)

from isthmus.store.sql import DATA_ERRORS, Json, UtcDateTime, among, given, insert_rows, new_token
from isthmus.store.sql.bulk import each

OWN = ("name", "amount", "ratio", "done", "body")
ROWS: list[tuple[Any, ...]] = [
    ("plain", 1, 0.5, True, {"a": [1, {"b": None}], "when": "2026-01-02T03:04:05+00:00"}),
    ('it\'s "quoted" \\ %s :x ?', -(2**31), -1e300, False, {"'": 'é \U0001f600 " \\ \n', "n": 2**53}),
    ("", 0, 0.0, None, {}),
    (None, None, None, None, None),
    ("\U0001f600\t\n", 2**31 - 1, 1e-300, True, {"nul": "a\\u0000b"}),
]
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5)))


@pytest.fixture
def table(engine: Engine) -> Table:
    """A table with a column of each type that ours have."""
    made = Table(
        "bulk_test", MetaData(),
        Column("id", Integer, primary_key=True), Column("name", String), Column("amount", Integer),
        Column("ratio", Float), Column("done", Boolean), Column("body", Json), Column("at", UtcDateTime()),
        Column("kind", String, nullable=False),
    )  # fmt: skip
    made.create(engine)
    return made


def contents(connection: Connection, table: Table) -> list[tuple[Any, ...]]:
    """Read all rows but their keys."""
    return [tuple(row[1:]) for row in connection.execute(select(table).order_by(table.c.id))]


def test_what_is_inserted_is_read_again(engine: Engine, table: Table) -> None:
    """Values of each type, and the instant that all have, in UTC."""
    with engine.begin() as connection:
        insert_rows(connection, table, OWN, ROWS, {"at": AT, "kind": "same"})

        assert contents(connection, table) == [(*row, AT.astimezone(UTC), "same") for row in ROWS]


def test_a_default_that_only_python_knows_is_made_for_each_row(engine: Engine) -> None:
    """Bindings of a plugin may have columns of their own."""
    theirs = Table(
        "bulk_default", MetaData(),
        Column("id", Integer, primary_key=True), Column("name", String),
        Column("token", String, default=new_token), Column("body", Json), Column("at", UtcDateTime()),
    )  # fmt: skip
    theirs.create(engine)
    with engine.begin() as connection:
        insert_rows(connection, theirs, ("name", "body"), [("a", {"x": 1}), ("b", None)], {"at": AT})
        rows = contents(connection, theirs)

    assert [(name, body, at) for name, _, body, at in rows] == [
        ("a", {"x": 1}, AT.astimezone(UTC)),
        ("b", None, AT.astimezone(UTC)),
    ]
    assert len({token for _, token, _, _ in rows if token}) == 2


def test_given_rows_are_a_table_for_an_update(engine: Engine, table: Table) -> None:
    """Each row gets its own values, types and all; rows that are not given stay."""
    with engine.begin() as connection:
        blank = [{"id": number, "kind": "before"} for number in range(1, len(ROWS) + 2)]
        connection.execute(insert(table), blank)
        rows = [(number, *row) for number, row in enumerate(ROWS, 1)]
        new = given(engine.dialect, table, ("id", *OWN), rows)
        connection.execute(
            update(table)
            .where(table.c.id == new.c.id)
            .values({table.c[name]: new.c[name] for name in OWN})
            .values(kind=table.c.kind + "!")
        )

        assert contents(connection, table) == [
            *((*row, None, "before!") for row in ROWS),
            (None, None, None, None, None, None, "before"),
        ]


@pytest.mark.parametrize("text", ["a\0b", "\ud83d", "\\\0"])
def test_a_text_that_no_database_can_hold_is_refused_and_found_nowhere(
    engine: Engine, table: Table, text: str
) -> None:
    """SQLite would keep the part before the NUL, and another record could have that."""
    with engine.begin() as connection:
        insert_rows(connection, table, ("name",), [("a",), ("\\",)], {"kind": "same"})

    def rename(connection: Connection) -> None:
        new = given(engine.dialect, table, ("id", "name"), [(1, text)])
        connection.execute(update(table).where(table.c.id == new.c.id).values(name=new.c.name))

    def read(connection: Connection) -> None:
        connection.scalars(select(each(engine.dialect, [text], String()).c.value)).all()

    for step in (rename, read):
        with engine.begin() as connection, pytest.raises(DATA_ERRORS), connection.begin_nested():
            step(connection)
    with engine.begin() as connection:
        found = connection.scalars(select(table.c.name).where(among(engine.dialect, table.c.name, [text])))
        assert found.all() == []
        assert [row[0] for row in contents(connection, table)] == ["a", "\\"]


@pytest.mark.parametrize(
    ("column", "keys", "found"),
    [
        ("name", ["plain", 'it\'s "quoted" \\ %s :x ?', "nobody"], 2),
        ("name", ["\U0001f600\t\n", ""], 2),
        ("amount", [1, -(2**31), 2**31 - 1, 5], 3),
        ("amount", [], 0),
    ],
)
def test_rows_are_found_among_many_keys(
    engine: Engine, table: Table, column: str, keys: list[Any], found: int
) -> None:
    """Text and numbers, also none at all."""
    with engine.begin() as connection:
        insert_rows(connection, table, OWN, ROWS, {"at": AT, "kind": "same"})

        statement = select(table.c.id).where(among(engine.dialect, table.c[column], keys))
        assert len(connection.scalars(statement).all()) == found


def test_many_keys_are_one_parameter(engine: Engine, table: Table) -> None:
    """More than a statement may have parameters."""
    keys = [f"key {number}" for number in range(70_000)]
    with engine.begin() as connection:
        insert_rows(connection, table, ("name",), [(key,) for key in keys[::2]], {"kind": "same"})

        statement = select(table.c.name).where(among(engine.dialect, table.c.name, keys))
        assert set(connection.scalars(statement)) == set(keys[::2])


def test_values_come_as_a_table_in_their_order(engine: Engine) -> None:
    """So that rows are claimed in the order of their keys by everybody."""
    values = ["b", "a", "%", "'"]
    with engine.begin() as connection:
        assert connection.scalars(select(each(engine.dialect, values, String()).c.value)).all() == values
