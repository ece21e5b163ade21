"""What goes wrong is said in one sentence that names the thing, and ends with the right exit code."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from isthmus.simulators.trello import TrelloSimulator
from isthmus.store.sql.migrate import GENERATION

Folder = Any
"""See conftest."""

TASK = "; did you mean 'project.task' or 'project.task.type' or 'project.project'?"


def test_secrets_are_never_printed(ready: Folder, trello: TrelloSimulator) -> None:
    """
    Not in results, not in errors, not in the most talkative log; stored encrypted.
    """
    words = ("backend", "add", "trello", "--key", trello.key, "--token", trello.token, "--url", trello.url)
    ready.run(*words, "--board", "all", "-vv")
    ready.run("sync", "trello", "-vv")
    ready.run("backend", "show", "trello", "-vv", "--json")
    ready.run("backend", "set", "trello", f"token={trello.token[:-1]}x", "-vv")
    refused = ready.run("backend", "test", "trello", "-vv", "--debug")

    stored = b"".join(path.read_bytes() for path in ready.path.glob("isthmus.db*"))
    assert refused.code == 3
    assert "invalid token" in refused.err
    for secret in (trello.key, trello.token, trello.token[:-1]):
        assert secret not in ready.printed
        assert secret.encode() not in stored


def test_credentials_that_are_refused_leave_no_backend(ready: Folder, trello: TrelloSimulator) -> None:
    """
    A wrong token is told at once, in one sentence, and nothing half-made stays behind.
    """
    words = ("--key", trello.key, "--token", "wrong", "--url", trello.url, "--board", "all")

    result = ready.run("backend", "add", "trello", *words)

    assert result.code == 3
    assert result.err.count("\n") == 1
    assert result.err.endswith("backend 'trello' was not added: check key and token\n")
    assert ready.ok("backend", "list", "--json").document["backends"] == []


def test_without_settings_the_program_says_what_to_do(folder: Folder) -> None:
    """
    No database is made by accident where somebody happens to stand.
    """
    result = folder.run("status")

    assert result.code == 3
    assert result.err.startswith("isthmus: there is no isthmus.toml in ")
    assert "run `isthmus init` here" in result.err
    assert list(folder.path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("--settings no.toml status", 3, "settings file no.toml does not exist: run `isthmus init`"),
        ("sync trelo", 3, "there is no backend 'trelo'; did you mean 'trello'?"),
        ("backend add trelo", 2, "there is no connector 'trelo'; did you mean 'trello'?"),
        (
            "backend add trello --name b --key a --token b",
            2,
            "--board is missing: the ID or name of a board to be synchronised, or all",
        ),
        (
            "backend add trello --name b --board all",
            2,
            "--key is missing: API key (https://trello.com/power-ups/admin)",
        ),
        (
            "backend set trello bords=1",
            2,
            "a backend of type trello.backend has no 'bords'; did you mean 'boards'?",
        ),
        ("backend set trello export_domain=[]", 2, "export_domain is a JSON object, not '[]'"),
        (
            'backend set trello export_domain={"project.tsk":[]}',
            1,
            f"unknown model 'project.tsk'{TASK}",
        ),
        (
            'backend set trello export_domain={"project.task":[["nme","=",1]]}',
            1,
            "model 'project.task' has no field 'nme'; did you mean 'name'?",
        ),
        ("jobs list --model project.tsk", 1, f"unknown model 'project.tsk'{TASK}"),
        ("jobs show 99", 1, "there is no job 99"),
        (
            "jobs retry",
            2,
            "name the jobs by number, or choose them by options (such as --channel, --error-type or --all)",
        ),
        ("inbox show 99", 1, "there is no inbox item 99: see `isthmus inbox list`"),
        ("inbox resolve 99 --ours", 1, "there is no inbox item 99: see `isthmus inbox list`"),
        ("inbox resolve 99", 2, "give exactly one of --ours, --theirs, --retry and --ignore"),
        ("simulator trelo", 2, "there is no simulator 'trelo'; did you mean 'trello'?"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    connected: Folder, words: str, code: int, sentence: str
) -> None:
    """
    Each error names the thing and, where it can, the near ones; its exit code says whose turn it is.
    """
    result = connected.run(*words.split())

    assert (result.err, result.code, result.out) == (f"isthmus: {sentence}\n", code, "")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('plugins = ["trelo"]', "plugin 'trelo' is not installed; did you mean 'trello'?"),
        ('models = ["projct"]', "setting 'models' names 'projct'; did you mean 'project'?"),
        ("poll_s = 0", "setting 'poll_s' in isthmus.toml"),
        ("pol_s = 1", "unknown setting 'pol_s' in isthmus.toml"),
        ("= =", "settings file isthmus.toml cannot be read: Invalid statement"),
        ('database_url = "mysql://x"', "database 'mysql' is not supported; use sqlite or postgresql"),
        (
            'database_url = "sqlite:////no/where/x.db"',
            "the database cannot be opened: unable to open database file",
        ),
    ],
)
def test_wrong_settings_are_named(folder: Folder, line: str, sentence: str) -> None:
    """
    A mistake in the settings file is a configuration error that names the setting.
    """
    (folder.path / "isthmus.toml").write_text(line)

    result = folder.run("status")

    assert result.code == 3
    assert result.err.startswith(f"isthmus: {sentence}")
    assert result.err.count("\n") == 1


def test_a_plugin_that_fails_to_import_is_named(ready: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The sentence has the plugin, its module and the cause; help still works.
    """
    package = ready.path / "site" / "broken_plugin"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import no_such_thing\n")
    info = ready.path / "site" / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[isthmus.connectors]\nbroken = broken_plugin:plugin\n")
    monkeypatch.syspath_prepend(ready.path / "site")

    result = ready.run("status", ISTHMUS_PLUGINS='["broken"]')

    assert result.code == 3
    assert result.err.startswith("isthmus: plugin 'broken'")
    assert result.err.endswith("cannot be imported: ModuleNotFoundError: No module named 'no_such_thing'\n")
    assert ready.run("--help", ISTHMUS_PLUGINS='["broken"]').code == 0


def test_a_missing_key_file_is_told(synced: Folder) -> None:
    """
    Without the key nothing is sent and nothing is lost; status says so, too.
    """
    (synced.path / "isthmus.key").rename(synced.path / "kept")

    result = synced.run("sync", "trello")
    status = synced.ok("status", "--json").document
    (synced.path / "kept").rename(synced.path / "isthmus.key")

    assert result.code == 3
    assert result.err.startswith("isthmus: key file ")
    assert "run `isthmus init`, or put the file back" in result.err
    assert "does not exist" in status["problems"][0]
    assert synced.ok("sync", "trello", "--json").document["changed"] is False


def test_an_unreachable_server_is_told(synced: Folder, trello: TrelloSimulator) -> None:
    """
    The sentence names the host; nothing is marked as done.
    """
    trello.stop()

    result = synced.run("sync", "trello")
    tested = synced.run("backend", "test", "trello")

    assert result.code == 1
    assert "no connection to 127.0.0.1" in result.err
    assert result.err.count("\n") == 1
    assert (tested.code, f"backend 'trello' cannot be reached at {trello.url}" in tested.err) == (3, True)


def test_a_database_that_does_not_fit_is_told(ready: Folder, tmp_path: Path) -> None:
    """
    Empty, older, newer, no database at all: each says what to do, and none is written to.
    """
    url = {"ISTHMUS_DATABASE_URL": f"sqlite:///{tmp_path / 'empty.db'}"}
    empty = ready.run("status", **url)
    (tmp_path / "junk.db").write_text("no database")
    junk = ready.run("status", ISTHMUS_DATABASE_URL=f"sqlite:///{tmp_path / 'junk.db'}")
    away = ready.run("status", ISTHMUS_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    found = []
    for change in ("DELETE FROM isthmus_version WHERE version_num LIKE 'trello%'",
                   f"UPDATE isthmus_schema SET compatible_from = {GENERATION + 1}"):  # fmt: skip
        with closing(sqlite3.connect(ready.path / "isthmus.db")) as connection, connection:
            connection.execute(change)
        found.append(ready.run("status"))
    upgrade = ready.run("db", "upgrade")

    older, newer = found
    assert [r.code for r in (empty, junk, older, newer, upgrade, away)] == [3, 3, 3, 3, 3, 1]
    assert "the database is empty: run `isthmus db upgrade`" in empty.err
    assert "the database cannot be opened: file is not a database" in junk.err
    assert "the database is older than this program: run `isthmus db upgrade`" in older.err
    assert "the database is newer than this program" in newer.err
    assert "install a newer isthmus" in newer.err
    assert newer.err == upgrade.err
    assert "busy or away" in away.err
    assert "look at the setting database_url" in away.err


def test_a_locked_database_is_told(synced: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    When another program holds the database for too long, the sentence says so.
    """
    monkeypatch.setattr("isthmus.store.sql.engine._BUSY_TIMEOUT_MS", 200)
    with closing(sqlite3.connect(synced.path / "isthmus.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        result = synced.run("backend", "disable", "trello")

    assert result.code == 1
    assert result.err.startswith("isthmus: the database is busy or away: database is locked; try again")


def test_wrong_usage_is_exit_code_2(folder: Folder) -> None:
    """
    What typer refuses ends as what we refuse.
    """
    codes = [folder.run(*words.split()).code for words in ("bogus", "sync", "jobs show x", "sync --nope x")]

    assert codes == [2, 2, 2, 2]
