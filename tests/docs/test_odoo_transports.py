"""The page on speaking to an Odoo says what the client does."""

import re
from pathlib import Path

from isthmus.http import client as http
from isthmus.store.odoo import KNOWN, ODOO_TIMEOUT
from isthmus.store.odoo.rules import RULES

PAGE = (Path(__file__).parents[2] / "docs/reference/odoo-transports.md").read_text()


def test_the_table_of_failures_is_the_table_of_the_code() -> None:
    """
    Row by row, in the order in which they are asked.
    """
    told = []
    for rule in RULES:
        kinds = ", ".join(f"`{kind}`" for kind in sorted(rule.kinds)) or "any"
        read = f"`{rule.read.__name__}`" if rule.read else "as below"
        write = f"`{rule.write.__name__}`" if rule.write else "the same"
        told.append(f"| {rule.title} | {kinds} | {read} | {write} |")

    table = PAGE.partition("| Odoo says |")[2]

    assert re.findall(r"(?m)^\| (?!-).*", table.partition("\n")[2].partition("\n\n")[0]) == told


def test_versions_and_times_are_those_of_the_code() -> None:
    """
    The oldest and the newest version, the patience, the pauses.
    """
    first, second = http._PAUSES

    assert f"| {KNOWN[-1]} to 18.0 |" in PAGE
    assert f"a version after {KNOWN[0]} as {KNOWN[0]}" in PAGE
    assert f"A version before {KNOWN[-1]} is refused" in PAGE
    assert f"A connection may take {ODOO_TIMEOUT.connect.seconds} seconds" in PAGE
    assert f"an answer {ODOO_TIMEOUT.read.seconds} seconds" in PAGE
    assert f"after {first:g} and {second:g} second;" in PAGE
