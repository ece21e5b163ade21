"""Each guarantee names tests that hold it, and they are there; so does what is said of the queue."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explain/guarantees.md").read_text()
SECTIONS = dict(re.findall(r"(?ms)^## (.*?)\n(.*?)(?=^## |\Z)", PAGE))
QUEUE = (ROOT / "docs/explain/queue.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE + QUEUE)


@pytest.mark.parametrize("title", SECTIONS)
def test_a_guarantee_is_held_by_a_test(title: str) -> None:
    """
    No section only promises.
    """
    held = SECTIONS[title].partition("Held by:\n")[2]

    lines = [line for line in held.splitlines() if line]

    assert lines
    assert [line for line in lines if not re.fullmatch(r"- `tests/[\w/]+\.py::test_\w+`", line)] == []


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_a_named_test_exists(file: str, name: str) -> None:
    """
    A test that one of the pages names is in the file that it names.
    """
    source = (ROOT / file).read_text()

    assert re.search(rf"(?m)^ *def {name}\(", source)
