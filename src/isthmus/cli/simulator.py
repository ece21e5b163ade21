"""``isthmus simulator``: a server on this machine that behaves like the real one."""

import signal
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.command import command
from isthmus.cli.session import Session
from isthmus.errors import UsageError, near

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.simulators.trello import TrelloSimulator

_KNOWN = ("trello",)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "simulator",
        examples=(
            "isthmus simulator trello --seed-demo",
            "isthmus simulator trello --port 8080 --limits",
            "isthmus simulator trello --json      # url, key and token for scripts",
        ),
    )(simulator)


def simulator(
    session: Session,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="Which one: trello.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Makes IDs and credentials the same in every run.")] = 0,
    seed_demo: Annotated[
        bool, typer.Option("--seed-demo", help="Begin with 3 boards, 12 lists and 300 cards.")
    ] = False,
    limits: Annotated[bool, typer.Option("--limits", help="Enforce the published rate limits.")] = False,
) -> None:
    """Serve a simulated system on 127.0.0.1 until Ctrl-C; its state is gone afterwards.

    Its control routes below /_control/ let scripts edit things, plan faults and read what was asked.

    Raises:
        UsageError: When there is no such simulator.
    """
    if type_ not in _KNOWN:
        raise UsageError(f"there is no simulator {type_!r}{near(type_, _KNOWN)}")
    from isthmus.simulators.trello import serve

    def announce(made: "TrelloSimulator") -> None:
        example = (
            f"isthmus backend add trello --url {made.url} --key {made.key} --token {made.token} --board all"
        )
        session.out.document({
            "url": made.url,
            "key": made.key,
            "token": made.token,
            "next": [example],
            "run": session.run_id,
        })
        session.out.facts([("url", made.url), ("key", made.key), ("token", made.token)])
        session.out.say(f"\nNext, in another terminal:\n  {example}\n\nCtrl-C ends it.")

    signal.signal(signal.SIGTERM, _interrupt)
    serve(port, seed=seed, boards=3 if seed_demo else 0, limits=limits, announce=announce)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
