"""Schedules: methods that are run by the clock, as jobs, once per tick however many workers there are."""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Engine, Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from isthmus.env import Env
from isthmus.errors import DatabaseBusyError, JobDefinitionError, JobStateError, near
from isthmus.job.call import Call, JobRef
from isthmus.job.moves import Times
from isthmus.job.run import MakeEnv
from isthmus.job.schedule.declared import Schedule, declared_schedules
from isthmus.job.schedule.table import SCHEDULES
from isthmus.job.schedule.turn import Turn
from isthmus.job.table import JOBS
from isthmus.store.sql.engine import READONLY

logger = logging.getLogger("isthmus.job")

USER: Final = "schedule"
"""As whom scheduled jobs run."""

_TICK: Final = timedelta(seconds=1)
_SHORTEST_TICK: Final = timedelta(seconds=0.05)
_REST_S: Final = 60.0
"""Seconds in which a schedule that could not be begun is left alone by this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """How a schedule stands.

    Attributes:
        name: Model and method.
        spec: When it is due; ``off`` when settings or code say so.
        tz: Whose wall clock that is about.
        overlap: What happens when its job of before has not ended.
        channel: The lane of its jobs.
        overridden: True when the settings say when it is due.
        paused: True when a person said so.
        next_at: When it is due next; None while it is paused or off, and before the first worker.
        last_at: When its last job was made.
        last_job_id: That job; of those on several records the newest.
        last_state: The state of that job; None when it was cleaned away.
    """

    name: str
    spec: str
    tz: str
    overlap: str
    channel: str
    overridden: bool
    paused: bool = False
    next_at: datetime | None = None
    last_at: datetime | None = None
    last_job_id: int | None = None
    last_state: str | None = None


class Schedules:
    """The schedules of one installation.

    Args:
        engine: The hub's engine.
        times: Whose time counts.
        make_env: Opens a unit of work (``Hub.env``).
        put: Writes a job in its env's transaction.
    """

    def __init__(
        self, engine: Engine, times: Times, make_env: MakeEnv, put: Callable[[Call], JobRef]
    ) -> None:
        self._engine = engine
        self._times = times
        self._make_env = make_env
        self._put = put
        self._taken_over = False
        self._resting: dict[str, float] = {}

    # -- what code and settings say ------------------------------------------------------

    @cached_property
    def known(self) -> Mapping[str, Schedule]:
        """The schedules that this program's code and settings declare, by name."""
        with self._make_env(readonly=True) as env:
            return declared_schedules(env)

    @property
    def tick_every(self) -> timedelta:
        """How often `tick` is to be called: each second, or more often when a period is shorter."""
        tables = (schedule.timetable for schedule in self.known.values())
        periods = [table.period for table in tables if table is not None and table.period is not None]
        return max(min([_TICK, *periods]), _SHORTEST_TICK)

    def take_over(self) -> None:
        """Bring the table to what code and settings say; a worker's first tick does it.

        A schedule that is new, or whose times have changed, is due next by its new times; one whose
        method is gone is gone.
        """
        kind = pg_insert if self._engine.dialect.name == "postgresql" else sqlite_insert
        with self._changing("schedules taken over") as (env, now):
            there = _rows(env)
            # In one order, whoever does it: two workers that start together wait, and that is all.
            for name in sorted({*self.known, *there}):
                schedule, row = self.known.get(name), there.get(name)
                if schedule is None:
                    env.session.execute(delete(SCHEDULES).where(*_of(row)))
                    continue
                says = {"spec": schedule.spec, "override": schedule.override, "tz": schedule.mark.tz}
                first = None if schedule.timetable is None else schedule.timetable.first(now)
                if row is None:
                    new = {"model": schedule.model, "method": schedule.method, "next_at": first, **says}
                    env.session.execute(kind(SCHEDULES).values(new).on_conflict_do_nothing())
                elif any(getattr(row, column) != value for column, value in says.items()):
                    due = None if row.paused else first
                    env.session.execute(update(SCHEDULES).where(*schedule.row()).values(**says, next_at=due))
        self._taken_over = True

    # -- ticks ---------------------------------------------------------------------------

    def tick(self, *, without: Collection[str] = ()) -> int:
        """Make the jobs that are due; every worker calls it about once a second.

        Args:
            without: Leave out schedules whose jobs go to one of these lanes.

        Returns:
            How many jobs were made; 0 when the database is busy or away, too.
        """
        try:
            return self._tick(without)
        except DatabaseBusyError as exc:
            logger.info("no schedule can be begun now: %s", exc)
            return 0

    def _tick(self, without: Collection[str]) -> int:
        if not self._taken_over:
            self.take_over()
        count = 0
        for name in self._due():
            schedule = self.known.get(name)
            # One that is not known here is a newer program's.
            if schedule is not None and schedule.channel not in without:
                count += self._try(schedule)
        return count

    def _due(self) -> list[str]:
        statement = (
            select(SCHEDULES.c.model, SCHEDULES.c.method)
            .where(SCHEDULES.c.next_at.is_not(None), self._times.past(SCHEDULES.c.next_at))
            .order_by(SCHEDULES.c.next_at)
        )
        with self._engine.connect() as plain:
            # On SQLite it waits for no writer, and keeps none waiting.
            connection = plain.execution_options(**{READONLY: True})
            with connection.begin():
                return [f"{model}.{method}" for model, method in connection.execute(statement)]

    def _try(self, schedule: Schedule) -> int:
        if time.monotonic() < self._resting.get(schedule.name, 0.0):
            return 0
        try:
            return self._begin(schedule)
        except DatabaseBusyError:
            raise
        except Exception:
            # The others go on.
            logger.exception("schedule %s cannot be begun and is tried again in a minute", schedule.name)
            self._resting[schedule.name] = time.monotonic() + _REST_S
            return 0

    def _begin(self, schedule: Schedule) -> int:
        """Make the jobs of one schedule and move it on, in one transaction; 0 when another was first."""
        with self._make_env(user=USER) as env:
            row = env.session.execute(
                select(SCHEDULES)
                .where(*schedule.row(), self._times.past(SCHEDULES.c.next_at))
                .with_for_update(skip_locked=True)  # says nothing on SQLite: one writer
            ).one_or_none()
            if row is None:
                return 0
            env.transaction.mark(f"schedule {schedule.name}")
            turn = Turn(env, schedule, env.session.scalar(select(self._times.now())), self._put)
            turn.take(row.last_job_id)
            table = schedule.timetable
            due = None if table is None else table.after(row.next_at, turn.now)
            env.session.execute(update(SCHEDULES).where(*schedule.row()).values(next_at=due))
        return len(turn.made)

    # -- what people do --------------------------------------------------------------------

    def list(self) -> Sequence[ScheduleState]:
        """List the schedules of this program, by name."""
        with self._make_env(readonly=True) as env:
            rows = _rows(env)
            ids = [row.last_job_id for row in rows.values() if row.last_job_id is not None]
            jobs = env.session.execute(select(JOBS.c.id, JOBS.c.state).where(JOBS.c.id.in_(ids)))
            states = {int(job_id): str(state) for job_id, state in jobs}
        return [_standing(schedule, rows.get(name), states) for name, schedule in sorted(self.known.items())]

    def run(self, name: str) -> Sequence[int]:
        """Make the jobs of a schedule now, also of one that is paused or off; its times stay.

        Returns:
            The jobs.

        Raises:
            JobDefinitionError: When there is no such schedule.
            JobStateError: When its job of before has not ended, and it does not queue.
        """  # noqa: DOC502 - the first by what is called
        schedule = self._find(name)
        self.take_over()
        with self._changing(f"schedule {name} run by hand") as (env, now):
            turn = Turn(env, schedule, now, self._put)
            locked = select(SCHEDULES.c.last_job_id).where(*schedule.row()).with_for_update()
            turn.take(env.session.execute(locked).scalar_one())
        if turn.busy and not turn.made:
            raise JobStateError(f"{name} is not begun again: its job {turn.busy[0]} has not ended")
        return turn.made

    def pause(self, name: str) -> None:
        """Make no jobs of a schedule until `resume`.

        Raises:
            JobDefinitionError: When there is no such schedule.
        """  # noqa: DOC502 - raised by what is called
        self._set_paused(self._find(name), paused=True)

    def resume(self, name: str) -> None:
        """Go on with a schedule; what was missed is not made up for.

        Raises:
            JobDefinitionError: When there is no such schedule.
        """  # noqa: DOC502 - raised by what is called
        self._set_paused(self._find(name), paused=False)

    def _set_paused(self, schedule: Schedule, *, paused: bool) -> None:
        self.take_over()
        with self._changing(f"schedule {schedule.name} paused or resumed") as (env, now):
            due = None if paused or schedule.timetable is None else schedule.timetable.first(now)
            env.session.execute(
                update(SCHEDULES)
                .where(*schedule.row(), SCHEDULES.c.paused != paused)
                .values(paused=paused, next_at=due)
            )

    def _find(self, name: str) -> Schedule:
        if name not in self.known:
            raise JobDefinitionError(f"there is no schedule {name!r}{near(name, self.known)}")
        return self.known[name]

    @contextmanager
    def _changing(self, what: str) -> Iterator[tuple[Env, datetime]]:
        with self._make_env(user=USER) as env:
            env.transaction.mark(what)
            yield env, env.session.scalar(select(self._times.now()))


def _rows(env: Env) -> dict[str, "Row[Any]"]:
    rows = env.session.execute(select(SCHEDULES).where(SCHEDULES.c.record_id == ""))
    return {f"{row.model}.{row.method}": row for row in rows}


def _of(row: Any) -> tuple[Any, ...]:
    return (SCHEDULES.c.model == row.model, SCHEDULES.c.method == row.method)


def _standing(schedule: Schedule, row: "Row[Any] | None", states: Mapping[int, str]) -> ScheduleState:
    said: dict[str, Any] = {
        "name": schedule.name,
        "spec": schedule.spec if schedule.override is None else schedule.override,
        "tz": schedule.mark.tz,
        "overlap": schedule.mark.overlap,
        "channel": schedule.channel,
        "overridden": schedule.override is not None,
    }
    if row is None:
        return ScheduleState(**said)
    stands: dict[str, Any] = {
        name: getattr(row, name) for name in ("paused", "next_at", "last_at", "last_job_id")
    }
    return ScheduleState(**said, **stands, last_state=states.get(row.last_job_id))
