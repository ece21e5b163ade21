"""The key of a backend is replaced without a moment at which nobody can get in."""

from datetime import timedelta
from typing import Any

import pytest
from odoo_site import IMPATIENT_S, OdooSite

from isthmus.errors import BackendError, RecordLockedError, UnknownOutcomeError, UsageError

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])

KEYS = "res.users.apikeys"
SWITCH = "base.enable_programmatic_api_keys"


@pytest.fixture
def company(site: OdooSite) -> OdooSite:
    """An Odoo 19 that is spoken to with an API key."""
    site.connect("company", "19.0", secret_is="key")
    with site.hub.env() as env:
        site.backend(env, "company").set_credentials({"key": site.odoos["company"].api_key(days=10)})
    return site


def key_of(site: OdooSite) -> str:
    """Tell the key that is used."""
    with site.hub.env(readonly=True) as env:
        return str(site.backend(env, "company").credentials["key"])


def previous_of(site: OdooSite) -> str:
    """Tell the key that is to be revoked."""
    with site.hub.env(readonly=True) as env:
        return str(site.backend(env, "company").credentials.stored.get("previous_key", ""))


def opens(site: OdooSite, key: str) -> bool:
    """Tell whether a key lets us in."""
    odoo = site.odoos["company"]
    return odoo.world.authenticate(odoo.login, key) is not None


def names(site: OdooSite) -> list[str]:
    """Name the keys of our user there."""
    admin = site.admin("company")
    return [k["name"] for k in admin.read(KEYS, admin.search(KEYS, []), ["name"])]


def test_the_new_key_is_stored_and_the_old_one_works_for_the_overlap(company: OdooSite) -> None:
    """
    A job revokes the old one when it is over.
    """
    old = key_of(company)

    done = company.rotate("company", days=30, overlap=timedelta(days=1))

    new = key_of(company)
    assert new != old
    assert (opens(company, old), opens(company, new)) == (True, True)
    assert previous_of(company) == old
    assert company.option("company", "key_expires") == done.expires.isoformat()
    assert abs(done.expires - company.clock.now() - timedelta(days=30)) < timedelta(minutes=1)
    assert "as admin; the key expires on" in company.says("company")

    company.clock.advance(timedelta(days=1))
    assert company.jobs() == []
    assert (opens(company, old), opens(company, new)) == (False, True)
    assert previous_of(company) == ""


def test_without_an_overlap_the_old_key_is_revoked_at_once(company: OdooSite) -> None:
    """
    The job that would do it finds nothing left.
    """
    old = key_of(company)

    done = company.rotate("company", overlap=timedelta())

    assert done.old_until is None
    assert (opens(company, old), opens(company, key_of(company))) == (False, True)
    assert company.jobs() == []


def test_a_second_rotation_waits_for_the_overlap_of_the_first(company: OdooSite) -> None:
    """
    The key that was promised to be good stays good; run again by mistake nothing happens.
    """
    first = key_of(company)
    until = company.rotate("company", overlap=timedelta(days=1)).old_until
    second, there = key_of(company), names(company)
    company.clock.advance(timedelta(hours=20))

    for _ in range(2):
        with pytest.raises(BackendError) as caught:
            company.rotate("company", overlap=timedelta(days=1))
        assert str(caught.value) == (
            f"the key of backend 'company' was replaced already, and the one before it is good until "
            f"{until:%Y-%m-%d %H:%M} UTC: rotate again after that, or with --overlap 0, which revokes both"
        )

    assert (key_of(company), previous_of(company), names(company)) == (second, first, there)
    assert [opens(company, key) for key in (first, second)] == [True, True]


def test_a_rotation_after_an_overlap_revokes_what_no_worker_did(company: OdooSite) -> None:
    """
    There are never more than two; the job of the first leaves the second's old key alone.
    """
    first = key_of(company)
    company.rotate("company", overlap=timedelta(hours=20))
    second = key_of(company)
    company.clock.advance(timedelta(hours=20))

    company.rotate("company", overlap=timedelta(days=1))
    company.clock.advance(timedelta(hours=5))
    company.hub.queue.run_pending()

    assert [opens(company, key) for key in (first, second, key_of(company))] == [False, True, True]
    company.clock.advance(timedelta(hours=20))
    company.hub.queue.run_pending()
    assert [opens(company, key) for key in (second, key_of(company))] == [False, True]


def test_a_rotation_without_an_overlap_waits_for_none(company: OdooSite) -> None:
    """
    Whoever has to be rid of a key at once gets rid of both.
    """
    first = key_of(company)
    company.rotate("company", overlap=timedelta(days=1))
    second = key_of(company)

    company.rotate("company", overlap=timedelta())

    assert [opens(company, key) for key in (first, second, key_of(company))] == [False, False, True]
    assert company.jobs() == []


def test_a_key_that_cannot_be_revoked_is_not_forgotten(company: OdooSite) -> None:
    """
    The job fails and says so; it succeeds when it may.
    """
    old = key_of(company)
    company.rotate("company", overlap=timedelta(hours=1))
    company.clock.advance(timedelta(hours=1))
    company.odoos["company"].faults.next("access", model=KEYS, method="revoke")

    (error,) = company.jobs()

    assert "the old key cannot be revoked: " in error
    assert "remove it there by hand" in error
    assert previous_of(company) == old
    assert opens(company, old)

    company.hub.queue.retry([job.id for job in company.hub.queue.list(state="failed")])
    assert company.jobs() == []
    assert (previous_of(company), opens(company, old)) == ("", False)


def test_an_old_key_that_somebody_has_removed_is_forgotten(company: OdooSite) -> None:
    """
    It is refused as one that never was.
    """
    old = key_of(company)
    company.rotate("company", overlap=timedelta(hours=1))
    odoo = company.odoos["company"]
    odoo.as_user("admin").call(KEYS, "revoke", old)
    company.clock.advance(timedelta(hours=1))

    assert company.jobs() == []
    assert previous_of(company) == ""


def test_a_key_that_is_put_back_is_not_revoked(company: OdooSite) -> None:
    """
    The job of the rotation finds it in use.
    """
    old = key_of(company)
    company.rotate("company", overlap=timedelta(hours=1))
    with company.hub.env() as env:
        company.backend(env, "company").set_credentials({"key": old})
    company.clock.advance(timedelta(hours=1))

    assert company.jobs() == []
    assert opens(company, old)


def test_no_secret_is_in_a_job_or_an_option(company: OdooSite) -> None:
    """
    Both keys are in the encrypted credentials only.
    """
    old = key_of(company)
    company.rotate("company")

    secrets = {old, key_of(company)}
    with company.hub.env(readonly=True) as env:
        jobs = env["isthmus.job"].search([])
        rows = env["isthmus.job"].read([j.id for j in jobs], list(env["isthmus.job"].fields))
        backend = row_of(company, env)
    assert len(rows) == 1
    assert not any(secret in repr(rows) + repr(backend) for secret in secrets)


def row_of(site: OdooSite, env: Any) -> dict[str, Any]:
    """Give all that is stored readable."""
    (row,) = env["connector.backend"].read(
        [site.backend(env, "company").id], list(env["connector.backend"].fields)
    )
    return row


def test_a_client_that_holds_the_old_key_reads_the_new_one(company: OdooSite) -> None:
    """
    A worker that runs through the rotation is refused once and goes on.
    """
    with company.hub.env() as env:
        client = company.backend(env, "company").open_client()
    uid = client.uid
    company.rotate("company", overlap=timedelta())

    with client:
        found = client.call(
            "res.users", "search", args={"domain": [["id", "=", uid]]}, what="look", safe=True
        )

    assert found == [uid]


def test_a_lost_answer_leaves_the_old_key_and_the_next_run_tells_of_the_new_one(company: OdooSite) -> None:
    """
    Nobody knows the key that was made; its name was noted before, so it is not forgotten.
    """
    company.set("company", timeout_s=IMPATIENT_S)
    old = key_of(company)
    company.odoos["company"].faults.next("timeout_after", method="generate")

    with pytest.raises(UnknownOutcomeError):
        company.rotate("company")
    (lost,) = [n for n in names(company) if n.startswith("isthmus company ")]
    still = key_of(company)
    done = company.rotate("company")

    assert still == old
    assert opens(company, key_of(company))
    assert done.leftovers in {(lost,), ()}
    assert (lost in names(company)) == bool(done.leftovers)


def test_a_new_key_that_does_not_open_is_not_relied_on(company: OdooSite) -> None:
    """
    When it cannot be tried now, it is revoked again and nothing is stored.
    """
    old, before = key_of(company), names(company)
    company.odoos["company"].faults.next("maintenance", method="context_get", times=6)

    with pytest.raises(Exception, match=r"try the (new )?API key|cannot"):
        company.rotate("company")

    assert key_of(company) == old
    assert opens(company, old)
    assert len(names(company)) <= len(before) + 1


def test_versions_before_19_say_what_to_do_by_hand(site: OdooSite) -> None:
    """
    Nothing is changed there.
    """
    site.connect("company", secret_is="key")

    with pytest.raises(BackendError) as caught:
        site.rotate("company")

    assert str(caught.value) == (
        "Odoo 18.0 makes no keys over its API, 19.0 is the first that does: make one by hand (in Odoo: "
        "Preferences, Account Security, New API Key), store it by `isthmus backend set company key`, then "
        "delete the old one there"
    )


def test_a_password_cannot_be_rotated(site: OdooSite) -> None:
    """
    Nor can it be guessed what the user wants it to be.
    """
    site.connect("company", "19.0")

    with pytest.raises(BackendError, match="uses a password, and only API keys can be rotated"):
        site.rotate("company")


def test_a_key_that_is_kept_elsewhere_is_not_replaced(company: OdooSite, monkeypatch: Any) -> None:
    """
    The reference would be lost, and the place it points to would hold a revoked key.
    """
    monkeypatch.setenv("ODOO_KEY", key_of(company))
    with company.hub.env() as env:
        company.backend(env, "company").set_credentials({"key": "env:ODOO_KEY"})

    with pytest.raises(BackendError, match=r"is kept elsewhere \(env:ODOO_KEY\)"):
        company.rotate("company")


@pytest.mark.parametrize(("days", "hours"), [(0, 0), (1, 24), (1, 48)])
def test_an_overlap_must_end_before_the_new_key(company: OdooSite, days: int, hours: int) -> None:
    """
    And a key that is good for no day is none.
    """
    with pytest.raises(UsageError, match="days is at least 1"):
        company.rotate("company", days=days, overlap=timedelta(hours=hours))


def test_two_rotations_at_once_are_one(company: OdooSite) -> None:
    """
    The second is told to come back later.
    """
    with company.hub.env() as env:
        key = f"{company.backend(env, 'company').id}/key rotation"
    company.hub.locks.take([key], lasting=timedelta(minutes=1))

    with pytest.raises(RecordLockedError, match="another process is rotating the key"):
        company.rotate("company")
