"""``isthmus cursor``: how far incremental imports have come."""

from typing import Annotated, Any

import typer

from isthmus.cli.command import command, group
from isthmus.cli.session import Session

app = group("cursor", help="How far the incremental imports of a backend have come.")


@command(app, "show", examples=("isthmus cursor show", "isthmus cursor show trello --json"))
def show(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="BACKEND", help="Only this backend's.")] = None,
) -> None:
    """List the cursors: stream, mark, and when it last moved."""
    from isthmus.sync.service import get_backend

    with session.env(readonly=True) as env:
        domain = [] if name is None else [("backend_id", "=", get_backend(env, name).id)]
        names = _names(env)
        cursors = [
            {
                "backend": names.get(c["backend_id"].id),
                "stream": c["stream"],
                "mark": c["mark"],
                "updated_at": c["updated_at"],
            }
            for c in env["isthmus.cursor"].search(domain, order="backend_id, stream")
        ]
    session.out.document({"cursors": cursors, "run": session.run_id})
    session.out.table(("backend", "stream", "mark", "moved"), [list(c.values()) for c in cursors])
    if not cursors:
        session.out.say("no import has run yet: there is no cursor")


@command(
    app,
    "reset",
    examples=("isthmus cursor reset trello", "isthmus cursor reset trello --stream trello.actions/5f0c..."),
)
def reset(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="BACKEND", help="Whose cursors.")],
    stream: Annotated[str | None, typer.Option("--stream", help="Only this one.")] = None,
) -> None:
    """Forget how far imports have come: the next one looks at everything, what is equal stays as it is."""
    from isthmus.sync import CursorBook
    from isthmus.sync.cursor import HOME
    from isthmus.sync.service import get_backend

    with session.env() as env:
        count = CursorBook(env, get_backend(env, name).id).reset(stream)
    session.out.document({"backend": name, "stream": stream, "reset": count, "run": session.run_id})
    if stream is not None and stream.startswith(HOME):
        session.out.say(f"the records of {stream.removeprefix(HOME)} are where they are found from now on")
        return
    session.out.say(
        f"{count} cursor{'s' if count != 1 else ''} reset: the next import of {name!r} looks at everything"
        if count
        else f"nothing changed: backend {name!r} has no {f'cursor {stream!r}' if stream else 'cursor'}"
    )


def _names(env: Any) -> dict[int, str]:
    found = env["connector.backend"].search([("active", "in", [True, False])])
    return {b.id: b["name"] for b in found}
