"""``isthmus simulator``: a server on this machine that behaves like the real one."""

import errno
import signal
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from isthmus.cli.command import command
from isthmus.cli.session import Session
from isthmus.errors import UsageError, near

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.simulators.loopback import Simulator

_KNOWN = ("odoo", "trello")
_REFUSED: Final = {errno.EADDRINUSE, errno.EACCES}
"""Why a port cannot be listened on: another does, or only root may."""
_NEXT_TRELLO = "isthmus backend add trello --url {url} --key {key} --token {token} --board all"
_NEXT_ODOO = "isthmus backend add odoo --url {url} --database {database} --login {login} --key {key}"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "simulator",
        examples=(
            "isthmus simulator trello --seed-demo",
            "isthmus simulator trello --port 8080 --limits",
            "isthmus simulator odoo --odoo-version 19.0 --seed-demo",
            "isthmus simulator trello --json      # url, key and token for scripts",
        ),
    )(simulator)


def simulator(
    session: Session,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="Which one: odoo or trello.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")] = 0,
    seed: Annotated[
        int, typer.Option("--seed", help="Makes Trello's IDs and credentials the same in every run.")
    ] = 0,
    seed_demo: Annotated[
        bool,
        typer.Option(
            "--seed-demo", help="Begin with 3 boards (projects), 12 lists (stages), 300 cards (tasks)."
        ),
    ] = False,
    limits: Annotated[bool, typer.Option("--limits", help="Enforce Trello's published rate limits.")] = False,
    odoo_version: Annotated[str, typer.Option("--odoo-version", help="Which Odoo it is.")] = "18.0",
) -> None:
    """Serve a simulated system on 127.0.0.1 until Ctrl-C; its state is gone afterwards.

    Its control routes below /_control/ let scripts edit things, plan faults and read what was asked.

    Raises:
        UsageError: When there is no such simulator or version, or the port cannot be listened on.
        OSError: When anything else is wrong with this machine's network.
    """
    if type_ not in _KNOWN:
        raise UsageError(f"there is no simulator {type_!r}{near(type_, _KNOWN)}")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if type_ == "odoo":
            _serve_odoo(session, port, odoo_version, seed_demo=seed_demo)
        else:
            _serve_trello(session, port, seed, seed_demo=seed_demo, limits=limits)
    except OSError as exc:
        if exc.errno not in _REFUSED:
            raise
        from isthmus.job.desk.address import Address

        refused = Address(port=port).refused("--port", exc)
        raise UsageError(f"{refused}; --port 0 takes a free one") from exc


def _serve_trello(session: Session, port: int, seed: int, *, seed_demo: bool, limits: bool) -> None:
    from isthmus.simulators.trello import serve

    announce = partial(_announce, session, _NEXT_TRELLO)
    serve(port, seed=seed, boards=3 if seed_demo else 0, limits=limits, announce=announce)


def _serve_odoo(session: Session, port: int, version: str, *, seed_demo: bool) -> None:
    from isthmus.simulators.odoo import serve

    announce = partial(_announce, session, _NEXT_ODOO)
    try:
        serve(port, odoo_version=version, projects=3 if seed_demo else 0, announce=announce)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _announce(session: Session, next_command: str, made: "Simulator") -> None:
    facts = made.way_in()
    example = next_command.format(**facts)
    session.out.document({**facts, "next": [example], "run": session.run_id})
    session.out.facts(list(facts.items()))
    session.out.say(f"\nNext, in another terminal:\n  {example}\n\nCtrl-C ends it.")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
