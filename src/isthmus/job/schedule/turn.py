"""One turn of a schedule: the jobs that are made when it is due."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import delete, insert, select, update

from isthmus.env import Env
from isthmus.job.call import Call, JobRef
from isthmus.job.moves import move
from isthmus.job.options import Options
from isthmus.job.schedule.declared import Schedule
from isthmus.job.schedule.table import SCHEDULES
from isthmus.job.state import State
from isthmus.job.table import JOBS

_ENDED: Final = frozenset({State.DONE, State.FAILED, State.CANCELLED})


@dataclass(slots=True)
class Turn:
    """Makes the jobs of one schedule, in the env's transaction, which has its row locked.

    Attributes:
        env: The unit of work.
        schedule: The schedule.
        now: The present.
        put: Writes a job.
        made: The jobs that were made.
        busy: Jobs of before that have not ended and stand in the way.
    """

    env: Env
    schedule: Schedule
    now: datetime
    put: Callable[[Call], JobRef]
    made: list[int] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)

    def take(self, last_job_id: int | None) -> None:
        """Make a job for the model, or one for each record.

        Args:
            last_job_id: The schedule's job of before.
        """
        model = self.env[self.schedule.model]
        each = self.schedule.mark.each
        if each is None:
            self._make("", model, last_job_id)
        else:
            records = {str(record.id): record for record in model.search(list(each))}
            last = self._last_by_record()
            for record_id in last.keys() - records.keys():
                self.env.session.execute(delete(SCHEDULES).where(*self.schedule.row(record_id)))
            for record_id, record in records.items():
                self._make(record_id, record, last.get(record_id))
        if self.made:
            noted = {"last_at": self.now, "last_job_id": self.made[-1]}
            self.env.session.execute(update(SCHEDULES).where(*self.schedule.row()).values(**noted))

    def _last_by_record(self) -> dict[str, int]:
        rows = select(SCHEDULES.c.record_id, SCHEDULES.c.last_job_id).where(
            *self.schedule.rows(), SCHEDULES.c.record_id != ""
        )
        return {record_id: int(job_id) for record_id, job_id in self.env.session.execute(rows)}

    def _make(self, record_id: str, target: Any, before: int | None) -> None:
        state = self._state(before)
        mark = self.schedule.mark
        if before is not None and state not in {None, *_ENDED} and mark.overlap == "skip":
            self.busy.append(before)
            return
        job_id = self._put(record_id, target)
        if state is State.FAILED and mark.replace_failed:
            # One that others wait for stays.
            failed = move(State.FAILED, State.CANCELLED, JOBS.c.id == before, JOBS.c.graph_id.is_(None))
            self.env.session.execute(failed.values(superseded_by=job_id))
        if record_id:
            self._note(record_id, job_id, known=before is not None)
        self.made.append(job_id)

    def _state(self, job_id: int | None) -> State | None:
        """Give a job's state; None when there is none, or it was cleaned away."""
        if job_id is None:
            return None
        found = self.env.session.scalar(select(JOBS.c.state).where(JOBS.c.id == job_id))
        return None if found is None else State(found)

    def _put(self, record_id: str, target: Any) -> int:
        # Each job is a run of its own, in log and journal.
        self.env.run_id = uuid4().hex[:12]
        name = self.schedule.name
        key = f"schedule/{name}/{record_id}" if self.schedule.mark.overlap == "skip" else None
        ref = self.put(Call.make(target, self.schedule.method, (), {}, Options(identity_key=key)))
        return int(ref.id or 0)

    def _note(self, record_id: str, job_id: int, *, known: bool) -> None:
        noted = {"last_at": self.now, "last_job_id": job_id}
        if known:
            self.env.session.execute(update(SCHEDULES).where(*self.schedule.row(record_id)).values(**noted))
        else:
            key = {"model": self.schedule.model, "method": self.schedule.method, "record_id": record_id}
            self.env.session.execute(insert(SCHEDULES).values(**key, **noted))
