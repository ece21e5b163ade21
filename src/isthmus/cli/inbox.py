"""``isthmus inbox``: what waits for a person, and their choice."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from isthmus.cli.command import command, group
from isthmus.cli.output import shown
from isthmus.cli.session import Session
from isthmus.errors import UsageError

app = group(
    "inbox", help="What waits for a person: conflicts, records that cannot be synchronised, lost answers."
)


@command(
    app,
    "list",
    examples=("isthmus inbox list", "isthmus inbox list --backend trello --all", "isthmus inbox list --json"),
)
def list_(
    session: Session,
    backend: Annotated[
        str | None, typer.Option("--backend", metavar="NAME", help="Only of this one.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Closed items, too.")] = False,
) -> None:
    """List the items, oldest first."""
    from isthmus.sync.inbox import Inbox
    from isthmus.sync.service import get_backend

    with session.env(readonly=True) as env:
        backend_id = None if backend is None else get_backend(env, backend).id
        items = Inbox(env).list(None if everything else "open", backend_id)
    session.out.document({"items": items, "run": session.run_id})
    columns = ("id", "kind", "state", "summary", "times", "renewed_at")
    session.out.table(columns, [[item[name] for name in columns] for item in items])
    session.out.say(
        "see one: isthmus inbox show ID" if items else "the inbox is empty: nothing waits for a person"
    )


@command(app, "show", examples=("isthmus inbox show 3", "isthmus inbox show 3 --json"))
def show(session: Session, item_id: Annotated[int, typer.Argument(metavar="ID", help="Its number.")]) -> None:
    """Show one item with the values it is about, field by field, and what can be chosen."""
    from isthmus.sync.inbox import Inbox

    with session.env(readonly=True) as env:
        item = Inbox(env).show(item_id)
    session.out.document({"item": item, "run": session.run_id})
    payload, choices = item["payload"], item["choices"]
    hidden = ("payload", "choices")
    session.out.facts([(k, v) for k, v in item.items() if k not in hidden and v not in (None, "")])
    if isinstance(payload, dict) and {"ours", "theirs"} <= set(payload):
        session.out.table(("side", "field", "before", "now"), _sides(payload))
        payload = None
    if payload is not None:
        session.out.facts([("payload", shown(payload))])
    if choices:
        session.out.say("choose: " + ", ".join(f"isthmus inbox resolve {item_id} --{c}" for c in choices))


def _sides(payload: Mapping[str, Any]) -> list[tuple[str, str, Any, Any]]:
    """List the fields of a conflict, each side in its own words."""
    base = payload.get("base") or {}
    return [
        (side, name, (base.get(side) or {}).get(name), value)
        for side in ("ours", "theirs")
        for name, value in (payload[side] or {}).items()
    ]


@command(
    app,
    "resolve",
    examples=(
        "isthmus inbox resolve 3 --ours      # our value goes there",
        "isthmus inbox resolve 3 --theirs    # their value comes here",
        "isthmus inbox resolve 3 --retry     # what was wrong is mended",
        "isthmus inbox resolve 3 --ignore    # leave it as it is",
    ),
)
def resolve(
    session: Session,
    item_id: Annotated[int, typer.Argument(metavar="ID", help="Its number.")],
    ours: Annotated[bool, typer.Option("--ours", help="Our side wins.")] = False,
    theirs: Annotated[bool, typer.Option("--theirs", help="Their side wins.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try again.")] = False,
    ignore: Annotated[bool, typer.Option("--ignore", help="Leave things as they are.")] = False,
) -> None:
    """Close an item by a choice; a job does what follows from it.

    Raises:
        UsageError: When not exactly one choice is given.
    """
    from isthmus.sync.inbox import Choice, Inbox

    given: list[Choice] = []
    if ours:
        given.append("ours")
    if theirs:
        given.append("theirs")
    if retry:
        given.append("retry")
    if ignore:
        given.append("ignore")
    if len(given) != 1:
        raise UsageError("give exactly one of --ours, --theirs, --retry and --ignore")
    with session.env() as env:
        sentence = Inbox(env).resolve(item_id, given[0])
    session.out.document({"item": item_id, "choice": given[0], "sentence": sentence, "run": session.run_id})
    session.out.say(sentence)
