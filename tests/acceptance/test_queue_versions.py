"""Workers of this commit beside those of the commit before the last migration that they can stand."""

import ast
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import crowd
import pytest
from crowd import NAME, all_done, texts

from isthmus.job import Outcome, State, Worker
from isthmus.testing import Databases
from isthmus.testing.databases import Kind
from isthmus.testing.waiting import until

ROOT = Path(__file__).parents[2]
VERSIONS = Path("src/isthmus/store/sql/migrations/versions")
PROGRAM = Path("tests/contract/queue_program.py")


def keeps_older_programs(revision: Path) -> bool:
    """Tell whether programs of the commit before a revision may go on after it."""
    tree = ast.parse(revision.read_text())
    (upgrade,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "upgrade"]
    return "compatible_from" not in ast.unparse(upgrade)


def git(*words: str) -> bytes:
    """Ask git; skips the test where there is no history."""
    answer = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=False)
    if answer.returncode:
        pytest.skip(f"no history to take the older program from: {answer.stderr.decode().strip()}")
    return answer.stdout


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as it was before the last migration that kept ``compatible_from``."""
    revisions = sorted((ROOT / VERSIONS).glob("[0-9]*.py"))
    last = next(revision for revision in reversed(revisions) if keeps_older_programs(revision))
    git("rev-parse", "--git-dir")
    added = git("log", "--diff-filter=A", "--format=%H", "--", str(VERSIONS / last.name)).decode().split()
    # One that is not committed yet comes after everything that is.
    commit = git("rev-parse", "--verify", f"{added[-1]}^" if added else "HEAD").decode().strip()
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(fileobj=BytesIO(git("archive", commit, "src", str(PROGRAM)))) as archive:
        archive.extractall(folder, filter="data")
    assert not (folder / VERSIONS / last.name).exists()
    return folder


@contextmanager
def older_worker(folder: Path, url: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the older program's worker; it is killed at the end, if nobody has done that before."""
    process = subprocess.Popen(
        [sys.executable, str(folder / PROGRAM), url, "2"],
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("works")
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def url(databases: Databases, database_kind: Kind) -> Iterator[str]:
    """A database with the schema of this commit, once of each kind."""
    with databases.fresh(database_kind, crowd.migrate) as made:
        yield made


def test_workers_of_the_older_commit_go_on_beside_new_ones(older: Path, url: str, tmp_path: Path) -> None:
    """
    Jobs that this commit delays, and those that they delay, are run once by one of both; what an older
    worker was at when it was killed is run by a new one.
    """
    wanted: list[str] = []
    ours: list[Outcome] = []
    jobs = 0
    with crowd.make_hub(url) as hub, older_worker(older, url) as process:
        new = Worker(hub.queue, 1)
        new.on_finished = ours.append
        with new:
            while min(len(ours), jobs - len(ours)) < 30:
                assert jobs < 10_000
                with hub.env() as env:
                    for _ in range(20):
                        env[NAME].with_delay(channel="a").add(f"row {len(wanted)}")
                        wanted.append(f"row {len(wanted)}")
                    env[NAME].with_delay(channel="b").with_more(3)
                wanted += [f"more {number}" for number in range(3)]
                jobs += 24
                until(all_done(hub, jobs), "all jobs are done")
        counted = {(job.retry, job.rescues) for job in hub.queue.list(limit=jobs)}

        with hub.env() as env:
            last = env[NAME].with_delay().add_or_hang("last", str(tmp_path / "hung"))
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        process.kill()
        process.wait()
        hub.queue.run_pending()

        job = hub.queue.show(last.id)
        rows = texts(hub)
    assert counted == {(0, 0)}
    assert all(outcome.state is State.DONE for outcome in ours)
    assert {text: rows[text] for text in rows if text.startswith("row")} == dict.fromkeys(
        [text for text in wanted if text.startswith("row")], 1
    )
    assert rows.total() == len(wanted) + 1
    assert (job.state, job.attempt, job.rescues) == (State.DONE, 2, 1)
