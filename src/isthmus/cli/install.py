"""``isthmus init``: settings, key and database, ready for the first backend."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from isthmus.cli.command import command
from isthmus.cli.session import Session
from isthmus.errors import SettingsError

_TEMPLATE: Final = """\
# Settings of Isthmus. Each can also be set in the environment, which wins: ISTHMUS_POLL_S=30.

# SQLite, in a file beside this one, or PostgreSQL: postgresql://user@host/name
database_url = {database}

# The key that encrypts stored credentials. Keep a copy: without it they cannot be read.
key_file = "isthmus.key"

# The connectors that are enabled in this database.
plugins = ["trello"]

# Seconds between two looks of a running worker at each backend.
poll_s = 60
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "init",
        examples=(
            "isthmus init",
            "isthmus init --database postgresql://isthmus@localhost/isthmus",
            "isthmus --settings /etc/isthmus/isthmus.toml init",
        ),
    )(init)


def init(
    session: Session,
    database: Annotated[
        str, typer.Option("--database", metavar="URL", help="Where the hub's own database is.")
    ] = "sqlite:///isthmus.db",
) -> None:
    """Make settings, key file and database, and say what to do next.

    Run it again whenever you like: what is there stays as it is.
    """
    file = session.settings_file
    made = _write_settings(file, database)
    # A path that was not named is read like any other from here on.
    settings = session.settings
    key_made = _write_key(settings.key_file)
    revisions = session.raw_hub.upgrade()
    session.raw_hub.check()
    _say(session, file, settings.key_file, made, key_made, revisions)


def _write_settings(file: Path, database: str) -> bool:
    text = _TEMPLATE.format(database=_quoted(database))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # The URL may hold a password.
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return False
    except OSError as exc:
        raise SettingsError(f"settings file {file} cannot be written: {exc.strerror}") from exc
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    return True


def _write_key(path: Path) -> bool:
    from isthmus.backend import create_key_file

    try:
        return create_key_file(path)
    except OSError as exc:
        raise SettingsError(f"key file {path} cannot be written: {exc.strerror}") from exc


def _quoted(text: str) -> str:
    r"""Write a TOML string.

    >>> _quoted('a"b')
    '"a\\"b"'
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _say(
    session: Session,
    file: Path,
    key_file: Path,
    made: bool,
    key_made: bool,
    revisions: list[str],
) -> None:
    out = session.out
    place = f" --settings {session.shared.settings}" if session.shared.settings else ""
    steps = [
        f"isthmus{place} backend add trello",
        f"isthmus{place} sync trello",
        f"isthmus{place} worker",
    ]
    out.document({
        "settings": {"path": str(file), "created": made},
        "key_file": {"path": str(key_file), "created": key_made},
        "revisions": revisions,
        "next": steps,
        "run": session.run_id,
    })
    out.facts([
        ("settings", f"{file} ({'written' if made else 'was there'})"),
        ("key file", f"{key_file} ({'written, readable by you only' if key_made else 'was there'})"),
        ("database", f"upgraded: {', '.join(revisions)}" if revisions else "was up to date"),
    ])
    if key_made and not made:
        out.say("The key is new: credentials that were stored under another one must be set again.")
    out.say("\nNext:")
    for step in steps:
        out.say(f"  {step}")
