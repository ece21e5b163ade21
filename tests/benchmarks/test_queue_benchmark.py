"""The benchmark of the queue runs; what it finds is for people to read."""

import os
import subprocess
import sys
from pathlib import Path

from isthmus.testing import Databases
from isthmus.testing.databases import VARIABLE

QUEUE = Path(__file__).parents[2] / "benchmarks/queue"


def run(url: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run it on a server that is there."""
    return subprocess.run(
        [sys.executable, str(QUEUE), *map(str, arguments)],
        env={**os.environ, VARIABLE: url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_smallest_run_fills_its_tables(isthmus_databases: Databases, tmp_path: Path) -> None:
    """
    Beside the raw loops alone each contest ends well, and its table is printed and kept.
    """
    contests = ("noop", "bulk", "pickup")
    with isthmus_databases.fresh("postgresql") as url:
        done = run(
            url, "--quick", "--runs", 1, "--jobs", 20, "--results", tmp_path,
            "--players", "raw", "isthmus", "--only", *contests,
        )  # fmt: skip
    kept = (tmp_path / "queue.md").read_text()

    assert done.returncode == 0, done.stderr
    assert [name for name in contests if f"\n## {name}: " not in kept] == []
    assert [name for name in contests if f"{name}: " not in done.stdout] == []
    assert "FAILED" not in kept


def test_who_is_not_installed_is_named(tmp_path: Path) -> None:
    """
    The table says why a contestant did not play; the others play on.
    """
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from contestant import Contestant\n"
        "class Absent(Contestant): packages = ('no_such_queue',)\n"
        "print(Absent.missing('noop'))\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, str(QUEUE)], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout

    assert said == "not installed: no_such_queue\n"
