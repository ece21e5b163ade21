"""The benchmarks run; what they find is for people to read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.testing import Databases
from isthmus.testing.databases import VARIABLE

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = sorted(path.stem for path in BENCHMARKS.glob("bench_*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_prints_its_table_and_keeps_it(
    name: str, isthmus_databases: Databases, tmp_path: Path
) -> None:
    """
    In its tiny form each benchmark ends well and leaves a file whose rows have a ratio.
    """
    with isthmus_databases.fresh("postgresql") as url:
        done = subprocess.run(
            [sys.executable, str(BENCHMARKS / f"{name}.py"), "--tiny", "--results", str(tmp_path)],
            env={**os.environ, VARIABLE: url},
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / f"{name.removeprefix('bench_')}.json").read_text())
    assert [row["ratio"] > 0 for row in kept["rows"]] == [True] * len(kept["rows"])
    assert all(row["what"] in done.stdout for row in kept["rows"])


def test_no_benchmark_is_left_out() -> None:
    """
    The two that the project speaks of are there.
    """
    assert NAMES == ["bench_core", "bench_import"]
