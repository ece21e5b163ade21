"""What becomes of jobs, in the log: each line under the run that delayed the job."""

import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from isthmus.cli import log

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.hub import Hub
    from isthmus.job import Claimed, Outcome
    from isthmus.job.desk.tally import Tally

logger = logging.getLogger("isthmus.worker")

_MOST_FAILURES: Final = 100


class _Begun(threading.local):
    """The job that each thread is at, or the first of those that share a transaction.

    Attributes:
        lane: The lane of all of them.
        since: When it began.
    """

    lane = ""
    since = 0.0


class JobLog:
    """Is told of each job that this process runs, by any of its threads.

    Jobs that only look at backends, once a minute, are logged as details and not counted; one
    that fails is like any other.

    Args:
        hub: The hub.
        tally: Counts for the metrics; None when nobody reads them.

    Attributes:
        ended: How many jobs there were, by how they ended.
        failures: Why jobs failed, a sentence for each; the first hundred.
    """

    def __init__(self, hub: "Hub", tally: "Tally | None" = None) -> None:
        from isthmus.sync.polling import LANE

        self._hub = hub
        self._tally = tally
        self._lock = threading.Lock()
        self.ended: Counter[str] = Counter()
        self.failures: list[str] = []
        self._quiet_lane = LANE
        self._begun = _Begun()

    def claimed(self, job: "Claimed") -> None:
        """Hear that a job is about to run."""
        self._begun.lane, self._begun.since = job.channel, time.monotonic()
        log.bind(**{log.RUN: job.run_id, "isthmus_job_id": job.id})
        level = logging.DEBUG if job.channel == self._quiet_lane else logging.INFO
        logger.log(level, "job begins", extra={"isthmus_job": job.label})
        if self._tally is not None and job.attempt == 1 and self._tally.wants_wait:
            row = self._hub.queue.show(job.id)
            if row.started_at is not None:
                self._tally.began((row.started_at - row.created_at).total_seconds())

    def finished(self, outcome: "Outcome") -> None:
        """Hear how it ended."""
        state = "lost" if outcome.state is None else str(outcome.state)
        looked = self._begun.lane == self._quiet_lane and state != "failed"
        with self._lock:
            if not looked:
                self.ended[state] += 1
            if state == "failed" and len(self.failures) < _MOST_FAILURES:
                self.failures.append(f"job {outcome.job_id} failed: {outcome.message}")
        reason = {"isthmus_reason": outcome.message} if outcome.message else {}
        level = logging.DEBUG if looked else logging.INFO
        # Of jobs that share a transaction only the first was heard of before.
        about = {"isthmus_job_id": outcome.job_id, "isthmus_state": state, **reason}
        logger.log(level, "job ended", extra=about)
        if self._tally is not None:
            now = time.monotonic()
            seconds = now - self._begun.since
            self._tally.ended(self._begun.lane, outcome.state, seconds=seconds, error_type=outcome.error_type)
            self._begun.since = now
        log.unbind()
