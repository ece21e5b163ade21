"""What the end of a job does to those that wait for it."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Executable, Select, literal, select, update

from isthmus.job.moves import Times, in_state, move
from isthmus.job.state import State
from isthmus.job.table import EDGES, JOBS

Execute = Callable[[Executable], Any]
"""Executes a statement in the transaction that writes the end: a connection's or a session's ``execute``."""

_CHUNK: Final = 1_000
"""Numbers in one statement."""
_MET: Final = "was_"
"""Before the state of an edge that is settled: it counts once, though its parent may end again."""
_CANCELLED_WITH: Final = "given up with a job that it waited for"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of the jobs that waited.

    Attributes:
        released: How many became pending; workers that sleep want to hear of it.
        cancelled: How many were given up.
    """

    released: int = 0
    cancelled: int = 0


def settle(execute: Execute, ended: Sequence[int], state: State, times: Times) -> Settled:
    """Tell the jobs that wait for others that these have ended.

    To be called in the transaction that writes the end, and after that has locked the ended jobs: so
    nobody waits for a job that is done, and a crash in between leaves everything as it was.

    - A job that waits for others to be done is released by the last of them. When one of them fails it
      goes on waiting, since a person may retry that one; when one is cancelled it is cancelled too, and
      what waits for it.
    - A job that waits for a failure is released by the first one. It is cancelled when none of those it
      watches can fail any more.

    An edge counts once: a job that is done twice, because a person retried it, releases nothing that
    waits for others as well. Jobs are locked in the order of their numbers, so that two that end at the
    same time do not wait for each other.

    Args:
        execute: Executes a statement in the transaction.
        ended: Numbers of jobs that came to an end, all the same one.
        state: That end: done, failed or cancelled.
        times: Whose time counts.
    """
    if state is State.FAILED:
        return Settled(released=_alarm(execute, ended))
    if state is State.CANCELLED:
        return Settled(cancelled=_give_up(execute, _rest(execute, ended), ended, times))
    done, failed = _met(execute, ended)
    # Most graphs have nothing that waits for a failure.
    locked = _lock(execute, {*done, *failed, *_rest(execute, failed)} if failed else done)
    released = _count_down(execute, done, locked)
    calm = _count_down(execute, failed, locked, release=False)
    cancelled = 0
    if calm:
        cancelled = _cancel(execute, calm, times) + _give_up(execute, locked.keys(), calm, times)
    return Settled(len(released), cancelled)


# -- steps -----------------------------------------------------------------------------


def _met(execute: Execute, parents: Collection[int]) -> tuple[Counter[int], Counter[int]]:
    """Mark edges as settled; count them by child: those on done, and those on failed."""
    counted: dict[str, Counter[int]] = {f"{_MET}{State.DONE}": Counter(), f"{_MET}{State.FAILED}": Counter()}
    for some in _chunks(parents):
        waiting = EDGES.c.on_state.in_([State.DONE.value, State.FAILED.value])
        marked = literal(_MET).concat(EDGES.c.on_state)
        statement = (
            update(EDGES)
            .where(EDGES.c.parent_id.in_(some), waiting)
            .values(on_state=marked)
            .returning(EDGES.c.child_id, EDGES.c.on_state)
        )
        for child, on in execute(statement):
            counted[on][child] += 1
    done, failed = counted.values()
    return done, failed


def _lock(execute: Execute, ids: Collection[int]) -> dict[int, int]:
    """Lock those that still wait, in the order of their numbers; gives how many each waits for."""
    locked: dict[int, int] = {}
    for some in _chunks(ids):
        statement = (
            select(JOBS.c.id, JOBS.c.waits)
            .where(JOBS.c.id.in_(some), in_state(State.WAIT_DEPENDENCIES))
            .order_by(JOBS.c.id)
            .with_for_update()  # says nothing on SQLite: one writer
        )
        locked.update((job_id, waits) for job_id, waits in execute(statement))
    return locked


def _count_down(
    execute: Execute, counts: Counter[int], locked: dict[int, int], *, release: bool = True
) -> list[int]:
    """Count down what locked jobs wait for; gives those that wait for nothing more."""
    ready: list[int] = []
    others: dict[int, list[int]] = {}
    for child, count in counts.items():
        if child in locked:
            locked[child] -= count
            if locked[child] <= 0:
                ready.append(child)
            else:
                others.setdefault(count, []).append(child)
    for count, children in others.items():
        for some in _chunks(children):
            execute(update(JOBS).where(JOBS.c.id.in_(some)).values(waits=JOBS.c.waits - count))
    if release:
        _release(execute, ready)
    return ready


def _release(execute: Execute, ids: Collection[int]) -> None:
    for some in _chunks(ids):
        execute(move(State.WAIT_DEPENDENCIES, State.PENDING, JOBS.c.id.in_(some)).values(waits=0))


def _alarm(execute: Execute, parents: Sequence[int]) -> int:
    """Release what waits for a failure."""
    watching: set[int] = set()
    for some in _chunks(parents):
        on_failure = EDGES.c.on_state == State.FAILED.value
        watching.update(
            row[0] for row in execute(select(EDGES.c.child_id).where(EDGES.c.parent_id.in_(some), on_failure))
        )
    locked = _lock(execute, watching)
    _release(execute, locked)
    return len(locked)


# -- giving up -------------------------------------------------------------------------


def _give_up(execute: Execute, rest: Collection[int], roots: Collection[int], times: Times) -> int:
    """Cancel what waits for jobs that will never be done, and what waits for that.

    Args:
        execute: Executes a statement in the transaction.
        rest: All that comes after *roots*; locked at once, in order.
        roots: Jobs that will never be done; their own state is the caller's.
        times: Whose time counts.
    """
    locked = _lock(execute, rest)
    cancelled = 0
    wave = list(roots)
    while wave:
        gone = _rest(execute, wave, State.DONE)
        # Such as came in while we waited for the locks.
        locked |= _lock(execute, gone - locked.keys())
        gone &= locked.keys()
        cancelled += _cancel(execute, gone, times)
        for child in gone:
            del locked[child]
        _, failed = _met(execute, [*wave, *gone])
        wave = _count_down(execute, failed, locked, release=False)
        cancelled += _cancel(execute, wave, times)
        for child in wave:
            del locked[child]
    return cancelled


def _cancel(execute: Execute, ids: Collection[int], times: Times) -> int:
    for some in _chunks(ids):
        execute(
            move(State.WAIT_DEPENDENCIES, State.CANCELLED, JOBS.c.id.in_(some)).values(
                finished_at=times.now(), eta=None, error=_CANCELLED_WITH
            )
        )
    return len(ids)


def _rest(execute: Execute, roots: Collection[int], only: State | None = None) -> set[int]:
    """Find what waits for jobs, and what waits for that."""
    found: set[int] = set()
    for some in _chunks(roots):
        found.update(row[0] for row in execute(_after(some, only)))
    return found


def _after(roots: Sequence[int], only: State | None) -> Select[tuple[int]]:
    kinds = [only.value] if only else [State.DONE.value, State.FAILED.value]
    waiting = (
        select(JOBS.c.id).where(JOBS.c.id == EDGES.c.child_id, in_state(State.WAIT_DEPENDENCIES)).exists()
    )
    first = select(EDGES.c.child_id).where(EDGES.c.parent_id.in_(roots), EDGES.c.on_state.in_(kinds), waiting)
    after = first.cte("after", recursive=True)
    more = select(EDGES.c.child_id).where(
        EDGES.c.parent_id == after.c.child_id, EDGES.c.on_state.in_(kinds), waiting
    )
    return select(after.union(more).c.child_id)


def _chunks(ids: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]


def waited_for(on_state: str) -> State:
    """Tell which end of a parent an edge is about, whether it is settled or not.

    >>> waited_for("was_done")
    <State.DONE: 'done'>
    """
    return State(on_state.removeprefix(_MET))
