"""kill -9 around every call of an export: each partner is there once, and bound."""

import random
from datetime import timedelta
from pathlib import Path

import pytest
from odoo_site import OdooSite

from isthmus.testing.crash import ANSWER, REQUEST, SENT, Crashed, run_in_child

_PROGRAM = Path(__file__).with_name("odoo_crash.py")


def export(site: OdooSite, *, crash_at: int | None = None) -> list[str]:
    """Run the jobs in a process of its own."""
    arguments = (
        site.settings.database_url.get_secret_value(), str(site.settings.key_file), site.clock.now(),
    )  # fmt: skip
    try:
        points: list[str] = run_in_child(_PROGRAM, "export", *arguments, crash_at=crash_at)
    except Crashed:
        return []
    finally:
        site.odoos["company"].wait_idle()
        site.clock.advance(timedelta(seconds=120))
    return points


def make(site: OdooSite, number: int) -> None:
    """Make a company and its office."""
    parent = site.create(name=f"Ours {number}", is_company=True, country_id=site.country("BE"))
    site.create(name=f"Ours {number} office", parent_id=parent)


def around_calls(site: OdooSite) -> list[int]:
    """Number the points of an export at which a call is about to be made, is made, or is answered."""
    site.connect("company", export_domain={"res.partner": [("name", "like", "Ours")]})
    make(site, 0)
    points = export(site)
    return [number for number, kind in enumerate(points, start=1) if kind in {REQUEST, SENT, ANSWER}]


def kill_at(site: OdooSite, fatal: list[int]) -> None:
    """Kill an export of two new partners at each point, run on, and look at what there is then."""
    died = 0
    for number in fatal:
        make(site, number)
        died += export(site, crash_at=number) == []
        export(site)

    expected = sorted(f"Ours {n}{end}" for n in (0, *fatal) for end in ("", " office"))
    assert died >= len(fatal) * 3 // 4
    assert sorted(p["name"] for p in site.theirs("company", ["name", "like", "Ours"])) == expected
    assert len([b for b in site.bindings() if b["external_id"]]) == len(expected)
    assert site.inbox() == []


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_an_export_that_is_killed_around_a_call_is_completed_without_a_duplicate(site: OdooSite) -> None:
    """
    A seeded choice of points; `make chaos` takes all of them.
    """
    fatal = around_calls(site)

    kill_at(site, sorted(random.Random("odoo").sample(fatal, 8)))


@pytest.mark.chaos
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_an_export_that_is_killed_around_any_call_is_completed_without_a_duplicate(site: OdooSite) -> None:
    """
    Before each request, when it is sent, and when its answer is there.
    """
    fatal = around_calls(site)

    kill_at(site, fatal)
