"""The page on the queue is about the queue that there is."""

import re
from pathlib import Path

from isthmus.job import claim, wake, watch
from isthmus.job.table import JOBS
from isthmus.store.sql import engine

PAGE = (Path(__file__).parents[2] / "docs/explain/queue.md").read_text()


def test_every_index_of_the_job_table_has_its_row() -> None:
    """
    The table of the page has as many rows as the job table has indexes, and all of them are partial.
    """
    table = PAGE.partition("| index of |")[2].partition("\n\n")[0]
    rows = re.findall(r"(?m)^\| (?!-)", table)

    partial = [index for index in JOBS.indexes if index.dialect_options["postgresql"]["where"] is not None]

    assert len(partial) == len(JOBS.indexes)
    assert len(rows) == len(JOBS.indexes)


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    """
    Sizes of claims, and how long what is lost or dead is waited for.
    """
    first, second, third, most = claim._SIZES

    assert first == 1
    assert f"takes {second}, then {third}, then {most:,} of them" in PAGE
    assert f"at most {claim._DUE_AT_ONCE} in one statement" in PAGE
    assert f"costs {wake._LONGEST_S:g} seconds at most" in PAGE
    assert f"asks it {1 / wake._PEEK_S:g} times a second" in PAGE
    assert f"no answer for {watch._ANSWER_S:g} is cut off" in PAGE
    assert f"has {engine._ANSWER_S:g} seconds to answer" in PAGE
    assert f"by the server after {engine._IDLE_TIMEOUT_MS // 1000} seconds" in PAGE
