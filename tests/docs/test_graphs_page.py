"""The page on graphs shows graphs that run."""

import re
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[2] / "docs/howto/graphs.md").read_text()
BLOCKS = re.findall(r"(?s)```python\n(.*?)```", PAGE)


def test_the_examples_do_what_the_page_says(isthmus_hub: Any) -> None:
    """
    Sums are those of the parents' results, the failure is told, the jobs in slices are three.
    """
    first, *others = BLOCKS
    names: dict[str, Any] = {"__name__": "graphs_page"}
    exec(first, names)
    names["hub"] = hub = isthmus_hub(extensions=[names["ReportJobs"]])
    for block in others:
        exec(block, names)
    hub.queue.run_pending()

    with hub.env() as env:
        made = sorted(project.name for project in env["project.project"].search([]))
    shown = hub.queue.list()

    assert made == ["'nobody' is no address", "2 rows", "250 rows", "3 rows"]
    assert [job.state for job in shown if "(split" in job.description] == ["done"] * 3
    assert sum(job.method == "send" for job in shown) == 4
    assert [job.method for job in shown if job.state == "wait_dependencies"] == ["sum_up"]
