"""Who holds leases of a kind, which is how a status knows its workers."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine

from isthmus.clock import SystemClock
from isthmus.store.sql import Owner, SqlLeaseLocks

LONG = timedelta(minutes=1)


def locks_of(engine: Engine, owner: Owner) -> SqlLeaseLocks:
    """Give the leases as one process sees them."""
    return SqlLeaseLocks(engine, SystemClock(), owner)


def test_holders_are_those_of_the_prefix_that_live(engine: Engine, tmp_path: Path) -> None:
    """
    Others' leases and leases that ran out are left out.
    """
    ours, other = Owner(tmp_path), Owner(tmp_path)
    locks_of(engine, ours).take(["worker/1", "record/1"], lasting=LONG)
    locks_of(engine, other).take(["record/2"], lasting=LONG)
    locks_of(engine, other).take(["worker/2"], lasting=timedelta(0))

    assert locks_of(engine, other).holders("worker/") == [str(ours)]


def test_sweep_takes_away_what_ran_out_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    """
    A living worker's lease stays, and so does every lease of another kind.
    """
    locks = locks_of(engine, Owner(tmp_path))
    locks.take(["worker/1"], lasting=LONG)
    locks.take(["worker/2", "record/1"], lasting=timedelta(0))

    swept = [locks.sweep("worker/"), locks.sweep("worker/"), locks.sweep("")]

    assert swept == [1, 0, 1]
    assert len(locks.holders("worker/")) == 1
