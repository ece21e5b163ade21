from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from isthmus.simulators.odoo import Change, OdooError, OdooWorld
from isthmus.simulators.odoo.errors import user_error

TASK = "project.task"


@pytest.mark.parametrize("version", ["14.0", "15.0", "16.0", "17.0", "saas~17.2", "18.0", "19.0", "20.0"])
def test_every_version_has_its_administrator(version: str) -> None:
    """With Odoo's own first password."""
    world = OdooWorld(version)

    assert (world.version, world.authenticate("admin", "admin")) == (version, 2)
    assert world.authenticate("admin", "wrong") is None
    assert world.authenticate("nobody", "admin") is None
    assert world.execute(2, TASK, "create", [{"name": "x"}]) == 1


def test_a_version_that_is_none_is_refused() -> None:
    """A word is no version."""
    with pytest.raises(ValueError, match="'eighteen' is no version of Odoo"):
        OdooWorld("eighteen")


def test_a_call_that_fails_leaves_nothing(odoo: Any) -> None:
    """What it had written is taken back; its IDs are spent, as PostgreSQL's are."""
    assert odoo.refused(TASK, "create", [{"name": "x"}, {"name": "y", "nope": 1}])[0] == "builtins.ValueError"

    assert odoo(TASK, "search_count", []) == 0
    assert odoo(TASK, "create", {"name": "x"}) == 2


def test_a_long_transaction_is_seen_late_and_dated_early(odoo: Any, world: Any, clock: Any) -> None:
    """Its writes come to light behind those of later transactions."""
    old = odoo(TASK, "create", {"name": "old"})
    late = world.begin()
    made = late.execute(2, TASK, "create", [{"name": "late"}])
    late.execute(2, TASK, "write", [[old], {"name": "changed"}])
    clock.advance(timedelta(minutes=1))
    between = odoo(TASK, "create", {"name": "between"})
    hidden = (odoo(TASK, "search", [], order="id"), odoo(TASK, "read", [old], ["name"])[0]["name"])
    clock.advance(timedelta(minutes=1))

    late.commit()

    assert hidden == ([old, between], "old")
    rows = odoo(TASK, "search_read", [], ["name", "write_date"], order="write_date, id")
    assert [(row["name"], row["write_date"][-5:]) for row in rows] == [
        ("changed", "00:00"),
        ("late", "00:00"),
        ("between", "01:00"),
    ]
    assert made == old + 1


def test_two_transactions_that_meet_in_a_row_fail(odoo: Any, world: Any) -> None:
    """The later commit loses."""
    task = odoo(TASK, "create", {"name": "x"})
    late = world.begin()
    late.execute(2, TASK, "write", [[task], {"name": "mine"}])
    odoo(TASK, "write", [task], {"name": "theirs"})

    with pytest.raises(OdooError) as caught:
        late.commit()

    assert caught.value.name == "psycopg2.errors.SerializationFailure"
    assert odoo(TASK, "read", [task], ["name"])[0]["name"] == "theirs"


def test_a_planned_failure_comes_once(odoo: Any, world: Any) -> None:
    """Any error, for any call or for one."""
    world.fail_next()
    world.fail_next(user_error("Not today."), model=TASK, method="create")

    assert odoo.refused(TASK, "search", [])[0] == "psycopg2.errors.SerializationFailure"
    assert odoo(TASK, "search", []) == []
    assert odoo.refused(TASK, "create", {"name": "x"}) == ("odoo.exceptions.UserError", "Not today.")
    assert odoo(TASK, "create", {"name": "x"}) == 1


def test_who_watches_is_told_of_commits(odoo: Any, world: Any) -> None:
    """One change per record and transaction, and none of a call that failed."""
    told: list[tuple[str, str, int, list[str]]] = []

    def watch(changes: Sequence[Change]) -> None:
        told.extend((c.model, c.action, c.record_id, sorted(c.fields)) for c in changes if c.model == TASK)

    world.watchers.append(watch)
    task = odoo(TASK, "create", {"name": "x"})
    odoo(TASK, "write", [task], {"name": "y", "sequence": 3})
    odoo.refused(TASK, "write", [task], {"name": "z", "nope": 1})
    odoo(TASK, "unlink", [task])

    assert [entry[:3] for entry in told] == [
        (TASK, "create", task),
        (TASK, "write", task),
        (TASK, "unlink", task),
    ]
    assert told[1][3] == ["name", "sequence"]


def test_a_key_opens_until_it_ends(world: Any, clock: Any) -> None:
    """As a password and as a bearer; one for something else does not."""
    key = world.make_key(2, days=1)
    other = world.make_key(2, scope="odoo.plugin.outlook")

    assert (world.authenticate("admin", key), world.user_of_key(key)) == (2, 2)
    assert (world.authenticate("admin", other), world.user_of_key(other)) == (None, None)
    world.check(2, key)
    clock.advance(timedelta(days=2))
    assert (world.authenticate("admin", key), world.user_of_key(key)) == (None, None)
    with pytest.raises(OdooError, match="Access Denied"):
        world.check(2, key)
    with pytest.raises(OdooError, match=r"res.users\(99,\)"):
        world.check(99, "admin")


def test_a_new_password_is_the_only_one(odoo: Any, world: Any) -> None:
    """And is never read."""
    odoo("res.users", "write", [2], {"password": "other"})

    assert (world.authenticate("admin", "admin"), world.authenticate("admin", "other")) == (None, 2)
    assert odoo("res.users", "read", [2], ["password", "login"]) == [
        {"id": 2, "password": False, "login": "admin"}
    ]


def test_an_archived_user_is_let_in_no_more(odoo: Any, world: Any) -> None:
    """Nor their keys."""
    uid = world.add_user("ann", "pw")
    key = world.make_key(uid)
    odoo("res.users", "write", [uid], {"active": False})

    assert (world.authenticate("ann", "pw"), world.user_of_key(key)) == (None, None)


def test_a_login_is_taken_once(odoo: Any) -> None:
    """In the recorded words."""
    assert odoo.refused("res.users", "create", {"name": "x", "login": "admin"})[1] == (
        "The operation cannot be completed: You can not have two users with the same login!"
    )


def test_keys_are_made_and_ended_over_rpc_from_19_on(make_world: Any) -> None:
    """By who has one already; not for ever, and not too many."""
    world = make_world("19.0")
    first = world.make_key(2, days=30)
    wanted = {"key": first, "scope": "rpc", "name": "next", "expiration_date": "2026-05-01 00:00:00"}

    second = world.execute_named(2, "res.users.apikeys", "generate", [], wanted)

    assert world.user_of_key(second) == 2
    assert world.execute_named(2, "res.users.apikeys", "revoke", [], {"key": first}) is True
    assert world.user_of_key(first) is None
    for change, message in [
        ({}, "Access Denied"),
        ({"key": second, "expiration_date": False}, "must have an expiration date"),
        ({"key": second, "expiration_date": "2027-05-01 00:00:00"}, "You cannot exceed"),
    ]:
        with pytest.raises(OdooError, match=message):
            world.execute_named(2, "res.users.apikeys", "generate", [], wanted | change)


def test_a_wrong_clock_dates_what_it_writes(odoo: Any, world: Any) -> None:
    """The server's own."""
    world.clock_offset = timedelta(hours=-2)
    task = odoo(TASK, "create", {"name": "x"})

    assert odoo(TASK, "read", [task], ["write_date"])[0]["write_date"] == "2026-03-01 10:00:00"
