"""What becomes of jobs, in the log: each line under the run that delayed the job."""

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING

from isthmus.cli import log

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.hub import Hub
    from isthmus.job import Outcome

logger = logging.getLogger("isthmus.worker")


class JobLog:
    """Is told of each job that this process runs, by any of its threads.

    Jobs that only look at backends, once a minute, are logged as details and not counted; one
    that fails is like any other.

    Args:
        hub: The hub.

    Attributes:
        ended: How many jobs there were, by how they ended.
        failures: Why jobs failed, a sentence for each.
    """

    def __init__(self, hub: "Hub") -> None:
        from isthmus.sync.polling import LANE

        self._hub = hub
        self._lock = threading.Lock()
        self.ended: Counter[str] = Counter()
        self.failures: list[str] = []
        self._quiet_lane = LANE
        self._looks: set[int] = set()

    def claimed(self, job_id: int) -> None:
        """Hear that a job is about to run."""
        job = self._hub.queue.show(job_id)
        log.bind(**{log.RUN: job.run_id, "isthmus_job_id": job_id})
        if job.channel == self._quiet_lane:
            self._looks.add(job_id)
        level = logging.DEBUG if job_id in self._looks else logging.INFO
        logger.log(level, "job begins", extra={"isthmus_job": f"{job.model}.{job.method}"})

    def finished(self, outcome: "Outcome") -> None:
        """Hear how it ended."""
        state = "lost" if outcome.state is None else str(outcome.state)
        looked = outcome.job_id in self._looks and state != "failed"
        self._looks.discard(outcome.job_id)
        with self._lock:
            if not looked:
                self.ended[state] += 1
            if state == "failed":
                self.failures.append(f"job {outcome.job_id} failed: {outcome.message}")
        reason = {"isthmus_reason": outcome.message} if outcome.message else {}
        level = logging.DEBUG if looked else logging.INFO
        logger.log(level, "job ended", extra={"isthmus_state": state, **reason})
        log.unbind()
