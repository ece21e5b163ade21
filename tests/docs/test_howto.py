"""The tests that the how-to shows are tests, and pass."""

import os
import re
import subprocess
import sys
from pathlib import Path

from isthmus.testing import Databases
from isthmus.testing.databases import VARIABLE

PAGE = (Path(__file__).parents[2] / "docs/howto/test-a-connector.md").read_text()
BLOCKS = re.findall(r"(?s)```python\n(.*?)```", PAGE)


def test_the_shown_tests_pass(isthmus_databases: Databases, tmp_path: Path) -> None:
    """
    All code of the page, put into one test file, is green under pytest with warnings as errors.
    """
    (tmp_path / "test_shown.py").write_text("\n\n".join(BLOCKS))
    shown = sum(block.count("\ndef test_") for block in BLOCKS)
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist"]

    with isthmus_databases.fresh("postgresql") as url:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, str(tmp_path)],
            cwd=tmp_path,
            env={**os.environ, VARIABLE: url, "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > shown
