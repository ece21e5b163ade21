"""What `isthmus init` keeps, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isthmus.cli.program import app
from isthmus.hub import Hub
from isthmus.settings import Settings

AWAY = "postgresql://nobody:s3cret@127.0.0.1:1/nothing"
"""A server that nobody runs."""
NEW_KEY = "The key is new: credentials that were stored under another one must be set again."


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working directory."""
    monkeypatch.delenv("ISTHMUS_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*words: str) -> Any:
    """Run the command."""
    return CliRunner().invoke(app, ["init", *words], prog_name="isthmus")


@pytest.mark.parametrize("wrong", ["mysql://x", "no URL", "sqlite:////no/where/x.db", AWAY])
def test_a_database_that_cannot_be_used_leaves_nothing_behind(folder: Path, wrong: str) -> None:
    """The corrected command is the first one."""
    refused = init("--database", wrong)
    left = list(folder.iterdir())
    corrected = init("--database", "sqlite:///right.db")

    assert refused.exit_code != 0
    assert "s3cret" not in refused.output
    assert left == []
    assert corrected.exit_code == 0, corrected.output
    assert (folder / "right.db").exists()


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ("sqlite:///isthmus.db", "sqlite:///isthmus.db"),
        (f"{AWAY}?password=s3cret", "postgresql+psycopg://nobody:***@127.0.0.1:1/nothing"),
    ],
)
def test_another_database_than_that_of_the_settings_is_refused(folder: Path, there: str, told: str) -> None:
    """It is said where it is to be changed, without a password; the file stays as it is."""
    settings = f'database_url = "{there}"\n'
    (folder / "isthmus.toml").write_text(settings)

    refused = init("--database", "sqlite:///other.db")

    sentence = f"isthmus: isthmus.toml says {told}: change database_url there\n"
    assert (refused.stderr, refused.exit_code) == (sentence, 2)
    assert (folder / "isthmus.toml").read_text() == settings


def test_the_database_of_the_settings_may_be_named_again() -> None:
    """A command that is typed again changes nothing."""
    first, second = init("--database", "sqlite:///my.db"), init("--database", "sqlite:///my.db")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "isthmus.toml (was there)" in second.stdout


def test_a_new_key_is_told_where_credentials_were_stored_under_another(folder: Path) -> None:
    """Not in a database that has none, whether or not the settings were there."""
    (folder / "isthmus.toml").write_text('plugins = ["trello"]\nkey_file = "isthmus.key"\n')
    fresh = init()
    with Hub(Settings.load()) as hub, hub.env() as env:
        env["trello.backend"].create({"name": "trello", "active": False}).set_credentials({"key": "k"})
    (folder / "isthmus.key").unlink()
    later = init()

    assert NEW_KEY not in fresh.stdout
    assert NEW_KEY in later.stdout
