"""Leases go by a frozen clock on both databases."""

from datetime import timedelta

from isthmus.store.sql import Owner, SqlLeaseLocks, SqlModel, make_engine
from isthmus.testing import FrozenClock


def test_a_lease_ends_when_the_clock_says_so(database_url: str) -> None:
    """
    Until then another process is refused; afterwards it may take over.
    """
    engine, clock = make_engine(database_url), FrozenClock()
    SqlModel.metadata.create_all(engine)
    locks = SqlLeaseLocks(engine, clock, Owner())
    locks.take(["a"], lasting=timedelta(seconds=30))
    early = locks.take(["a"], lasting=timedelta(seconds=30))
    clock.sleep(30)

    late = locks.take(["a"], lasting=timedelta(seconds=30))

    engine.dispose()
    assert (early.keys, early.refused) == ((), frozenset({"a"}))
    assert late.keys == ("a",)
