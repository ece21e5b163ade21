"""Versions of Odoo, as servers tell them."""

import pytest

from isthmus.errors import BackendError
from isthmus.store.odoo import KNOWN, OdooVersion


@pytest.mark.parametrize(
    ("told", "name", "chain"),
    [
        ({"server_version": "14.0", "server_serie": "14.0"}, "14.0", KNOWN[6:]),
        ({"server_version": "18.0-20250702", "server_serie": "18.0"}, "18.0", KNOWN[2:]),
        ({"server_version": "18.0+e-20250702"}, "18.0", KNOWN[2:]),
        ({"server_version": "saas~17.2+e", "server_serie": "saas~17.2"}, "saas~17.2", KNOWN[3:]),
        ({"version": "19.0", "version_info": [19, 0, 0, "final", 0, ""]}, "19.0", KNOWN[1:]),
        ({"version": "saas~18.4+e"}, "saas~18.4", KNOWN[2:]),
        ({"version": "20.0"}, "20.0", KNOWN),
        ({"version": "23.0"}, "23.0", KNOWN),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_version_descends_from_the_known_ones_before_it(told, name, chain):
    """
    What is written for 17.0 holds for saas~17.2, what is written for 20.0 for all that come later.
    """
    version = OdooVersion.told(told, server="odoo.example.org")

    assert version.name == name
    assert version.chain == chain


@pytest.mark.parametrize("told", ["8.0", "13.0", "saas~13.5", "9.0-20151001"])
def test_an_odoo_that_is_too_old_is_told_so(told):
    """
    Before 14 there are no API keys and other models.
    """
    with pytest.raises(BackendError, match=r"example\.org runs Odoo .*; version 14\.0 or later is needed"):
        OdooVersion.told({"server_serie": told}, server="odoo.example.org")


@pytest.mark.parametrize("told", [{}, {"version": None}, {"version": "unknown"}, {"version": ["19", "0"]}])
def test_a_server_without_a_version_is_no_odoo(told):
    """
    Some other program may answer JSON at the same address.
    """
    with pytest.raises(BackendError, match="tells no version; is it one"):
        OdooVersion.told(told, server="odoo.example.org")


def test_json2_begins_with_19():
    """
    saas~18.4 has it only in parts.
    """
    told = [OdooVersion.told({"version": name}, server="s") for name in ("saas~18.4", "19.0", "saas~19.1")]

    assert [version.speaks_json2 for version in told] == [False, True, True]
