"""What is checked and how it is written before anything is sent."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from isthmus.env import Field
from isthmus.env.domain import parse
from isthmus.errors import DomainError, RecordValueError, UnknownFieldError
from isthmus.store.odoo.description import described
from isthmus.store.odoo.dialect import Spelling
from isthmus.store.odoo.domain import Terms
from isthmus.store.odoo.values import Values

FIELDS = [
    Field(name="id", type="integer", readonly=True),
    Field(name="name", type="char", required=True),
    Field(name="note", type="html"),
    Field(name="state", type="selection", selection=("open", "done")),
    Field(name="count", type="integer"),
    Field(name="price", type="monetary"),
    Field(name="active", type="boolean"),
    Field(name="at", type="datetime"),
    Field(name="day", type="date"),
    Field(name="image", type="binary"),
    Field(name="parent_id", type="many2one", relation="doc"),
    Field(name="child_ids", type="one2many", relation="doc"),
    Field(name="tag_ids", type="many2many", relation="doc"),
    Field(name="extra", type="json"),
]
SPELLING = Spelling((), {field.name: field for field in FIELDS})
VALUES = Values(lambda _: SPELLING)
TERMS = Terms(lambda _: SPELLING)


@pytest.mark.parametrize(
    ("name", "value", "wire"),
    [
        ("note", None, False),
        ("note", "<p>x</p>", "<p>x</p>"),
        ("state", "done", "done"),
        ("count", 0, 0),
        ("price", 1, 1.0),
        ("active", False, False),
        ("active", None, False),
        ("at", datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))), "2026-01-31 10:00:00"),
        ("at", "2026-01-31 10:00:00", "2026-01-31 10:00:00"),
        ("day", date(2026, 1, 31), "2026-01-31"),
        ("image", b"abc", "YWJj"),
        ("parent_id", 7, 7),
        ("parent_id", None, False),
        ("tag_ids", [3, 1], [[6, 0, [1, 3]]]),
        ("tag_ids", None, [[6, 0, []]]),
        ("tag_ids", [(4, 1), (3, 2, 0), (5,)], [[4, 1, 0], [3, 2, 0], [5, 0, 0]]),
        ("child_ids", [(0, 0, {"name": "x", "at": None})], [[0, 0, {"name": "x", "at": False}]]),
        ("child_ids", [(1, 5, {"tag_ids": [2]})], [[1, 5, {"tag_ids": [[6, 0, [2]]]}]]),
        ("extra", {"a": [1]}, {"a": [1]}),
    ],
)  # fmt: skip
def test_a_value_is_written_as_odoo_takes_it(name: str, value: Any, wire: Any) -> None:
    """Empty is false, instants are UTC, bytes base64, lists are commands, also within commands."""
    assert VALUES.there("doc", {name: value}) == {name: wire}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("name", None, "missing required value for the field 'name' of doc"),
        ("name", 7, "7 cannot be kept in doc.name (char): text is needed"),
        ("name", "a\x00", "a str of 2 cannot be kept in doc.name (char): a NUL character cannot be stored"),
        ("state", "dome", "'dome' cannot be kept in doc.state (selection): did you mean 'done'?"),
        ("count", "many", "'many' cannot be kept in doc.count (integer)"),
        ("count", 2**31, "it is too large"),
        ("count", True, "a whole number is needed"),
        ("at", datetime(2026, 1, 1), "it has no time zone"),  # noqa: DTZ001 - that is what is tested
        ("at", "tomorrow", "'tomorrow' cannot be kept in doc.at (datetime)"),
        ("parent_id", "x", "a record's key is an integer"),
        ("tag_ids", 5, "a list of keys or commands is needed"),
    ],
)
def test_a_value_that_does_not_fit_is_told_before_anything_is_sent(name: str, value: Any, why: str) -> None:
    """The message names model, field and type."""
    with pytest.raises(RecordValueError) as caught:
        VALUES.there("doc", {name: value})

    assert why in str(caught.value)


def test_an_unknown_field_within_a_command_is_told() -> None:
    """With near names, as anywhere."""
    with pytest.raises(UnknownFieldError) as caught:
        VALUES.there("doc", {"child_ids": [(0, 0, {"nmae": "x"})]})

    assert str(caught.value).startswith("model 'doc' has no field 'nmae'; did you mean 'name'")


def test_a_row_is_read_in_the_form_that_every_store_gives() -> None:
    """False is empty but for booleans; a many2one may come as a pair; lists are in the order of keys."""
    row = {
        "id": 1, "name": "x", "note": False, "state": False, "count": 0, "price": 2.5, "active": False,
        "at": "2026-01-31 10:00:00", "day": "2026-01-31", "image": "YWJj", "parent_id": [7, "Seven"],
        "child_ids": [], "tag_ids": [3, 1], "extra": False,
    }  # fmt: skip

    assert VALUES.here("doc", row) == {
        "id": 1, "name": "x", "note": None, "state": None, "count": 0, "price": 2.5, "active": False,
        "at": datetime(2026, 1, 31, 10, tzinfo=UTC), "day": date(2026, 1, 31), "image": b"abc",
        "parent_id": 7, "child_ids": [], "tag_ids": [1, 3], "extra": None,
    }  # fmt: skip


@pytest.mark.parametrize("year", ["2", "24", "999", "0024"])
def test_a_year_without_its_leading_zeros_is_read(year: str) -> None:
    """So Odoo spells it on Linux; where a person mistypes a year there is one."""
    row = VALUES.here("doc", {"id": 1, "at": f"{year}-05-01 12:00:00", "day": f"{year}-05-01"})

    assert row == {
        "id": 1, "at": datetime(int(year), 5, 1, 12, tzinfo=UTC), "day": date(int(year), 5, 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("at", "2026-01-31"), ("at", "2026-01-31 12:00"), ("at", "26-01-31 12:00:00.5"), ("at", 7),
        ("at", ""), ("at", "2026-01-31 12:00:00+00:00"), ("day", "26-1-31"), ("day", 7), ("day", ""),
    ],
)  # fmt: skip
def test_what_is_no_instant_and_no_day_is_told(name: str, told: Any) -> None:
    """With the field."""
    with pytest.raises(RecordValueError, match=f"for field '{name}'"):
        VALUES.here("doc", {"id": 1, name: told})


@pytest.mark.parametrize(
    ("domain", "sent"),
    [
        ([("parent_id", "in", [3, False])], ["|", ["parent_id", "in", [3]], ["parent_id", "=", False]]),
        ([("tag_ids", "not in", [3, None])], [["tag_ids", "not in", [3]], ["tag_ids", "!=", False]]),
        ([("active", "in", [True, False])], [["active", "in", [True, False]]]),
        ([("parent_id.parent_id.name", "ilike", "x")], [["parent_id.parent_id.name", "ilike", "x"]]),
        ([("name", "ilike", False)], [["name", "ilike", ""]]),
        ([("count", "=", 2**70)], [["count", "=", 2**31 - 1]]),
        ([("at", "<", datetime(2026, 1, 31, 10, tzinfo=UTC))], [["at", "<", "2026-01-31 10:00:00"]]),
        (["!", ("name", "=?", None)], ["!", ["name", "=?", False]]),
        (["!", ("at", ">", "2026-01-31")], ["|", ["at", "<=", "2026-01-31 00:00:00"], ["at", "=", False]]),
        (["!", ("count", "<", 5)], ["!", ["count", "<", 5]]),
        ([("count", "in", [7, None])], [["count", "in", [7]]]),
    ],
)
def test_a_domain_is_sent_so_that_every_version_understands_it(domain: list[Any], sent: list[Any]) -> None:
    """An empty value in a list is a condition of its own: Odoo 18 forgets it in lists of an x2many."""
    assert TERMS.domain("doc", parse(domain)) == sent


@pytest.mark.parametrize(
    ("leaf", "why"),
    [
        (("count", "ilike", "1"), "operator 'ilike' does not fit doc.count (integer)"),
        (("name", "ilike", 7), "operator 'ilike' for doc.name needs text, not 7"),
        (("tag_ids", ">", 1), "operator '>' does not fit the list doc.tag_ids"),
        (("at", ">", "soon"), "doc.at (datetime) cannot be compared with 'soon'"),
        (("name.x", "=", 1), "doc.name is no relation"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_told_before_anything_is_sent(leaf: Any, why: str) -> None:
    """And not answered by an error of the server's database."""
    with pytest.raises(DomainError) as caught:
        TERMS.domain("doc", parse([leaf]))

    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"type": "many2one", "relation": "res.partner"}, ("many2one", "res.partner")),
        ({"type": "many2one_reference", "relation": "x"}, ("integer", None)),
        ({"type": "reference"}, ("char", None)),
        ({"type": "properties"}, ("json", None)),
        ({"type": "something new"}, ("json", None)),
    ],
)
def test_odoo_s_types_have_a_word_here(told: dict[str, Any], expected: tuple[str, str | None]) -> None:
    """Also those that no version has yet."""
    field = described("x", told)

    assert (field.type, field.relation) == expected
