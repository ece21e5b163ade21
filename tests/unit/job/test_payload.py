"""Arguments come back from the database as they went in, or are refused by name."""

import json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.env import ChangedFields, Env
from isthmus.errors import JobArgumentError
from isthmus.job.payload import LARGEST, dump_arguments, dump_result, load_arguments

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.dates()
    | st.times().map(lambda value: value.replace(fold=0))
    | st.timedeltas()
    | st.datetimes(timezones=st.none() | st.just(timezone(timedelta(hours=5, minutes=30)))).map(
        lambda value: value.replace(fold=0)
    )
)
keys = st.text() | st.sampled_from(["$record", "$set", "$dict", "$"]) | st.integers()
hashable = scalars | st.tuples(scalars, scalars)
values = st.recursive(
    scalars | st.sets(hashable) | st.frozensets(hashable),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner),
    max_leaves=12,
)


def there_and_back(value: Any, env: Any = None) -> Any:
    """Store an argument and read it."""
    return load_arguments(dump_arguments("m.f", ["a"], [value], {}), env)[0][0]


@given(values)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    """
    Type and value are kept at any depth, whatever keys a mapping has.
    """
    back = there_and_back(value)

    assert back == value
    assert repr(back) == repr(value) or isinstance(value, (set, frozenset)) or "{" in repr(value)


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        True,
        float("inf"),
        (1, [2, (3,)]),
        {"$record": ["res.partner", "1"]},
        {"$dict": 1, "b": 2},
        {1: "one", (2, 3): b"\x00"},
        "\x00\ud800",
        datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 - a naive one is kept, too
        date(2026, 1, 2),
        time(3, 4),
        Decimal("1.10"),
        UUID(int=7),
        [],
        {},
    ],
)
def test_types_are_kept(value: Any) -> None:
    """
    An integer does not become a float, a tuple no list, and a mapping that looks like ours stays itself.
    """
    back = there_and_back(value)

    assert (type(back), repr(back)) == (type(value), repr(value))


def test_the_order_of_a_mapping_is_kept() -> None:
    """
    Values to write are written in the order in which they were given.
    """
    assert list(there_and_back({"b": 1, "a": 2})) == ["b", "a"]


def test_records_come_back_in_the_env_that_reads(env: Env, notes: Any) -> None:
    """
    A record is stored as model and key; nothing is read.
    """
    note = notes.create({"text": "a"})

    back = there_and_back({"notes": [note]}, env)

    assert back == {"notes": [note]}
    assert back["notes"][0].env is env


def test_changed_fields_of_a_listener_can_be_passed_on() -> None:
    """
    What a listener is told goes along as a plain set of names.
    """
    back = there_and_back(ChangedFields({"name": "old"}))

    assert back == {"name"}
    assert type(back) is frozenset


class Colour(StrEnum):
    """Looks like text."""

    RED = "red"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (object(), "object"),
        ({"a": [1, object()]}, "object is neither .* \\(at rows\\['a'\\]\\[1\\]\\)"),
        ({(1, object()): 1}, "object .* \\(at rows\\{key\\}\\[1\\]\\)"),
        ({Colour.RED}, "Colour"),
        (Colour.RED, "Colour"),
        (len, "builtin_function_or_method"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(value: Any, told: str) -> None:
    """
    The message names the argument, the place in it and the type, never the value.
    """
    with pytest.raises(JobArgumentError, match=rf"argument 'rows' of job m.f cannot be stored: .*{told}"):
        dump_arguments("m.f", [], [], {"rows": value})


def test_a_value_that_contains_itself_is_refused() -> None:
    """
    It has no end.
    """
    loop: list[Any] = []
    loop.append(loop)

    with pytest.raises(JobArgumentError, match="nested too deeply, or contains itself"):
        dump_arguments("m.f", ["a"], [loop], {})


def test_too_much_is_refused_and_the_largest_named() -> None:
    """
    A megabyte belongs into a record.
    """
    with pytest.raises(JobArgumentError, match=r"take 1,000,0\d\d bytes, .* largest is 'b'"):
        dump_arguments("m.f", ["a", "b"], [1, "x" * LARGEST], {})


def test_of_a_result_that_cannot_be_stored_the_type_is_kept() -> None:
    """
    A method that happens to return something odd does not fail for it.
    """
    assert json.loads(dump_result("m.f", object(), 100) or "") == "<builtins.object>"
