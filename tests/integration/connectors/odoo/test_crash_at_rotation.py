"""kill -9 at every step of a key rotation: there is always a key that opens, and none is forgotten."""

import random
from datetime import timedelta

import pytest
from odoo_site import OdooSite

_KEYS = "res.users.apikeys"

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


def stored(site: OdooSite) -> str:
    """Tell the key that is stored."""
    with site.hub.env(readonly=True) as env:
        return str(site.backend(env, "company").credentials["key"])


def keys_there(site: OdooSite) -> dict[str, int]:
    """List the keys of our user there, by name."""
    admin = site.admin("company")
    return {k["name"]: k["id"] for k in admin.read(_KEYS, admin.search(_KEYS, []), ["name"])}


def points_of(site: OdooSite) -> list[int]:
    """Number the points of an unbroken rotation."""
    site.connect("company", "19.0", secret_is="key")
    with site.hub.env() as env:
        site.backend(env, "company").set_credentials({"key": site.odoos["company"].api_key(days=10)})
    return list(range(1, len(site.in_child("rotate")) + 1))


def kill_at(site: OdooSite, fatal: list[int]) -> None:
    """Kill a rotation at each point, look, rotate again, and look again."""
    odoo, died = site.odoos["company"], 0
    for number in fatal:
        died += site.in_child("rotate", crash_at=number) == []
        assert odoo.world.authenticate(odoo.login, stored(site)) is not None, f"killed at {number}"

        done = site.rotate("company", overlap=timedelta())
        assert site.jobs() == []

        here = keys_there(site)
        unused = set(here) - {done.key_name}
        assert odoo.world.authenticate(odoo.login, stored(site)) is not None, f"killed at {number}"
        assert unused == set(done.leftovers), f"killed at {number}"
        for name in unused:  # what the command asks a person to do
            odoo.world.execute(1, _KEYS, "unlink", [[here[name]]], {})

    assert died >= len(fatal) * 3 // 4


def test_a_rotation_that_is_killed_leaves_a_key_that_opens(site: OdooSite) -> None:
    """
    A seeded choice of points; `make chaos` takes all of them.
    """
    fatal = points_of(site)

    kill_at(site, sorted(random.Random("rotation").sample(fatal, 8)))


@pytest.mark.chaos
def test_a_rotation_that_is_killed_anywhere_leaves_a_key_that_opens(site: OdooSite) -> None:
    """
    Every statement, commit, request and answer.
    """
    fatal = points_of(site)

    kill_at(site, fatal)
