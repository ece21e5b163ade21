"""``isthmus webhook``: where other systems tell that a record has changed."""

from typing import Annotated

import typer

from isthmus.cli.command import command, group
from isthmus.cli.session import Session

app = group("webhook", help="Where other systems tell us that a record has changed.")

Name = Annotated[str, typer.Argument(metavar="BACKEND", help="What it is called here.")]
Base = Annotated[
    str | None,
    typer.Option("--base", metavar="URL", help="Where others reach the worker: the whole URL is told."),
]


@command(
    app,
    "url",
    examples=(
        "isthmus webhook url company",
        "isthmus webhook url company --base https://hub.example.com",
        "isthmus worker --webhooks 8100   # serves it",
    ),
)
def url(session: Session, name: Name, base: Base = None) -> None:
    """Tell the path of a backend's webhook. There is a secret in it: treat it like a password."""
    _tell(session, name, base, renew=False)


@command(app, "rotate", examples=("isthmus webhook rotate company",))
def rotate(session: Session, name: Name, base: Base = None) -> None:
    """Make a new secret for a backend's webhook; the old path is refused from now on.

    Until the new one is entered there, changes are found by polling.
    """
    _tell(session, name, base, renew=True)


def _tell(session: Session, name: str, base: str | None, *, renew: bool) -> None:
    from isthmus.sync.service import get_backend

    with session.env() as env:
        backend = get_backend(env, name)
        path: str = backend.webhook_path(renew=renew)
        models: list[str] = backend.hinted_models()
    whole = f"{(base or '').rstrip('/')}{path}"
    session.out.document({
        "backend": name,
        "url": whole,
        "models": models,
        "renewed": renew,
        "run": session.run_id,
    })
    session.out.say(whole)
    if not session.out.as_json:
        session.out.tell(
            f"of use for: {', '.join(models)}"
            if models
            else f"of no use yet: nothing that is synchronised lives in {name!r}"
        )
