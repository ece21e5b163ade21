"""What older versions of Odoo spell differently."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from isthmus.component import ComponentRegistry, declared_components
from isthmus.env import Field
from isthmus.env.domain import parse
from isthmus.errors import RecordValueError
from isthmus.store.odoo import KNOWN, dialects_of
from isthmus.store.odoo.dialect import Dialect, Spelling, Translation
from isthmus.store.odoo.domain import Terms
from isthmus.store.odoo.values import Values

DAY = datetime(2026, 1, 31, tzinfo=UTC)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

TOLD = {
    "14.0": {
        "id": "integer", "name": "char", "date_deadline": "date", "user_id": "many2one",
        "planned_hours": "float",
    },
    "16.0": {
        "id": "integer", "name": "char", "date_deadline": "date", "user_ids": "many2many",
        "planned_hours": "float",
    },
    "18.0": {
        "id": "integer", "name": "char", "date_deadline": "datetime", "user_ids": "many2many",
        "allocated_hours": "float",
    },
}  # fmt: skip
"""Task fields as the versions tell them."""


@pytest.fixture(scope="module")
def registry() -> ComponentRegistry:
    """The components of the store."""
    return ComponentRegistry.build(declared_components("isthmus.store.odoo"))


def spelling_of(registry: ComponentRegistry, version: str) -> Spelling:
    """Make what the store works with on a server of a version."""
    chain = KNOWN[KNOWN.index(version) :]
    fields = {
        name: Field(name=name, type=kind, relation="res.users" if name.startswith("user") else None)  # type: ignore[arg-type]  # Odoo's words
        for name, kind in TOLD[version].items()
    }
    return Spelling(dialects_of(registry)("project.task", chain), fields)


@pytest.mark.parametrize("version", TOLD)
def test_a_task_has_the_same_fields_in_every_version(registry: ComponentRegistry, version: str) -> None:
    """The names and types are those of the newest that connectors are written for."""
    fields = spelling_of(registry, version).fields

    assert {name: fields[name].type for name in sorted(fields)} == {
        "allocated_hours": "float",
        "date_deadline": "datetime",
        "id": "integer",
        "name": "char",
        "user_ids": "many2many",
    }
    assert fields["user_ids"].relation == "res.users"


@pytest.mark.parametrize(
    ("version", "there"),
    [
        ("14.0", {"date_deadline": "2026-01-31", "user_id": 7, "planned_hours": 2.5}),
        ("16.0", {"date_deadline": "2026-01-31", "user_ids": [[6, 0, [7]]], "planned_hours": 2.5}),
        ("18.0", {"date_deadline": "2026-01-31 15:30:00", "user_ids": [[6, 0, [7]]], "allocated_hours": 2.5}),
    ],
)
def test_values_are_written_in_the_form_of_the_version(
    registry: ComponentRegistry, version: str, there: dict[str, Any]
) -> None:
    """An instant is cut to its day, the first of several users is the one, a field has its old name."""
    values = Values(lambda _: spelling_of(registry, version))

    written = values.there(
        "project.task",
        {
            "date_deadline": datetime(2026, 1, 31, 15, 30, tzinfo=UTC),
            "user_ids": [7],
            "allocated_hours": 2.5,
        },
    )

    assert written == there


@pytest.mark.parametrize(
    ("version", "row", "deadline"),
    [
        ("14.0", {"date_deadline": "2026-01-31", "user_id": 7, "planned_hours": 1.0}, DAY),
        ("14.0", {"date_deadline": False, "user_id": False, "planned_hours": 1.0}, None),
        ("16.0", {"date_deadline": "2026-01-31", "user_ids": [9, 7], "planned_hours": 1.0}, DAY),
        ("18.0", {"date_deadline": "2026-01-31 12:00:00", "user_ids": [9, 7], "allocated_hours": 1.0}, NOON),
    ],
)  # fmt: skip
def test_values_are_read_in_one_form(
    registry: ComponentRegistry, version: str, row: dict[str, Any], deadline: datetime | None
) -> None:
    """A day begins at midnight UTC, a single user is a list of one."""
    read = Values(lambda _: spelling_of(registry, version)).here("project.task", {"id": 1, **row})

    users = [] if not row.get("user_id", True) else [7] if "user_id" in row else [7, 9]
    assert read == {"id": 1, "date_deadline": deadline, "user_ids": users, "allocated_hours": 1.0}


def test_a_domain_and_an_order_are_spelled_as_the_version_has_them(registry: ComponentRegistry) -> None:
    """Names and values of what is compared."""
    terms = Terms(lambda _: spelling_of(registry, "14.0"))
    domain = [("date_deadline", "<", DAY), ("allocated_hours", ">", 2)]

    assert terms.domain("project.task", parse(domain)) == [
        ["date_deadline", "<", "2026-01-31"],
        ["planned_hours", ">", 2],
    ]
    assert terms.order("project.task", "allocated_hours desc") == "planned_hours desc, id asc"


@pytest.mark.parametrize(
    ("operator", "sent"),
    [
        ("<", [["date_deadline", "<=", "2026-01-31"]]),
        ("<=", [["date_deadline", "<=", "2026-01-31"]]),
        (">", [["date_deadline", ">", "2026-01-31"]]),
        (">=", [["date_deadline", ">", "2026-01-31"]]),
        ("=", [["id", "=", 0]]),
        ("!=", []),
    ],
)
def test_days_are_compared_with_an_instant_as_the_midnights_that_are_read(
    registry: ComponentRegistry, operator: str, sent: list[Any]
) -> None:
    """What a search finds is what a comparison of the values would find."""
    terms = Terms(lambda _: spelling_of(registry, "16.0"))

    assert terms.domain("project.task", parse([("date_deadline", operator, NOON)])) == sent


def test_a_command_that_a_single_user_cannot_follow_is_refused(registry: ComponentRegistry) -> None:
    """Taking one of several away would take away whoever it is."""
    values = Values(lambda _: spelling_of(registry, "14.0"))

    with pytest.raises(RecordValueError) as caught:
        values.there("project.task", {"user_ids": [(3, 999)]})

    assert "this version holds one record there" in str(caught.value)


def test_a_pair_that_a_search_gives_is_read_as_the_list_that_it_is_here(
    registry: ComponentRegistry,
) -> None:
    """Old versions give names of related records with some reads and not with others."""
    read = Values(lambda _: spelling_of(registry, "14.0")).here(
        "project.task", {"id": 1, "user_id": [2, "Anybody"]}
    )

    assert read == {"id": 1, "user_ids": [2]}


def test_a_dialect_can_be_extended_by_a_plugin() -> None:
    """Like any component: by its name, for its version and model."""
    added = Translation(name="points", there="x_points", type="integer")

    class More(Dialect):
        _inherit = "project.task.dialect.17"

        translations = (added,)

    registry = ComponentRegistry.build([*declared_components("isthmus.store.odoo"), More])

    assert dialects_of(registry)("project.task", ("18.0", "17.0", "16.0")) == (added,)
    assert len(dialects_of(registry)("project.task", ("16.0", "15.0", "14.0"))) == 2
    assert dialects_of(registry)("res.partner", ("18.0", "17.0")) == ()


def test_a_day_that_is_no_day_is_left_alone() -> None:
    """What cannot be translated is the check's matter, not the dialect's."""
    spelling = Spelling(
        [Translation(name="a", there="b", type="char", back=str.upper)], {"b": Field(name="b", type="char")}
    )

    word = spelling.words["a"]
    assert spelling.heard == {"b": word}
    assert (spelling.there("a"), word.field.name, word.told.name, word.back("x")) == ("b", "a", "b", "X")
    assert word.here(date(2026, 1, 31)) == date(2026, 1, 31)
