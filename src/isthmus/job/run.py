"""Running a claimed job: its effects and its ending are committed together, or not at all."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final

from isthmus.env import Env
from isthmus.errors import IsthmusError, LeaseLostError, SkipRecord
from isthmus.job.claimed import Claimed
from isthmus.job.definition import JobMark, find_definition
from isthmus.job.failure import Failure, as_retryable, wait_at_no_cost, wait_before_retry
from isthmus.job.outcome import Outcome, Outcomes
from isthmus.job.payload import browse, dump_result, load_arguments, load_context
from isthmus.job.state import State

logger = logging.getLogger("isthmus.job")

MakeEnv = Callable[..., AbstractContextManager[Env]]

LARGEST_RESULT: Final = 64_000
"""Bytes of a job's result."""
_LONGEST_REASON: Final = 4_000
_MANY_DEFERRALS: Final = 100


class Fence:
    """Lets a job commit only while its claim holds, and marks it done with its effects.

    Args:
        env: The job's unit of work.
        job: The claim.
        outcomes: Makes the statements.
        lease: How long the claim holds from each commit on.
    """

    def __init__(self, env: Env, job: Claimed, outcomes: Outcomes, lease: timedelta) -> None:
        self._env = env
        self._job = job
        self._outcomes = outcomes
        self._lease = lease
        self.finished = False
        env.transaction.guards.append(self.check)

    def check(self) -> None:
        """Refuse a commit after the claim was lost; one that holds is prolonged."""
        if not self.finished:
            self._execute(self._outcomes.holding(self._job, self._lease))

    def finish(self, result: str | None) -> None:
        """Mark the job done in the transaction of its effects."""
        self._execute(self._outcomes.done_statement(self._job, result))
        self.finished = True

    def _execute(self, statement: Any) -> None:
        """Execute a statement that concerns our claim's row.

        Raises:
            LeaseLostError: When it is no longer ours.
        """
        if self._env.session.execute(statement).rowcount != 1:
            raise LeaseLostError(
                f"job {self._job.id} was taken over or cancelled while attempt {self._job.attempt} ran; "
                f"what it did is not committed"
            )


class Runner:
    """Runs claimed jobs.

    Args:
        make_env: Opens a unit of work (``Hub.env``).
        outcomes: Writes the endings.
        lease: How long a claim holds from each commit on.
    """

    def __init__(self, make_env: MakeEnv, outcomes: Outcomes, lease: timedelta) -> None:
        self._make_env = make_env
        self._outcomes = outcomes
        self._lease = lease

    def run(self, job: Claimed) -> Outcome:
        """Run a job once, whatever it does, and write how it ended.

        Raises:
            KeyboardInterrupt: When a person stops it; the job is handed back.
        """
        try:
            return self._perform(job)
        except SkipRecord as skip:
            message = dump_result(job.label, str(skip)[:_LONGEST_REASON], LARGEST_RESULT)
            done = self._outcomes.done(job, message)
            return Outcome(job.id, State.DONE if done else None, str(skip))
        except KeyboardInterrupt:
            self._outcomes.hand_back(job)
            raise
        except BaseException as exc:  # noqa: BLE001 - also what ends a thread, such as SystemExit
            return self._fail(job, exc)

    def _perform(self, job: Claimed) -> Outcome:
        with self._make_env(user=job.user, run_id=job.run_id, **load_context(job.ctx)) as env:
            env.job_id = str(job.id)
            fence = Fence(env, job, self._outcomes, self._lease)
            result = dump_result(job.label, call(env, job), LARGEST_RESULT)
            if env.transaction.used:
                fence.finish(result)
        if not fence.finished and not self._outcomes.done(job, result):
            return Outcome(job.id, None, "another has taken the job over")
        return Outcome(job.id, State.DONE)

    def _fail(self, job: Claimed, error: BaseException) -> Outcome:
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
            level = logging.WARNING if job.deferrals + 1 >= _MANY_DEFERRALS else logging.INFO
            logger.log(
                level, "job %s (%s) comes back for the %s. time: %s",
                job.id, job.label, job.deferrals + 1, failure.message, extra=extra,
            )  # fmt: skip
        else:
            wait = wait_before_retry(retryable, self._mark(job), job.retry + 1)
            state = self._outcomes.retry(job, failure, wait)
            logger.info(
                "job %s (%s) could not be done now: %s", job.id, job.label, failure.message, extra=extra
            )
        return Outcome(job.id, state, failure.message)

    def _mark(self, job: Claimed) -> JobMark:
        """Give what ``@job`` says now; the method's own failure may be that it is no longer there."""
        try:
            with self._make_env(readonly=True) as env:
                return find_definition(target_of(env, job), job.method).mark
        except IsthmusError:
            return JobMark()


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
    return getattr(target, definition.name)(*args, **kwargs)
