"""The contests: who plays what, and what is aimed at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from contestant import BATCH, BATCH_ROW, NOOP, PICKUP, ROW, Contestant, Setup
from measure import Figures, Measure

Play = Callable[[Measure, Contestant, str, Setup], Figures]


@dataclass(frozen=True)
class Aim:
    """What Isthmus shall reach.

    Attributes:
        text: The aim, in words.
        measure: Which measure it is about.
        beside: Whose figure it is compared with; empty for none.
        factor: Times that figure, or the figure itself.
        most: True when ours may be that much at most, False when it shall be that much at least.
        whose: Whose figure is judged.
    """

    text: str
    measure: str
    beside: str
    factor: float
    most: bool = False
    whose: str = "isthmus"


@dataclass(frozen=True)
class Contest:
    """One table.

    Attributes:
        key: Its name for ``--only``.
        title: What is measured.
        kind: The kind of jobs.
        players: Names, in the order of the table.
        measures: What each run gives; the first decides which setup is the best.
        play: Measures one player once.
        aims: What is aimed at.
        smaller: True when the smaller figure is the better one.
        setups: How many setups of each player are tried, at most; 0 when no workers of that kind are there.
        note: What a reader must know.
    """

    key: str
    title: str
    kind: str
    players: Sequence[str]
    play: Play
    measures: Sequence[str] = ("jobs/s",)
    aims: Sequence[Aim] = field(default=())
    smaller: bool = False
    setups: int = 9
    note: str = ""


CONTESTS = (
    Contest(
        "noop", "A job that does nothing, a commit per job", NOOP,
        ("raw", "isthmus", "procrastinate", "pgqueuer", "celery"), Measure.drain,
        aims=(
            Aim("at least 60 % of the raw loop", "jobs/s", "raw", 0.6),
            Aim("at least 3 x procrastinate", "jobs/s", "procrastinate", 3.0),
        ),
        note="pgqueuer finishes its jobs ten at a time and keeps no finished row; Celery keeps nothing.",
    ),
    Contest(
        "row", "A job that writes one row, exactly once", ROW, ("raw", "isthmus"), Measure.drain,
        aims=(Aim("at least 40 % of the raw loop that does the same", "jobs/s", "raw", 0.4),),
    ),
    Contest(
        "batch", "Jobs that do nothing, many in one transaction (raw 100, others up to 1,000)", BATCH,
        ("raw", "isthmus", "pgqueuer"),
        Measure.drain,
        aims=(Aim("at least pgqueuer", "jobs/s", "pgqueuer", 1.0),),
        note="The raw loop commits its claim and its end: two commits for a hundred jobs.",
    ),
    Contest(
        "batch-row", "Jobs that write one row each, 100 in one transaction with savepoints", BATCH_ROW,
        ("raw", "isthmus"), Measure.drain,
        aims=(Aim("at least 30 % of the raw loop with savepoints", "jobs/s", "raw", 0.3),),
    ),
    Contest(
        "enqueue", "Delaying with a commit each, one connection", NOOP,
        ("raw", "isthmus", "procrastinate", "pgqueuer", "celery"), Measure.enqueue, setups=0,
        aims=(Aim("at least 70 % of a raw insert that also notifies", "jobs/s", "raw", 0.7),),
        note="No worker is there: who notifies only when one is idle does not notify.",
    ),
    Contest(
        "bulk", "Delaying many in one call", NOOP, ("raw", "isthmus", "procrastinate", "pgqueuer"),
        Measure.bulk, setups=0,
        aims=(Aim("at least 80,000 jobs/s", "jobs/s", "", 80_000),),
        note="The raw insert is one statement over an array.",
    ),
    Contest(
        "pickup", "Milliseconds until an idle worker has begun a job", PICKUP,
        ("raw", "isthmus", "procrastinate", "pgqueuer", "celery"), Measure.pickup,
        measures=("p50 ms", "p99 ms", "p50 ms from return", "p99 ms from return"), smaller=True,
        setups=1,
        aims=(
            Aim("p50 not above procrastinate's", "p50 ms", "procrastinate", 1.0, most=True),
            Aim("p99 not above procrastinate's", "p99 ms", "procrastinate", 1.0, most=True),
        ),
        note="From the beginning of the call that delays the job; in the last two columns from its return,"
        " where a figure below zero says that the worker was faster than the answer to the commit.",
    ),
    Contest(
        "idle", "Processor time of an idle worker process", PICKUP,
        ("raw", "isthmus", "procrastinate", "pgqueuer", "celery"), Measure.idle, measures=("% CPU",),
        smaller=True, setups=1,
        aims=(Aim("under 1 % of a processor", "% CPU", "", 1.0, most=True),),
    ),
    Contest(
        "growth", "The same beside many finished and future jobs", NOOP, ("isthmus", "isthmus grown"),
        Measure.drain,
        aims=(
            Aim("within 15 % of the empty table", "jobs/s", "isthmus", 0.85, whose="isthmus grown"),
        ),
    ),
    Contest(
        "sqlite", "SQLite, synchronous=FULL, a row per job", ROW, ("isthmus sqlite",), Measure.drain,
        aims=(Aim("at least 1,000 jobs/s", "jobs/s", "", 1_000, whose="isthmus sqlite"),),
    ),
)  # fmt: skip
"""All of them, in the order of the report."""
