"""The page on delaying work shows code that runs and lists the options that there are."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from isthmus.job import JobMark, job
from isthmus.job.call import CONTEXT_KEYS
from isthmus.job.failure import DEFAULT_RETRY, QUICK_RETRY
from isthmus.job.options import KNOWN
from isthmus.job.payload import LARGEST
from isthmus.job.run import LARGEST_RESULT

PAGE = (Path(__file__).parents[2] / "docs/howto/delay-work.md").read_text()
BLOCKS = re.findall(r"(?s)```python\n(.*?)```", PAGE)


def options_of(heading: str) -> list[str]:
    """List the first column of the table whose head begins so."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return re.findall(r"(?m)^\| `(\w+)` \|", table)


def test_the_examples_do_what_the_page_says(isthmus_hub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Jobs are done, wait, fail and are told of as the text beside them says.
    """
    first, *others = BLOCKS
    names: dict[str, Any] = {"__name__": "delay_page"}
    exec(first, names)
    names["hub"] = hub = isthmus_hub(extensions=[names["ProjectJobs"]])
    for block in others:
        exec(block, names)
    hub.queue.run_pending()

    with hub.env() as env:
        made = sorted(project.name for project in env["project.project"].search([]))
    jobs = hub.queue.list(limit=500)
    states = {found.method: found.state for found in jobs}
    later = hub.queue.show(names["job_ref"].id)
    prepared = next(found for found in jobs if found.description == "The prepared one")

    assert capsys.readouterr().out == f"{later.id} Give the project another name.\n"
    assert (later.state, later.priority) == ("pending", 5)
    assert (prepared.state, prepared.priority) == ("done", 3)
    assert states["check"] == "failed"
    assert sum(found.method == "add_row" for found in jobs) == 201
    assert sum(name.startswith("Row ") for name in made) == 200
    assert {"At once", "Prepared", "Trapped", "ValueError: a name of 7 characters"} <= set(made)
    assert sum("Once" in name for name in made) == 1
    assert sum(found.method == "rename" and found.state == "done" for found in jobs) == 1


def test_the_shop_that_is_closed_is_asked_again(isthmus_hub: Any) -> None:
    """
    The method that leaves its transaction writes its answer, and comes back when the other system is away.
    """
    names: dict[str, Any] = {"__name__": "delay_page"}
    exec(BLOCKS[0], names)
    hub = isthmus_hub(extensions=[names["ProjectJobs"]])
    with hub.env() as env:
        create = env["project.project"].create
        shut = create({"name": "Closed"}).with_delay().offer()
        create({"name": "Open"}).with_delay().offer()
    hub.queue.run_pending()

    with hub.env() as env:
        made = sorted(project.name for project in env["project.project"].search([]))
    found = hub.queue.show(shut.id)

    assert made == ["Closed", "Open (offer 4)"]
    assert (found.state, found.retry, found.channel) == ("pending", 1, "root.shop")


def test_every_option_is_in_its_table() -> None:
    """
    Those of the mark and those of a call, in the order of the code.
    """
    marks = [name for name in inspect.signature(job).parameters if name != "method"]

    assert options_of("option of `@job`") == marks
    assert options_of("option of `with_delay`") == list(KNOWN)


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    """
    Limits, default waits and the keys of the context that go along.
    """
    mark = JobMark()
    along = PAGE.partition("of the context ")[2].partition("\n")[0]

    assert f"more than {LARGEST:,} bytes" in PAGE
    assert f"up to {LARGEST_RESULT:,} bytes" in PAGE
    assert f"else {QUICK_RETRY.seconds} seconds after" in PAGE
    assert f"and {DEFAULT_RETRY.seconds // 60} minutes after" in PAGE
    assert f"the first one included; 0 sets no limit | {mark.max_retries} |" in PAGE
    assert re.findall(r"`(\w+)`", along) == list(CONTEXT_KEYS)
