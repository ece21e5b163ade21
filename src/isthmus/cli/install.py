"""``isthmus init``: settings, key and database, ready for the first backend."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Final

import typer

from isthmus.cli.command import command
from isthmus.cli.session import Session
from isthmus.errors import SettingsError, UsageError

_DATABASE: Final = "sqlite:///isthmus.db"
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
        str | None,
        typer.Option(
            "--database", metavar="URL", help=f"Where the hub's own database is. [default: {_DATABASE}]"
        ),
    ] = None,
) -> None:
    """Make settings, key file and database, and say what to do next.

    Run it again whenever you like: what is there stays as it is.
    """
    file = session.settings_file
    made = _write_settings(file, database or _DATABASE)
    try:
        # A path that was not named is read like any other from here on.
        key_file = session.settings.key_file
        if database and not made:
            _refuse_another(file, database)
        revisions = session.raw_hub.upgrade()
        session.raw_hub.check()
        key_made = _write_key(key_file)
    except BaseException:
        # What does not work is not kept: the next try may name another database.
        if made:
            file.unlink(missing_ok=True)
        raise
    _say(session, file, key_file, made, key_made, revisions)


def _refuse_another(file: Path, database: str) -> None:
    """Stop when the settings that are there name another database.

    Raises:
        UsageError: When they do; shows no password.
    """
    from isthmus.store.sql import make_engine

    settings = tomllib.loads(file.read_text(encoding="utf-8"))
    said = make_engine(settings.get("database_url", _DATABASE)).url
    if said != make_engine(database).url:
        # The query may hold a password, too.
        raise UsageError(f"{file} says {said.set(query={})}: change database_url there")


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


def _has_credentials(session: Session) -> bool:
    stored = [("active", "in", [True, False]), ("sealed_credentials", "!=", None)]
    with session.env(readonly=True) as env:
        return bool(env["connector.backend"].search_count(stored))


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
    if key_made and _has_credentials(session):
        out.say("The key is new: credentials that were stored under another one must be set again.")
    out.say("\nNext:")
    for step in steps:
        out.say(f"  {step}")
