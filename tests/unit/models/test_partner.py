"""Partners and countries in the hub's own database."""

from pathlib import Path

import pytest

from isthmus.hub import Hub
from isthmus.settings import Settings


@pytest.fixture
def hub(database_url: str, tmp_path: Path):
    """A hub with the group of partners and no connector."""
    settings = Settings(database_url=database_url, key_file=tmp_path / "key", plugins=(), models=("partner",))
    with Hub(settings) as made:
        made.upgrade()
        yield made


def test_the_countries_are_there_from_the_beginning(hub: Hub) -> None:
    """
    By their codes, each once, with a name.
    """
    with hub.env(readonly=True) as env:
        found = env["res.country"].search([])
        rows = env["res.country"].read([r.id for r in found], ["code", "name"])

    names = {row["code"]: row["name"] for row in rows}
    assert (names["BE"], names["GB"], names["XK"]) == ("Belgium", "United Kingdom", "Kosovo")
    assert len(names) == len(rows) == 250
    assert all(len(code) == 2 and code.isupper() and name for code, name in names.items())


def test_a_partner_belongs_to_a_company_in_a_country(hub: Hub) -> None:
    """
    Relations are records; archived ones are left out unless asked for.
    """
    with hub.env() as env:
        switzerland = env["res.country"].search([("code", "=", "CH")])[0]
        company = env["res.partner"].create({
            "name": "Acme",
            "is_company": True,
            "country_id": switzerland.id,
        })
        env["res.partner"].create([
            {"name": "Robin", "parent_id": company.id},
            {"name": "Alex", "parent_id": company.id, "active": False},
        ])
        people = env["res.partner"].search([("parent_id.country_id.code", "=", "CH")])

        assert [p.name for p in people] == ["Robin"]
        assert people[0].parent_id.country_id.name == "Switzerland"
