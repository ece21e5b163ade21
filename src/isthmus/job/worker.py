"""A worker: threads that claim and run jobs until they are told to stop."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, Self

from isthmus.errors import DatabaseBusyError
from isthmus.job.claimed import Claimed, Group
from isthmus.job.heartbeat import Heartbeat
from isthmus.job.outcome import Outcome
from isthmus.job.queue import Queue

logger = logging.getLogger("isthmus.job")

Timer = tuple[timedelta, Callable[[], object]]
"""Something to be done at the start and then again and again, and the time between."""

_WATCH_S: Final = 0.1
"""Seconds between two looks at the running jobs."""
_CLEAN_EVERY: Final = timedelta(minutes=1)
"""Time between two looks for ended jobs that are to be removed."""
_AFTER_TROUBLE_S: Final = 0.5
"""Seconds after which a thread whose database was away tries again."""


class Worker:
    """Runs jobs in threads of this process.

    ``with Worker(hub.queue) as worker: worker.join()``

    Args:
        queue: Whose jobs.
        threads: How many jobs at a time; None takes the settings'.
        channels: Take jobs of these lanes and those below them only; empty for all.
        timers: What else a worker does, such as the schedules; each has a thread of its own, is
            done at the start and then after each period.

    Attributes:
        on_claimed: Told each job that is about to run (of those that share a transaction the first).
        on_finished: Told the `Outcome` of each job.
        on_stuck: Called, when running jobs have ended or were handed back, because a job can only be
            ended with its process: it was cancelled or took too long, and does not stop. None, as in a
            program that must not end, leaves that job's thread to itself.
    """

    def __init__(
        self,
        queue: Queue,
        threads: int | None = None,
        *,
        channels: Sequence[str] = (),
        timers: Sequence[Timer] = (),
    ) -> None:
        self._queue = queue
        self.on_claimed: Callable[[Claimed], object] | None = None
        self.on_finished: Callable[[Outcome], object] | None = None
        self.on_stuck: Callable[[], object] | None = None
        self._stop = threading.Event()
        self._never = threading.Event()
        self._slept = True
        self._hint: str | None = None
        # Of idle threads one waits for work, the others stand in line behind it.
        self._turn = threading.Lock()
        self._heartbeat: Heartbeat | None = None
        count = queue.settings.threads if threads is None else threads
        queue.members.threads, queue.members.channels = count, tuple(channels)
        queue.claimer.only = tuple(channels)
        self._workers = [self._thread(self._work, f"isthmus-worker-{n + 1}") for n in range(count)]
        self._others = [self._thread(self._watch, "isthmus-watch")]
        self._others += [
            self._thread(self._repeat, f"isthmus-timer-{n + 1}", timer)
            for n, timer in enumerate((*timers, (_CLEAN_EVERY, self._clean)))
        ]

    @staticmethod
    def _thread(target: Callable[..., None], name: str, *args: Any) -> threading.Thread:
        # Daemons: a job that does not end must not keep a program from ending that was told to.
        return threading.Thread(target=target, name=name, args=args, daemon=True)

    # -- life --------------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to work."""
        self._queue.watch.on_stuck = None if self.on_stuck is None else self._break_off
        self._queue.claimer.tended = True
        self._heartbeat = self._queue.heartbeat().__enter__()
        for thread in (*self._workers, *self._others):
            thread.start()
        return self

    def stop(self) -> None:
        """Claim nothing more; returns at once, running jobs go on."""
        self._stop.set()
        self._queue.wake.nudge()

    def join(self, timeout: timedelta | None = None) -> bool:
        """Wait until the worker has stopped.

        Args:
            timeout: At most so long; None waits until running jobs have ended.

        Returns:
            True when every thread has ended. When not, `Queue.hand_back` gives the jobs back.
        """
        end = None if timeout is None else time.monotonic() + timeout.total_seconds()
        for thread in (*self._workers, *self._others):
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        if any(thread.is_alive() for thread in (*self._workers, *self._others)):
            return False
        if self._heartbeat is not None:
            self._heartbeat.__exit__()
            self._heartbeat = None
            self._queue.claimer.tended = False
            self._queue.leave()
        return True

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.join()

    def _break_off(self) -> None:
        """End this process for the sake of a job that does not stop, when the others have ended."""
        self._stop.set()
        self._queue.wake.nudge()
        end = time.monotonic() + self._queue.settings.grace_s
        while time.monotonic() < end and self._queue.watch.others_run:
            self._never.wait(_WATCH_S)
        self._queue.hand_back()
        if self.on_stuck is not None:
            self.on_stuck()

    # -- work --------------------------------------------------------------------------

    def claimed(self, job: Claimed) -> None:
        """Tell the observer that a job is about to run."""
        if self.on_claimed is not None:
            self.on_claimed(job)

    def finished(self, outcome: Outcome) -> None:
        """Tell the observer how a job ended."""
        if self.on_finished is not None:
            self.on_finished(outcome)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                group = self._next()
                if group is not None:
                    self._queue.run(group, self, until=self._stop)
            except DatabaseBusyError as exc:
                logger.info("no job can be claimed now: %s", exc)
                self._stop.wait(_AFTER_TROUBLE_S)
            except Exception:
                logger.exception("a worker's thread had an error outside a job and goes on")
                self._stop.wait(_AFTER_TROUBLE_S)
        self._queue.line.close()

    def _next(self) -> Group | None:
        """Claim jobs, or wait until there may be some."""
        queue = self._queue
        with self._turn:
            if self._stop.is_set():
                return None
            hint, self._hint = self._hint, None
            group = queue.claimer.claim(hint=hint)
            if group is not None:
                return group
            queue.wake.listen()
            if queue.members.set_idle(True):
                # What was committed until now has not called us.
                group = queue.claimer.claim()
            if group is None and not self._stop.is_set():
                self._hint = queue.wake.sleep(queue.claimer.next_due_s)
        return group

    def _watch(self) -> None:
        while not self._stop.is_set() or self._queue.is_busy:
            try:
                self._queue.watch.look()
            except DatabaseBusyError as exc:
                logger.info("running jobs cannot be looked after now: %s", exc)
            except Exception:
                logger.exception("looking after running jobs failed and is done again")
            self._let_sleepers_be_called()
            self._never.wait(_WATCH_S)
        self._queue.line.close()

    def _let_sleepers_be_called(self) -> None:
        """Be called idle no more when no thread has slept for two looks: each call costs those who commit."""
        sleeping = self._queue.wake.is_sleeping
        if not sleeping and not self._slept and self._queue.is_busy:
            try:
                self._queue.members.set_idle(False)
            except DatabaseBusyError as exc:
                logger.debug("this worker is still called when it need not be: %s", exc)
        self._slept = sleeping

    def _clean(self) -> None:
        self._queue.cleaner.sweep(lambda: not self._stop.is_set())

    def _repeat(self, timer: Timer) -> None:
        period, action = timer
        while not self._stop.is_set():
            try:
                action()
            except DatabaseBusyError as exc:
                logger.info("what a worker does every %s cannot be done now: %s", period, exc)
            except Exception:
                logger.exception("what a worker does every %s failed and is done again then", period)
            self._stop.wait(period.total_seconds())
        self._queue.line.close()
