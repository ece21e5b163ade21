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


def run(name: str, results: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a benchmark in its tiny form."""
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name}.py"), "--tiny", "--results", str(results)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_prints_its_table_and_keeps_it(
    name: str, isthmus_databases: Databases, tmp_path: Path
) -> None:
    """
    In its tiny form each benchmark ends well and leaves a file whose rows have a ratio.
    """
    with isthmus_databases.fresh("postgresql") as url:
        done = run(name, tmp_path, **{VARIABLE: url})

    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / f"{name.removeprefix('bench_')}.json").read_text())
    assert [row["ratio"] > 0 for row in kept["rows"]] == [True] * len(kept["rows"])
    assert all(row["what"] in done.stdout for row in kept["rows"])


def test_no_benchmark_is_left_out() -> None:
    """
    Those that the project speaks of are there.
    """
    assert NAMES == ["bench_core", "bench_import", "bench_odoo"]


def test_a_wrong_checkout_of_the_reference_is_told(tmp_path: Path) -> None:
    """
    A folder that is no checkout ends the benchmark with a sentence that names variable and folder.
    """
    done = run("bench_core", tmp_path, ISTHMUS_BENCH_REFERENCE=str(tmp_path))

    assert done.returncode == 1
    assert f"ISTHMUS_BENCH_REFERENCE={tmp_path} is no checkout of OCA/connector" in done.stderr
    assert "Traceback" not in done.stderr
