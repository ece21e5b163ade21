"""Leases between processes: granted once, lost visibly, free at once when their process is dead."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, delete, event

from isthmus.errors import LeaseLostError
from isthmus.store.sql import Owner, SqlLeaseLocks
from isthmus.store.sql.lease import Lease
from isthmus.testing import FrozenClock
from isthmus.testing.envs import Envs

HALF_MINUTE = timedelta(seconds=30)

HOLD = """
import sys
from datetime import timedelta
from isthmus.clock import SystemClock
from isthmus.store.sql import Owner, SqlLeaseLocks, make_engine
url, keys = sys.argv[1], sys.argv[2:]
engine = make_engine(url)
grant = SqlLeaseLocks(engine, SystemClock(), Owner()).take(keys, lasting=timedelta(hours=1))
engine.dispose()
sys.stdout.write(" ".join(grant.keys) + "\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture
def clock() -> FrozenClock:
    """The time of every process."""
    return FrozenClock()


@pytest.fixture
def locks(engine: Engine, clock: FrozenClock) -> Callable[[], SqlLeaseLocks]:
    """Make the leases of one more owner."""
    return lambda: SqlLeaseLocks(engine, clock, Owner())


def test_what_is_free_is_granted_and_the_rest_refused(locks: Callable[[], SqlLeaseLocks]) -> None:
    """
    Nobody waits; what was given up is free again.
    """
    first, second = locks(), locks()
    held = first.take(["b", "a", "a"], lasting=HALF_MINUTE)
    partly = second.take(["a", "c"], lasting=HALF_MINUTE)
    first.release(held)
    later = second.take(["a"], lasting=HALF_MINUTE)

    assert (held.keys, held.refused) == (("a", "b"), frozenset())
    assert (partly.keys, partly.refused) == (("c",), frozenset({"a"}))
    assert later.keys == ("a",)
    assert second.take([], lasting=HALF_MINUTE).keys == ()


def test_a_takeover_is_noticed_before_anything_is_written(
    make_envs: Callable[..., Envs], locks: Callable[[], SqlLeaseLocks], clock: FrozenClock
) -> None:
    """
    By settling, which rolls back; the new owner's lease stays.
    """
    envs, slow, quick = make_envs(), locks(), locks()
    lost = slow.take(["a", "b"], lasting=HALF_MINUTE)
    clock.advance(HALF_MINUTE)
    taken = quick.take(["b"], lasting=HALF_MINUTE)

    with pytest.raises(LeaseLostError) as caught, envs.env() as env:
        slow.settle(env, lost)
    with pytest.raises(LeaseLostError):
        slow.prolong(lost, lasting=HALF_MINUTE)
    slow.release(lost)
    with envs.env() as env:
        quick.settle(env, taken)

    assert str(caught.value) == ("1 of 2 leases were taken over by another process; nothing was written")


def test_a_prolonged_lease_lasts(locks: Callable[[], SqlLeaseLocks], clock: FrozenClock) -> None:
    """
    From the moment of the prolonging on.
    """
    first, second = locks(), locks()
    grant = first.take(["a"], lasting=HALF_MINUTE)
    clock.advance(timedelta(seconds=20))
    first.prolong(grant, lasting=HALF_MINUTE)
    clock.advance(timedelta(seconds=20))

    assert second.take(["a"], lasting=HALF_MINUTE).refused == {"a"}


def test_a_lease_that_has_nearly_all_its_time_is_only_looked_at(
    engine: Engine, locks: Callable[[], SqlLeaseLocks], clock: FrozenClock
) -> None:
    """
    A page is leased just before its calls: to write each of its leases once more would only cost.
    """
    ours, other = locks(), locks()
    grant = ours.take(["a", "b"], lasting=HALF_MINUTE)
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2].split()[0]))
    clock.advance(timedelta(seconds=3))
    looked_at = ours.prolong(grant, lasting=HALF_MINUTE)
    clock.advance(timedelta(milliseconds=1))
    prolonged = ours.prolong(grant, lasting=HALF_MINUTE)
    clock.advance(timedelta(seconds=29))
    refused = other.take(["a", "b"], lasting=HALF_MINUTE).refused

    assert [word for word in seen if word in {"SELECT", "UPDATE"}][:3] == ["SELECT", "SELECT", "UPDATE"]
    assert (looked_at, prolonged.until - grant.until) == (grant, timedelta(seconds=3, milliseconds=1))
    assert refused == {"a", "b"}


def test_a_lease_that_was_lost_early_is_noticed_when_it_is_looked_at(
    engine: Engine, locks: Callable[[], SqlLeaseLocks]
) -> None:
    """
    Somebody may have thought that we are dead.
    """
    ours, other = locks(), locks()
    grant = ours.take(["a", "b"], lasting=HALF_MINUTE)
    with engine.begin() as connection:
        connection.execute(delete(Lease).where(Lease.key == "b"))
    other.take(["b"], lasting=HALF_MINUTE)

    with pytest.raises(LeaseLostError, match="1 of 2 leases"):
        ours.prolong(grant, lasting=HALF_MINUTE)


def test_settling_gives_up_the_lease_with_the_commit(
    make_envs: Callable[..., Envs], locks: Callable[[], SqlLeaseLocks]
) -> None:
    """
    A rollback keeps it.
    """
    envs, first, second = make_envs(), locks(), locks()
    grant = first.take(["a"], lasting=HALF_MINUTE)
    with envs.env() as env:
        first.settle(env, grant)
        env.transaction.rollback()
    kept = second.take(["a"], lasting=HALF_MINUTE).refused
    with envs.env() as env:
        first.settle(env, grant)

    assert kept == {"a"}
    assert second.take(["a"], lasting=HALF_MINUTE).keys == ("a",)


def test_many_leases_are_one_statement(engine: Engine, locks: Callable[[], SqlLeaseLocks]) -> None:
    """
    In sorted order, so that two takers cannot wait for each other in a circle.
    """
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))

    grant = locks().take([f"key {n:03}" for n in reversed(range(200))], lasting=HALF_MINUTE)

    assert len(grant.keys) == 200
    assert len([s for s in seen if s.startswith("INSERT")]) == 1


def test_the_leases_of_a_killed_process_are_free_at_once(
    url: str, locks: Callable[[], SqlLeaseLocks]
) -> None:
    """
    Whether it had an hour left or not; while it lives they are not.
    """
    program = [sys.executable, "-c", HOLD, url, "a", "b"]
    ours = locks()
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        held = process.stdout.readline().split()
        while_alive = ours.take(["a", "b"], lasting=HALF_MINUTE)
        process.kill()
        process.wait()
    after = ours.take(["a", "b"], lasting=HALF_MINUTE)

    assert held == ["a", "b"]
    assert while_alive.keys == ()
    assert after.keys == ("a", "b")


def test_two_processes_get_each_lease_once(url: str, engine: Engine) -> None:
    """
    However they compete, no key has two owners and none is left.
    """
    keys = [f"key {n:03}" for n in range(100)]
    program = [sys.executable, "-c", HOLD.replace('" ".join', '"|".join'), url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen([*program, *keys], **pipes) as one,
        subprocess.Popen([*program, *reversed(keys)], **pipes) as other,
    ):
        assert one.stdout is not None
        assert other.stdout is not None
        held = [process.stdout.readline().strip().split("|") for process in (one, other)]

    assert sorted(key for part in held for key in part if key) == keys
