"""The page on metrics is about the metrics that there are."""

import re
from datetime import timedelta
from pathlib import Path

from isthmus.clock import SystemClock
from isthmus.job import State
from isthmus.job.desk.metrics import STATES, QueueCollector, Standing
from isthmus.job.desk.overview import LaneLoad, SlotUse, WorkerSeen
from isthmus.job.desk.tally import OUTCOMES, Tally

PAGE = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text()


def standing() -> Standing:
    """Make a queue that has something of everything."""
    worker = WorkerSeen(
        id=1, host="h", pid=1, threads=1, channels=(), started_at=SystemClock().now(),
        silent=timedelta(0), leaving=False, alive=True, left=timedelta(0),
    )  # fmt: skip
    return Standing(
        lanes=[LaneLoad(lane="root")],
        ages={"root": 0.0},
        slots={"root": SlotUse(lane="root")},
        capacities={"root": 1},
        workers=[worker],
    )


def tally() -> Tally:
    """Make one that has counted something of everything."""
    made = Tally()
    made.ended("root", State.FAILED, seconds=1, error_type="m.E")
    made.began(1)
    return made


def test_every_metric_is_in_the_tables() -> None:
    """
    Names, types and labels are those that a scrape finds, in its order.
    """
    found = [
        (
            family.name + ("_total" if family.type == "counter" else ""),
            family.type,
            sorted({label for sample in family.samples for label in sample.labels} - {"le"}),
        )
        for family in QueueCollector(standing, tally).collect()
    ]

    rows = re.findall(r"(?m)^\| `(isthmus_\w+)` \| (\w+) \| (.*?) ?\|", PAGE)
    listed = [(name, kind, sorted(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows]

    assert listed == found


def test_every_value_of_a_label_is_explained() -> None:
    """
    States of jobs and outcomes stand on the page.
    """
    states = re.search(r"(?m)^States of .*$", PAGE)
    outcomes = re.search(r"(?m)^Outcomes: .*$", PAGE)

    assert states is not None
    assert outcomes is not None
    assert re.findall(r"`(\w+)`", states.group())[1:] == list(STATES)
    assert re.findall(r"`(\w+)`", outcomes.group()) == list(OUTCOMES)
