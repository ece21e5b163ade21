"""Rate limits are kept by all processes together, for every window of a credential."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from isthmus.env import RateWindow
from isthmus.errors import RateLimitedError
from isthmus.store.sql import SqlLimiter, make_engine
from isthmus.testing import FrozenClock

MINUTE = RateWindow(20, timedelta(minutes=1))
SHORT = RateWindow(5, timedelta(seconds=2))


@pytest.fixture
def clock() -> FrozenClock:
    """The time of every process."""
    return FrozenClock()


@pytest.fixture
def make_limiter(engine: Engine, url: str, clock: FrozenClock) -> Iterator[Callable[..., SqlLimiter]]:
    """Make limiters as several processes have them: each with an engine and a memory of its own."""
    engines: list[Engine] = []

    def make(**options: Any) -> SqlLimiter:
        engines.append(make_engine(url))
        return SqlLimiter(engines[-1], clock, **options)

    yield make
    for made in engines:
        made.dispose()


def draw(limiter: SqlLimiter, *windows: RateWindow) -> int:
    """Take calls until the limiter refuses; tell how many it gave."""
    given = 0
    while True:
        try:
            limiter.take("credential", windows)
        except RateLimitedError:
            return given
        given += 1


def test_no_more_than_the_limit_is_given(make_limiter: Callable[..., SqlLimiter]) -> None:
    """
    The error says when the window ends, and costs no retry.
    """
    limiter = make_limiter()
    given = draw(limiter, MINUTE)

    with pytest.raises(RateLimitedError) as caught:
        limiter.take("credential", [MINUTE])

    assert given == 20
    assert str(caught.value) == "the limit of 20 calls per 60 s is used up"
    assert caught.value.retry_in == timedelta(minutes=1)
    assert caught.value.ignore_retry


def test_a_short_wait_is_waited(make_limiter: Callable[..., SqlLimiter], clock: FrozenClock) -> None:
    """
    The next window gives new calls.
    """
    limiter = make_limiter()
    for _ in range(6):
        limiter.take("credential", [SHORT])

    assert clock.slept == [2]


def test_all_windows_count(make_limiter: Callable[..., SqlLimiter], clock: FrozenClock) -> None:
    """
    Many calls in a short time are limited by one window, many in all by the other.
    """
    given = draw(make_limiter(), SHORT, MINUTE)

    assert given == 20
    assert set(clock.slept) == {2}


def test_processes_share_what_is_left(make_limiter: Callable[..., SqlLimiter]) -> None:
    """
    Two together get no more than one alone.
    """
    limiters = make_limiter(), make_limiter()
    for limiter in limiters * 4:
        limiter.take("credential", [MINUTE])

    assert 8 + draw(limiters[0], MINUTE) + draw(limiters[1], MINUTE) == 20


def test_credentials_and_scopes_are_apart(make_limiter: Callable[..., SqlLimiter]) -> None:
    """
    One that is used up leaves the others alone.
    """
    limiter = make_limiter()
    draw(limiter, MINUTE)

    limiter.take("another", [MINUTE])
    limiter.take("credential", [RateWindow(20, timedelta(minutes=1), scope="members")])


def test_a_refusal_of_the_server_counts_for_everybody(
    make_limiter: Callable[..., SqlLimiter], clock: FrozenClock
) -> None:
    """
    Until the window ends, once the others have used what they drew before.
    """
    first, second = make_limiter(), make_limiter()
    first.exhausted("credential", MINUTE)
    refused = draw(first, MINUTE), draw(second, MINUTE)
    clock.advance(timedelta(minutes=1))

    assert refused == (0, 0)
    assert draw(second, MINUTE) == 20


def test_calls_are_drawn_in_blocks(make_limiter: Callable[..., SqlLimiter], engine: Engine) -> None:
    """
    A commit for every tenth of the allowance, not for every call.
    """
    commits: list[int] = []
    limiter = make_limiter()
    event.listen(limiter._engine, "commit", lambda _connection: commits.append(1))
    large = RateWindow(1_000, timedelta(minutes=1))

    for _ in range(500):
        limiter.take("credential", [large])

    assert len(commits) == 5
