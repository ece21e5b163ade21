"""The page on the Odoo simulator is made from its tables."""

import re
from pathlib import Path

from isthmus.simulators.odoo.faults import Kind
from isthmus.simulators.odoo.routes import FAILURES, NOTES, ROUTES, Route

PAGE = (Path(__file__).parents[2] / "docs/reference/odoo-simulator.md").read_text()


def versions(route: Route) -> str:
    """Say which versions have a route."""
    if route.since:
        return f"{route.since} and later"
    return f"until {route.until}" if route.until < 99 else "all"


def test_every_route_is_on_the_page_with_how_sure_we_are() -> None:
    """
    A reader sees what was compared with a real server and what was not.
    """
    rows = [f"| `{r.name}` | {r.what} | {versions(r)} | {r.source} |" for r in ROUTES]

    assert "\n".join(rows) in PAGE


def test_every_refusal_is_on_the_page_in_both_protocols() -> None:
    """
    With its status and name.
    """
    rows = [f"| {f.when} | {f.jsonrpc} | {f.json2} | {f.source} |" for f in FAILURES]

    assert "\n".join(rows) in PAGE


def test_the_notes_are_on_the_page() -> None:
    """
    What the tables cannot say.
    """
    assert " ".join(NOTES.split()) in " ".join(PAGE.split())


def test_every_kind_of_fault_is_on_the_page() -> None:
    """
    In the order of the code.
    """
    table = PAGE.partition("| kind | what happens |")[2].partition("\n\n")[0]

    assert re.findall(r"(?m)^\| `(.+?)` \|", table) == list(Kind)
