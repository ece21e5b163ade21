"""Identifiers."""

from datetime import UTC, datetime, timedelta

from isthmus.simulators.trello.ids import IdSource, created_at, floor_id, is_object_id
from isthmus.testing import FrozenClock

NOON = datetime(2027, 1, 2, 12, tzinfo=UTC)


def test_an_id_tells_when_it_was_made():
    """
    The first eight digits are the second of the creation.
    """
    source = IdSource(seed=1, clock=FrozenClock(NOON))

    made = source.object_id()

    assert is_object_id(made)
    assert created_at(made) == NOON


def test_ids_ascend_even_when_the_clock_goes_back():
    """
    A later ID is always the greater one, so "before this ID" keeps its meaning.
    """

    class Backwards(FrozenClock):
        def now(self) -> datetime:
            self.sleep(1)
            return NOON - timedelta(seconds=len(self.slept))

    source = IdSource(seed=1, clock=Backwards())

    made = [source.object_id() for _ in range(5)]

    assert made == sorted(made)


def test_the_same_seed_makes_the_same_ids():
    """
    Two servers with one seed and one clock give out the same identifiers.
    """
    sources = [IdSource(seed=3, clock=FrozenClock(NOON)) for _ in range(2)]

    first, second = ([s.object_id(), s.short_link(), s.secret(32)] for s in sources)

    assert first == second


def test_no_id_of_a_second_is_below_its_floor():
    """
    A date as a bound includes exactly what was made from that second on.
    """
    source = IdSource(seed=1, clock=FrozenClock(NOON))

    made = source.object_id()

    assert floor_id(NOON) < made < floor_id(NOON + timedelta(seconds=1))
