"""What a backend says of the Odoo behind it, and of what is wrong with it."""

import re
from datetime import timedelta

import pytest
from odoo_site import EVERYTHING, OdooSite

from isthmus.errors import BackendError, ConfigurationError, CredentialsError

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""None of this depends on the database."""
pytestmark = on_sqlite


def test_one_sentence_says_what_answers_and_as_whom(site: OdooSite) -> None:
    """
    Version, protocol, database and login; the version is noted.
    """
    odoo = site.connect("company")

    said = site.says("company")

    assert said == (
        f"backend 'company' is connected to {odoo.url} (Odoo 18.0, JSON-RPC, database 'odoo') as admin"
    )
    with site.hub.env(readonly=True) as env:
        assert site.backend(env, "company").version_chain[:2] == ("18.0", "17.0")


def test_an_api_key_is_spoken_over_json2_and_its_end_is_told(site: OdooSite) -> None:
    """
    From Odoo 19 on; the day is noted for the status.
    """
    site.connect("company", "19.0")
    key = site.odoos["company"].api_key(days=40)
    with site.hub.env() as env:
        site.backend(env, "company").set_credentials({"key": key})

    said = site.says("company")

    day = (site.clock.now() + timedelta(days=40)).date().isoformat()
    assert "(Odoo 19.0, JSON-2, database 'odoo') as admin" in said
    assert said.endswith(f"; the key expires on {day}")
    assert site.option("company", "key_expires").startswith(day)


def test_a_new_key_has_its_own_end(site: OdooSite) -> None:
    """
    What was noted of the old one is forgotten, and not warned of for ever.
    """
    odoo = site.connect("company", "19.0", key_expires="2026-12-01", key_name="the old one")

    with site.hub.env() as env:
        site.backend(env, "company").set_credentials({"key": odoo.api_key()})

    assert (site.option("company", "key_expires"), site.option("company", "key_name")) == (None, None)


@pytest.mark.parametrize(
    ("told", "noted"),
    [
        ("2026-12-01", "2026-12-01T00:00:00+00:00"),
        ("2026-12-01 18:00", "2026-12-01T18:00:00+00:00"),
        ("2026-12-01T18:00+01:00", "2026-12-01T17:00:00+00:00"),
        (None, None),
    ],
)
def test_the_end_of_a_key_may_be_told_by_hand(site: OdooSite, told: str | None, noted: str | None) -> None:
    """
    Without an offset it is UTC; a look at the server keeps it, where that tells no other.
    """
    site.connect("company")
    site.set("company", key_expires=told)
    site.says("company")

    assert site.option("company", "key_expires") == noted


@pytest.mark.parametrize("told", ["soon", "2026-13-01", "0001-01-01T00:00+01:00"])
def test_an_end_that_is_no_time_is_refused(site: OdooSite, told: str) -> None:
    """
    Before it is stored.
    """
    site.connect("company")

    with pytest.raises(ConfigurationError, match=re.escape(f", not {told!r}")):
        site.set("company", key_expires=told)


def test_the_end_of_a_key_that_works_longer_is_forgotten(site: OdooSite) -> None:
    """
    It was that of another key, or has been put off.
    """
    site.connect("company", key_expires="2001-01-01")
    site.says("company")

    assert site.option("company", "key_expires") is None


def test_an_upgraded_server_is_noticed(site: OdooSite) -> None:
    """
    What was 17.0 is 18.0 after the next look.
    """
    site.connect("company")
    with site.hub.env() as env:
        site.backend(env, "company").write({"version": "17.0"})

    site.says("company")

    with site.hub.env(readonly=True) as env:
        assert site.backend(env, "company")["version"] == "18.0"


def test_a_wrong_key_names_login_and_database_and_never_the_key(site: OdooSite) -> None:
    """
    Whoever reads it knows what to look at.
    """
    site.connect("company", secret="not-the-password")

    with pytest.raises(CredentialsError) as caught:
        site.says("company")

    told = str(caught.value)
    assert "backend 'company'" in told
    assert "'admin'" in told
    assert "'odoo'" in told
    assert "not-the-password" not in told


def test_a_wrong_database_is_named(site: OdooSite) -> None:
    """
    It is what is wrong, not the server and not the login.
    """
    site.connect("company")
    site.set("company", database="elsewhere")

    with pytest.raises(BackendError, match="elsewhere"):
        site.says("company")


def test_what_is_not_set_is_asked_for(site: OdooSite) -> None:
    """
    With the command that sets it.
    """
    site.connect("company")
    site.set("company", database=None)

    with pytest.raises(BackendError, match="backend 'company' has no database: isthmus backend set company"):
        site.says("company")


@pytest.mark.parametrize(
    ("option", "value"), [("protocol", "soap"), ("secret_is", "magic")], ids=["protocol", "secret_is"]
)
def test_an_option_without_sense_is_refused(site: OdooSite, option: str, value: str) -> None:
    """
    The choices are named.
    """
    site.connect("company", **{option: value})

    with pytest.raises(BackendError, match=f"{option} is one of auto, .*, not '{value}'"):
        site.says("company")


def test_a_model_that_takes_part_and_is_not_installed_is_named(site: OdooSite) -> None:
    """
    All of them, in one sentence.
    """
    site.connect("company", import_domain={"res.partner": [], "helpdesk.ticket": [], "fleet.vehicle": []})

    with pytest.raises(BackendError) as caught:
        site.says("company")

    assert str(caught.value) == (
        "backend 'company': database 'odoo' has no model fleet.vehicle, helpdesk.ticket "
        "(is the app installed?)"
    )


def test_a_model_that_the_user_may_not_read_is_named(site: OdooSite) -> None:
    """
    The login works, the right is missing.
    """
    odoo = site.connect("company", import_domain=EVERYTHING)
    odoo.faults.next("access", model="res.partner")

    with pytest.raises(CredentialsError) as caught:
        site.says("company")

    assert str(caught.value) == "backend 'company': admin has no access to res.partner"


def test_a_maintenance_page_is_no_wrong_setting(site: OdooSite) -> None:
    """
    It says that the server cannot be reached now.
    """
    odoo = site.connect("company")
    odoo.faults.maintenance = True

    with pytest.raises(BackendError, match="backend 'company' cannot be reached at http"):
        site.says("company")


def test_version_8_is_too_old(site: OdooSite) -> None:
    """
    The version is told, and the first that is known.
    """
    odoo = site.connect("company")
    odoo.faults.version = "8.0"

    with pytest.raises(BackendError, match=r"backend 'company'.* 8\.0.*14"):
        site.says("company")


@pytest.mark.parametrize(
    ("minutes", "words"), [(5, "5 minutes ahead of ours"), (-2, "2 minutes behind ours"), (0, "as admin")]
)
def test_a_wrong_clock_is_told(site: OdooSite, minutes: int, words: str) -> None:
    """
    From a minute on; it works all the same.
    """
    odoo = site.connect("company")
    odoo.faults.clock_offset = timedelta(minutes=minutes)

    assert site.says("company").endswith(words)


def test_what_nobody_selected_is_not_imported(site: OdooSite) -> None:
    """
    The report says how to select it.
    """
    site.connect("company")

    report = site.poll("company")

    (note,) = report.notes
    assert note == (
        "no res.partner is selected: isthmus backend set company 'import_domain={\"res.partner\": []}' "
        "takes all"
    )
    assert site.ours() == []


def test_an_odoo_needs_no_partners_of_ours(database_url: str, tmp_path) -> None:
    """
    Where the group of models is not enabled nothing of it is asked for.
    """
    other = OdooSite(database_url, tmp_path, models=("project",))
    try:
        other.connect("company")
        assert other.poll("company").changed == 0
    finally:
        other.close()
