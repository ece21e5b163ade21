"""``isthmus backend``: the external systems that we talk to."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from isthmus.cli import backend_add, backend_key
from isthmus.cli.ask import is_interactive
from isthmus.cli.backend_values import Change, read_changes
from isthmus.cli.command import command, group
from isthmus.cli.session import Session
from isthmus.errors import SecretError, UsageError

app = group("backend", help="The external systems that we talk to: where they are, and what is synchronised.")
backend_add.add_to(app)
backend_key.add_to(app)

Name = Annotated[str, typer.Argument(metavar="BACKEND", help="What it is called here.")]


@command(app, "list", examples=("isthmus backend list", "isthmus backend list --json"))
def list_(session: Session) -> None:
    """List the backends."""
    with session.env(readonly=True) as env:
        found = env["connector.backend"].search([("active", "in", [True, False])], order="id")
        backends = [
            {
                "name": b["name"],
                "type": b["type"],
                "url": b["url"],
                "version": b["version"],
                "active": b["active"],
                "plugin_enabled": b["type"] in env,
                "key_expires": (b["options"] or {}).get("key_expires"),
            }
            for b in found
        ]
    session.out.document({"backends": backends, "run": session.run_id})
    columns = ["name", "type", "url", "version", "active"]
    columns += ["key_expires"] if any(b["key_expires"] for b in backends) else []
    session.out.table(
        [column.replace("_", " ") for column in columns],
        [[_stated(b) if column == "type" else b[column] for column in columns] for b in backends],
    )
    if not backends:
        session.out.say("there is no backend yet: isthmus backend add trello")


def _stated(backend: Mapping[str, Any]) -> str:
    return f"{backend['type']}{'' if backend['plugin_enabled'] else ' (plugin not enabled)'}"


@command(app, "show", examples=("isthmus backend show trello",))
def show(session: Session, name: Name) -> None:
    """Show a backend: its options, and which credentials it has (never their values)."""
    from isthmus.sync.service import get_backend

    with session.env(readonly=True) as env:
        backend = get_backend(env, name)
        shown = _shown(backend)
    session.out.document({"backend": shown, "run": session.run_id})
    flat = [(k, v) for k, v in shown.items() if not isinstance(v, dict)]
    nested = [(f"{k}.{n}", v) for k in ("credentials", "options") for n, v in shown[k].items()]
    session.out.facts([*flat, *nested])


def _shown(backend: Any) -> dict[str, Any]:
    kind = backend.env[backend._name].store.mapped(backend._name)
    fields = ("name", "type", "url", "version", "active", "lease_s", "quiet_s")
    return {
        **{field: backend[field] for field in fields},
        "credentials": _states(backend, kind._credentials),
        "options": {option: backend.option(option) for option in kind._options},
    }


def _states(backend: Any, known: tuple[str, ...]) -> Mapping[str, str]:
    try:
        stored = set(backend.credentials)
    except SecretError as exc:
        return dict.fromkeys(known, f"unreadable: {exc}")
    states = {}
    for name in known:
        try:
            states[name] = "set" if name in stored and backend.credentials[name] else "missing"
        except SecretError as exc:
            states[name] = str(exc)
    return states


@command(
    app,
    "set",
    examples=(
        "isthmus backend set trello boards=5f0c1d...,5f0c1e...",
        "isthmus backend set trello token              # asks for it, nothing shows",
        "isthmus backend set trello key=env:TRELLO_KEY token=file:/run/secrets/trello",
        "isthmus backend set trello url= quiet_s=120   # the usual address again",
    ),
)
def set_(
    session: Session,
    name: Name,
    changes: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE", help="Fields, options and credentials; lists with commas or as JSON."
        ),
    ],
) -> None:
    """Change a backend: name, url, version, active, lease_s, quiet_s, its options and its credentials.

    A credential without "=VALUE" is asked for and does not show; env:NAME and file:PATH are kept as
    references.
    """
    from isthmus.sync.service import get_backend

    with session.env() as env:
        backend = get_backend(env, name)
        kind = env[backend._name].store.mapped(backend._name)
        change = read_changes(changes, kind)
        _apply(backend, change)
    session.out.document({"backend": name, "set": change.names, "run": session.run_id})
    session.out.say(f"backend {name!r}: {', '.join(change.names)} set")


def _apply(backend: Any, change: Change) -> None:
    if change.credentials:
        backend.set_credentials(change.credentials)
    # Found out now: later it would stop whoever saves a record.
    for model, domain in (change.options.get("export_domain") or {}).items():
        backend.env[model].search_count(domain)
    if change.options:
        backend.set_options(change.options)
    if change.fields:
        backend.write(change.fields)


@command(app, "test", examples=("isthmus backend test trello",))
def test(session: Session, name: Name) -> None:
    """Try the connection and say who we are there."""
    from isthmus.sync.service import get_backend

    with session.env() as env:
        sentence = get_backend(env, name).connect()
    session.out.document({"backend": name, "connected": True, "sentence": sentence, "run": session.run_id})
    session.out.say(sentence)


def _switch(session: Session, name: str, active: bool) -> None:
    from isthmus.sync.service import get_backend

    with session.env() as env:
        backend = get_backend(env, name)
        changed = backend["active"] is not active
        if changed:
            backend.write({"active": active})
    word = "enabled" if active else "disabled"
    session.out.document({"backend": name, "active": active, "changed": changed, "run": session.run_id})
    session.out.say(
        f"backend {name!r} is {word}" if changed else f"nothing changed: {name!r} was {word} already"
    )


@command(app, "disable", examples=("isthmus backend disable trello",))
def disable(session: Session, name: Name) -> None:
    """Stop importing and exporting; nothing is forgotten."""
    _switch(session, name, active=False)


@command(app, "enable", examples=("isthmus backend enable trello",))
def enable(session: Session, name: Name) -> None:
    """Import and export again."""
    _switch(session, name, active=True)


@command(app, "remove", examples=("isthmus backend remove trello", "isthmus backend remove trello --yes"))
def remove(
    session: Session,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget a backend: its bindings, cursors and inbox. The records stay, here and there.

    When it is added again, its records are imported as new ones.

    Raises:
        UsageError: When nobody can be asked and --yes is missing.
    """
    from isthmus.sync.removal import remove_backend
    from isthmus.sync.service import find_backend

    with session.env(readonly=True) as env:
        find_backend(env, name)
    if not yes:
        if not is_interactive():
            raise UsageError(f"--yes is missing: it says that you mean to forget {name!r}")
        typer.confirm(f"Forget backend {name!r} and which records belong together?", abort=True, err=True)
    with session.env() as env:
        gone = remove_backend(env, find_backend(env, name))
    session.out.document({"backend": name, "removed": gone, "run": session.run_id})
    parts = ", ".join(f"{count} {model}" for model, count in gone.items())
    session.out.say(f"backend {name!r} is removed{f', with {parts}' if parts else ''}")
