"""One run of ``sync``, and the sentence about it."""

from collections import Counter

from isthmus.cli.run import Run
from isthmus.job import Outcome, State
from isthmus.sync import Report


def a_run(here: Report, there: Report) -> Run:
    """Make a run that has gone, without a hub."""
    return Run(None, "trello", "run0", here=here, there=there)  # type: ignore[arg-type]


def test_the_sentence_says_what_happened_on_which_side() -> None:
    """
    Import, jobs and export each have their part; what did nothing is not mentioned.
    """
    run = a_run(Report(Counter(created=2)), Report(Counter(updated=1)))
    run.jobs.finished(Outcome(1, State.DONE))
    run.jobs.finished(Outcome(2, State.PENDING, "locked"))

    assert run.sentence() == "here: 2 created; jobs: 1 done, 1 to come back later; there: 1 updated"


def test_a_run_without_changes_says_why_once() -> None:
    """
    The reasons of both sides are joined, equal ones are said once.
    """
    run = a_run(Report(notes=["no changes since the cursor"]), Report(notes=["no changes since the cursor"]))

    assert run.sentence() == "nothing changed: no changes since the cursor"


def test_a_parked_record_is_told_although_nothing_changed() -> None:
    """
    What went into the inbox is news.
    """
    run = a_run(Report(Counter(parked=1, unchanged=3)), Report(notes=["nothing to send"]))

    assert run.sentence() == "here: 1 parked, 3 unchanged"


def test_a_job_that_failed_is_a_failure_of_the_run() -> None:
    """
    Its reason is kept for the last line.
    """
    run = a_run(Report(), Report())

    run.jobs.finished(Outcome(7, State.FAILED, "no such record"))

    assert run.jobs.failures == ["job 7 failed: no such record"]
