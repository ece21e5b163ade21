"""Running claimed jobs: effects and ending are committed together, or not at all."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from typing import Any, Final, NoReturn

from isthmus.env import Env
from isthmus.errors import IsthmusError, JobCancelledError, LeaseLostError, SkipRecord
from isthmus.job.claimed import Claimed, Group
from isthmus.job.definition import JobMark, Marks, find_definition
from isthmus.job.failure import Failure, as_retryable, wait_at_no_cost, wait_before_retry
from isthmus.job.graph.parents import Parents
from isthmus.job.outcome import Outcome, Outcomes
from isthmus.job.payload import browse, dump_result, load_arguments, load_context
from isthmus.job.state import State

logger = logging.getLogger("isthmus.job")

MakeEnv = Callable[..., AbstractContextManager[Env]]

LARGEST_RESULT: Final = 64_000
"""Bytes of a job's result."""
MANY_DEFERRALS: Final = 100
"""After so many returns at no cost in a row a person is told, and again after as many more."""
_LONGEST_REASON: Final = 4_000


class Fence:
    """Lets a job commit only while its claim holds, and marks it done with its effects.

    Args:
        env: The job's unit of work.
        job: The claim.
        outcomes: Makes the statements.
    """

    def __init__(self, env: Env, job: Claimed, outcomes: Outcomes) -> None:
        self._env = env
        self._job = job
        self._outcomes = outcomes
        self.finished = False
        env.transaction.guards.append(self.check)

    def check(self) -> None:
        """Refuse a commit after the claim was lost."""
        if not self.finished:
            self._insist(self._outcomes.check(self._connection, self._job))

    def finish(self, result: str | None) -> None:
        """Mark the job done in the transaction of its effects."""
        self._env.flush()
        self._insist(self._outcomes.finish(self._connection, self._job, result))
        self.finished = True

    @property
    def _connection(self) -> Any:
        return self._env.session.connection()

    def _insist(self, held: bool) -> None:
        """Go on while our claim holds."""
        if not held:
            _refuse(self._job)


def _refuse(job: Claimed) -> NoReturn:
    """Refuse to commit what a job did.

    Raises:
        LeaseLostError: Always.
    """
    raise LeaseLostError(
        f"job {job.id} was taken over or cancelled while attempt {job.attempt} ran; "
        f"what it did is not committed"
    )


class _OneFailedError(Exception):
    """A job of a batch failed."""


class Execution:
    """What a thread is doing: a job, or several that share a transaction.

    Args:
        jobs: The jobs.
        timeout: How long it may take; None sets no limit.

    Attributes:
        env: The unit of work, once there is one.
        since: When it began (`time.monotonic`).
        stopped: Why it was told to stop; None while it may go on.
        stopped_at: When that was.
    """

    def __init__(self, jobs: Sequence[Claimed], timeout: timedelta | None) -> None:
        self.jobs = jobs
        self.limit_s = None if timeout is None else timeout.total_seconds()
        self.env: Env | None = None
        self.since = time.monotonic()
        self.stopped: IsthmusError | None = None
        self.stopped_at = 0.0

    @property
    def is_late(self) -> bool:
        """True when it takes longer than it may."""
        return self.limit_s is not None and time.monotonic() - self.since > self.limit_s

    def stop(self, reason: IsthmusError) -> None:
        """Let the next use of its env raise."""
        if self.stopped is None:
            self.stopped, self.stopped_at = reason, time.monotonic()
            if self.env is not None:
                self.env.interrupt = reason

    def cut(self) -> None:
        """Undo what its transaction has done, whatever its thread is at."""
        if self.env is not None:
            self.env.transaction.cut()


class Runner:
    """Runs claimed jobs.

    Args:
        make_env: Opens a unit of work (``Hub.env``).
        outcomes: Writes the endings.
        marks: Finds what ``@job`` says of a model's method.

    Attributes:
        executions: What is under way, by thread.
        on_many_deferrals: Told of a job that keeps coming back at no cost, in a unit of work.
    """

    def __init__(self, make_env: MakeEnv, outcomes: Outcomes, marks: Marks) -> None:
        self._make_env = make_env
        self._outcomes = outcomes
        self._marks = marks
        self.executions: dict[int, Execution] = {}
        outcomes.on_failed = self._tell_of_failure
        self.on_many_deferrals: Callable[[Env, Claimed, str], object] | None = None

    # -- running -----------------------------------------------------------------------

    def run_next(self, group: Group) -> list[Outcome]:
        """Run the next job of a claim, or the next ones that share a transaction; none is left: empty."""
        job = group.take()
        if job is None:
            return []
        mark = self._marks.of(job.model, job.method)
        if mark.batch > 1 and not job.alone:
            jobs = group.join(job, mark.batch)
            if len(jobs) > 1:
                return self._run_batch(jobs, mark)
        return [self._run(job, mark)]

    def break_off(self) -> None:
        """Stop what is under way, and undo what it has done, because its jobs are run by others."""
        for execution in list(self.executions.values()):
            execution.stop(JobCancelledError("its process ends, and others run its jobs"))
            execution.cut()

    @contextmanager
    def _execution(self, jobs: Sequence[Claimed], mark: JobMark) -> Iterator[Execution]:
        me = threading.get_ident()
        limit = None if mark.timeout is None else mark.timeout * len(jobs)
        execution = self.executions[me] = Execution(jobs, limit)
        try:
            yield execution
        finally:
            del self.executions[me]

    def _run(self, job: Claimed, mark: JobMark) -> Outcome:
        with self._execution([job], mark) as execution:
            try:
                return self._perform(job, execution)
            except SkipRecord as skip:
                message = dump_result(job.label, str(skip)[:_LONGEST_REASON], LARGEST_RESULT)
                done = self._outcomes.done(job, message)
                return Outcome(job.id, State.DONE if done else None, str(skip))
            except KeyboardInterrupt:
                self._outcomes.unclaim(job)
                raise
            except BaseException as exc:  # noqa: BLE001 - also what ends a thread, such as SystemExit
                return self._fail(job, mark, exc)

    def _perform(self, job: Claimed, execution: Execution) -> Outcome:
        with self._make_env(user=job.user, run_id=job.run_id, **load_context(job.ctx)) as env:
            env.job_id = str(job.id)
            execution.env = env
            env.interrupt = execution.stopped
            fence = Fence(env, job, self._outcomes)
            result = dump_result(job.label, call(env, job), LARGEST_RESULT)
            if execution.stopped is not None:
                raise execution.stopped
            if env.transaction.used:
                fence.finish(result)
        if not fence.finished and not self._outcomes.done(job, result):
            return Outcome(job.id, None, "another has taken the job over")
        return Outcome(job.id, State.DONE)

    # -- batches -----------------------------------------------------------------------

    def _run_batch(self, jobs: Sequence[Claimed], mark: JobMark) -> list[Outcome]:
        """Run jobs in one transaction; those for which that does not go well are run alone after it.

        Most batches go well: they are tried as if nothing could fail. When one of the jobs fails, nothing is
        committed, and they are run again with a savepoint for each that uses its env.

        Raises:
            KeyboardInterrupt: When a person stops it; the jobs are handed back.
        """
        together: set[int] = set()
        with self._execution(jobs, mark) as execution:
            try:
                try:
                    together = self._perform_batch(jobs, execution, apart=False)
                except _OneFailedError:
                    if execution.stopped is None:
                        together = self._perform_batch(jobs, execution, apart=True)
            except KeyboardInterrupt:
                for job in jobs:
                    self._outcomes.unclaim(job)
                raise
            except BaseException as exc:  # noqa: BLE001 - nothing is committed; each is run alone and tells
                logger.info("%s jobs %s are run one by one: %s", len(jobs), jobs[0].label, type(exc).__name__)
        outcomes = [Outcome(job.id, State.DONE) for job in jobs if job.id in together]
        return outcomes + [self._run(job, mark) for job in jobs if job.id not in together]

    def _perform_batch(self, jobs: Sequence[Claimed], execution: Execution, *, apart: bool) -> set[int]:
        """Run jobs in one transaction; gives those that are committed. When one was lost, none is.

        Args:
            jobs: The jobs.
            execution: This thread's.
            apart: True keeps what one job does apart from the others, so that a failure is its own.

        Raises:
            _OneFailedError: When one fails that is not kept apart; nothing is committed.
        """
        first = jobs[0]
        results: dict[int, str | None] = {}
        committed = False
        with self._make_env(user=first.user, run_id=first.run_id, **load_context(first.ctx)) as env:
            execution.env = env
            env.interrupt = execution.stopped
            with env.inside("a batch of jobs"):
                for job in jobs:
                    env.job_id, env.run_id = str(job.id), job.run_id
                    env.memo.clear()
                    if apart:
                        # What goes wrong is told by the run alone that follows.
                        with suppress(Exception):
                            with env.transaction.part():
                                result = dump_result(job.label, call(env, job), LARGEST_RESULT)
                            results[job.id] = result
                        continue
                    try:
                        results[job.id] = dump_result(job.label, call(env, job), LARGEST_RESULT)
                        env.flush()
                    except Exception as exc:
                        raise _OneFailedError from exc
            if results and env.transaction.used:
                env.flush()
                committed = self._outcomes.finish_all(env.session.connection(), results, first)
                if not committed:
                    _refuse(first)
        if results and not committed and not self._outcomes.done_all(results, first):
            _refuse(first)
        return set(results)

    # -- failures ----------------------------------------------------------------------

    def _fail(self, job: Claimed, mark: JobMark, error: BaseException) -> Outcome:
        if isinstance(error, JobCancelledError):
            logger.info("job %s (%s) stopped: %s", job.id, job.label, error)
            return Outcome(job.id, None, str(error))
        failure = Failure.of(error)
        extra = {"isthmus_job_id": job.id, "isthmus_job": job.label}
        retryable = as_retryable(error)
        if retryable is None:
            state = self._outcomes.fail(job, failure)
            # Not the exception itself: a formatter would print the values that `Failure` leaves out.
            logger.error("job %s (%s) failed: %s", job.id, job.label, failure.message, extra=extra)
            logger.debug("%s", failure.traceback, extra=extra)
        elif retryable.ignore_retry:
            wait = wait_at_no_cost(retryable, job.deferrals)
            state = self._outcomes.defer(job, failure, wait)
            logger.info(
                "job %s (%s) comes back for the %s. time: %s",
                job.id, job.label, job.deferrals + 1, failure.message, extra=extra,
            )  # fmt: skip
            if (job.deferrals + 1) % MANY_DEFERRALS == 0:
                self._tell_of_deferrals(job, failure)
        else:
            wait = wait_before_retry(retryable, mark, job.retry + 1)
            state = self._outcomes.retry(job, failure, wait)
            logger.info(
                "job %s (%s) could not be done now: %s", job.id, job.label, failure.message, extra=extra
            )
        return Outcome(job.id, state, failure.message, failure.type)

    def _tell_of_failure(self, job: Claimed, failure: Failure) -> None:
        """Call the method that wants to know, in a transaction of its own; its own failure is only logged."""
        mark = self._marks.of(job.model, job.method)
        if not mark.on_fail:
            return
        try:
            with self._make_env(user=job.user, run_id=job.run_id, **load_context(job.ctx)) as env:
                env.job_id = str(job.id)
                getattr(target_of(env, job), mark.on_fail)(failure.type, failure.message)
        except Exception as exc:  # noqa: BLE001 - the job has failed already, which is stored
            _warn("on_fail of job %s (%s) failed: %s", job, exc)

    def _tell_of_deferrals(self, job: Claimed, failure: Failure) -> None:
        logger.warning("job %s (%s) keeps coming back: %s", job.id, job.label, failure.message)
        if self.on_many_deferrals is None:
            return
        try:
            with self._make_env(user=job.user, run_id=job.run_id) as env:
                self.on_many_deferrals(env, job, failure.message)
        except Exception as exc:  # noqa: BLE001 - it comes back, and is told of again
            _warn("nobody could be told that job %s (%s) keeps coming back: %s", job, exc)


def _warn(message: str, job: Claimed, error: BaseException) -> None:
    # Without the exception itself: a formatter would print the values that `Failure` leaves out.
    logger.warning(message, job.id, job.label, Failure.of(error).message)


def target_of(env: Env, job: Any) -> Any:
    """Give the model or record on which a stored job calls its method."""
    return env[job.model] if job.record_id is None else browse(env, job.model, job.record_id)


def call(env: Env, job: Any) -> Any:
    """Make the call of a stored job in an env.

    Args:
        env: Where to run it.
        job: Has model, record_id, method and payload of a job's row.
    """
    target = target_of(env, job)
    definition = find_definition(target, job.method)
    args, kwargs = load_arguments(job.payload, env)
    env.parents = Parents(env, job.id)
    return getattr(target, definition.name)(*args, **kwargs)
