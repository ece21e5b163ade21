"""The program put together: every command, and how it ends."""

import sys
from typing import Annotated

import typer

from isthmus.cli import (
    backend,
    channel,
    cursor,
    database,
    demo,
    inbox,
    install,
    jobs,
    schedule,
    simulator,
    status,
    sync,
    webhook,
    worker,
)
from isthmus.cli.command import DebugFlag, JsonFlag, SettingsFile, Shared, Verbosity, group
from isthmus.cli.output import harden

app = group(
    "isthmus",
    help="Two-way connectors between business systems.",
    examples=(
        "isthmus init                 # settings, key and database, in this folder",
        "isthmus demo                 # see it work, without an account anywhere",
        "isthmus backend add trello   # connect an account and choose its boards",
        "isthmus sync trello          # both ways, once",
        "isthmus worker               # both ways, from now on",
        "isthmus status               # how things stand, and what is wrong",
    ),
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"isthmus {version('isthmus')}")
        raise typer.Exit


@app.callback()
def _shared(
    context: typer.Context,
    as_json: JsonFlag = False,
    verbose: Verbosity = 0,
    debug: DebugFlag = False,
    settings: SettingsFile = None,
    version: Annotated[  # noqa: ARG001 - done by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    context.obj = Shared(as_json=as_json, verbose=verbose, debug=debug, settings=settings)


for module in (install, sync, status, worker, simulator, demo):
    module.add_to(app)
for module in (database, backend, webhook, cursor, jobs, channel, schedule, inbox):
    app.add_typer(module.app)


def main() -> None:
    """Run the program; ends with an exit code: 0 done, 1 failed, 2 usage, 3 configuration."""
    harden(sys.stdout, sys.stderr)
    app(prog_name="isthmus")
