"""The commands that concern an Odoo, on a real hub and a simulated server."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isthmus.cli.program import app
from isthmus.simulators.odoo.simulator import OdooSimulator

Run = Callable[..., Any]

SETTINGS = 'database_url = "sqlite:///isthmus.db"\nplugins = ["odoo"]\nmodels = ["partner"]\n'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in a folder that is set up; gives its JSON document."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ISTHMUS_DATABASE_URL", raising=False)
    (tmp_path / "isthmus.toml").write_text(SETTINGS)

    def command(*words: str, code: int = 0, plain: bool = False) -> Any:
        done = CliRunner().invoke(app, [*words, *([] if plain else ["--json"])], prog_name="isthmus")
        assert done.exit_code == code, done.stderr
        return done.stdout if plain else json.loads(done.stdout)

    command("init")
    return command


@pytest.fixture
def odoo() -> Iterator[OdooSimulator]:
    """An Odoo 19."""
    with OdooSimulator("19.0") as running:
        yield running


@pytest.fixture
def add(run: Run, odoo: OdooSimulator, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Add the Odoo as a backend; further words go to the command."""

    def command(*words: str, key: str | None = None, **options: Any) -> Any:
        monkeypatch.setenv("ODOO_KEY", key or odoo.api_key(days=10))
        where = ("--url", odoo.url, "--database", odoo.database, "--login", odoo.login)
        return run("backend", "add", "odoo", "company", *where, "--key", "env:ODOO_KEY", *words, **options)

    return command


def test_an_odoo_is_added_by_one_command(add: Run, run: Run) -> None:
    """
    It is tried first; options of the type may be given too.
    """
    added = add("--option", "timeout_s=5")

    shown = run("backend", "show", "company")["backend"]
    assert added["backend"] == {
        "name": "company", "type": "odoo.backend", "url": shown["url"], "active": True,
    }  # fmt: skip
    assert "(Odoo 19.0, JSON-2, database 'odoo') as admin" in added["sentence"]
    assert (shown["version"], shown["options"]["timeout_s"]) == ("19.0", 5)
    assert shown["credentials"] == {"key": "set"}


def test_a_refused_key_adds_nothing(add: Run, run: Run) -> None:
    """
    The sentence says what to check.
    """
    refused = add(key="wrong", code=3)

    assert refused["error"]["type"] == "CredentialsError"
    assert refused["error"]["message"].endswith("backend 'company' was not added: check key")
    assert run("backend", "list")["backends"] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--database", "x"), "--url is missing: address of the server"),
        (("--url", "http://127.0.0.1:9", "--login", "x"), "--database is missing: name of the database"),
        (
            ("--url", "http://127.0.0.1:9", "--database", "x", "--login", "x", "--option", "speed=9"),
            "odoo.backend has no option 'speed'",
        ),
        (("--name", "other"), "it is given two names, 'company' and 'other'"),
    ],
    ids=["no url", "no database", "unknown option", "two names"],
)
def test_what_is_missing_or_unknown_is_named(run: Run, words: tuple[str, ...], told: str) -> None:
    """
    By its option, since nobody can be asked here.
    """
    refused = run("backend", "add", "odoo", "company", "--key", "x", *words, code=2)

    assert told in refused["error"]["message"]


def test_the_end_of_a_key_is_shown_and_warned_of(add: Run, run: Run) -> None:
    """
    In the list, in the status as a sentence and as a value; a new key ends it.
    """
    add()
    day = (datetime.now(UTC) + timedelta(days=10)).date().isoformat()

    (listed,) = run("backend", "list")["backends"]
    status = run("status")
    (backend,) = status["backends"]

    assert listed["key_expires"].startswith(day)
    assert backend["key_expires"].startswith(day)
    assert any(
        problem.startswith(f"the key of backend 'company' expires on {day}, in ")
        for problem in status["problems"]
    )
    assert "key expires" in run("backend", "list", plain=True)

    run("backend", "set", "company", "key=file:key.txt")
    assert not any("expires" in problem for problem in run("status")["problems"])


def test_the_end_of_a_key_may_be_told_by_hand(add: Run, run: Run) -> None:
    """
    As a day; the status says it, and what is no time is refused.
    """
    add()
    day = (datetime.now(UTC) + timedelta(days=3, hours=1)).date().isoformat()
    run("backend", "set", "company", "key=file:key.txt", f"key_expires={day}")

    refused = run("backend", "set", "company", "key_expires=next week", code=2)
    problems = run("status")["problems"]

    assert "key_expires is a day or an instant, like 2026-12-01" in refused["error"]["message"]
    assert any(p.startswith(f"the key of backend 'company' expires on {day}, in ") for p in problems)


def test_a_key_is_rotated(add: Run, run: Run, odoo: OdooSimulator) -> None:
    """
    The document has the new key's name and end, and never the key.
    """
    first = odoo.api_key(days=10)
    add()
    run("backend", "set", "company", f"key={first}")

    done = run("backend", "rotate-key", "company", "--days", "30", "--overlap", "2h")
    again = run("backend", "rotate-key", "company", "--overlap", "0", plain=True)

    assert done["key_name"].startswith("isthmus company ")
    assert datetime.fromisoformat(done["key_expires"]) > datetime.now(UTC) + timedelta(days=29)
    assert datetime.fromisoformat(done["old_key_until"]) > datetime.now(UTC) + timedelta(hours=1)
    assert done["leftovers"] == []
    assert "the old key is revoked" in again
    assert odoo.world.authenticate(odoo.login, first) is None
    assert "as admin" in run("backend", "test", "company")["sentence"]


@pytest.mark.parametrize("overlap", ["soon", "-1h"])
def test_an_overlap_is_a_time(add: Run, run: Run, overlap: str) -> None:
    """
    Anything else is refused with what it may be.
    """
    add()

    refused = run("backend", "rotate-key", "company", f"--overlap={overlap}", code=2)

    assert "--overlap: a length of time is seconds, or like 500ms" in refused["error"]["message"]


def test_a_disabled_backend_stops_the_store_of_ours_too(add: Run, run: Run) -> None:
    """
    The status says so without asking the server; a run says how to go on.
    """
    add()
    stored = SETTINGS + '[stores.ours]\nbackend = "company"\nmodels = ["res.partner", "res.country"]\n'
    Path("isthmus.toml").write_text(stored)
    run("backend", "disable", "company")

    (problem,) = [p for p in run("status")["problems"] if "disabled" in p]
    refused = run("import", "company", code=3)

    assert problem == (
        "backend 'company' is disabled, nothing goes in or out, also of the records of ours that live there: "
        "isthmus backend enable company"
    )
    assert refused["error"]["message"] == "backend 'company' is disabled: `isthmus backend enable company`"


def test_partners_are_selected_and_imported(add: Run, run: Run) -> None:
    """
    Without a selection the report says how to make one.
    """
    add()

    before = run("import", "company")
    run("backend", "set", "company", 'import_domain={"res.partner": []}')
    after = run("import", "company")

    assert "no res.partner is selected" in json.dumps(before)
    assert after["import"]["done"]["created"] > 0
