"""``isthmus backend add``: connect an account, and choose what is synchronised."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from isthmus.cli.ask import ask, ask_secret, choose, require_person
from isthmus.cli.backend_values import read_option
from isthmus.cli.command import command
from isthmus.cli.session import Session
from isthmus.errors import BackendError, CredentialsError, PluginError, UsageError, near

_WHERE: Final[Mapping[str, str]] = {
    "key": "API key (https://trello.com/power-ups/admin)",
    "token": "token",
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "add",
        examples=(
            "isthmus backend add trello                                  # asks for what it needs",
            "isthmus backend add trello --key env:TRELLO_KEY --token env:TRELLO_TOKEN --board all",
            "isthmus backend add trello --name second --board Website --board 'Mobile app'",
            "isthmus backend add odoo company --url https://example.odoo.com --database example \\",
            "  --login sync@example.com --key env:ODOO_KEY",
        ),
    )(add)


def add(
    session: Session,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The connector, such as trello or odoo.")],
    called: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="What it is called here; else as its type.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The same as NAME.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="API key, or password; or env:NAME, file:PATH.")
    ] = None,
    token: Annotated[str | None, typer.Option("--token", help="Token; or env:NAME, file:PATH.")] = None,
    credential: Annotated[
        list[str] | None,
        typer.Option("--credential", metavar="NAME=VALUE", help="Another credential of the type."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Where it is, instead of its usual address.")
    ] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Name of the database there, for odoo.")
    ] = None,
    login: Annotated[str | None, typer.Option("--login", help="Login of the user there, for odoo.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="Another option of the type; repeatable."),
    ] = None,
    board: Annotated[
        list[str] | None,
        typer.Option("--board", metavar="BOARD", help="ID or name of a board, or all; repeatable."),
    ] = None,
) -> None:
    """Connect an account: try it, and choose what is to be synchronised.

    What is missing is asked for; secrets do not show while they are typed, and are stored encrypted.
    env:NAME and file:PATH are kept as references, and read when they are needed.

    Raises:
        UsageError: When it is given two names.
        CredentialsError: When the other system refuses them; nothing is added.
    """
    from isthmus.sync.service import get_backend

    if called and name and called != name:
        raise UsageError(f"it is given two names, {called!r} and {name!r}: leave one out")
    called = called or name or type_
    with session.env(readonly=True) as env:
        model = _model(session, type_)
        kind = env[model].store.mapped(model)
        _refuse_taken(env, called)
    url = url or _asked(kind, "url", "--url")
    options = _options(kind, {"database": database, "login": login, **_pairs(option or [], "--option")})
    given = {"key": key, "token": token, **_pairs(credential or [], "--credential")}
    credentials = _credentials(kind, {k: v for k, v in given.items() if v is not None})
    if "boards" in kind._options and not board:
        require_person("--board", "the ID or name of a board to be synchronised, or all")
    # Disabled until all is known: a worker that looks now leaves it alone.
    with session.env() as env:
        backend = env[model].create({"name": called, "url": url, "active": False})
        backend.set_credentials(credentials)
        backend.set_options(options)
    try:
        with session.env() as env:
            backend = get_backend(env, called)
            sentence = backend.connect()
            session.out.say(sentence)
            there = backend.boards() if "boards" in kind._options else []
        chosen = _boards(session, there, board) if "boards" in kind._options else None
        with session.env() as env:
            backend = get_backend(env, called)
            if chosen is not None:
                backend.set_options({"boards": chosen})
            backend.write({"active": True})
    except BaseException as exc:
        with session.env() as env:
            get_backend(env, called).unlink()
        if isinstance(exc, CredentialsError):
            what = " and ".join(kind._credentials)
            raise CredentialsError(f"{exc}; backend {called!r} was not added: check {what}") from exc
        raise
    names = [b["name"] for b in there if b["id"] in (chosen or [])]
    session.out.document({
        "backend": {"name": called, "type": model, "url": url, "active": True},
        "sentence": sentence,
        "boards": [b for b in there if b["id"] in (chosen or [])],
        "next": [f"isthmus sync {called}"],
        "run": session.run_id,
    })
    what = f", {len(names)} of {len(there)} boards: {', '.join(names)}" if chosen is not None else ""
    session.out.say(f"backend {called!r} added{what}")
    session.out.say(f"\nNext:\n  isthmus sync {called}")


def _model(session: Session, type_: str) -> str:
    by_name = {plugin.name: plugin.backend for plugin in session.hub.plugins}
    if type_ not in by_name:
        from isthmus.plugin import installed

        if type_ in installed():
            raise PluginError(
                f"plugin {type_!r} is installed but not enabled: put it into plugins in "
                f"{session.settings_file}, then run `isthmus db upgrade`"
            )
        raise UsageError(f"there is no connector {type_!r}{near(type_, by_name)}")
    found = by_name[type_]
    if found is None:
        raise UsageError(f"plugin {type_!r} has no type of backend")
    return found


def _refuse_taken(env: Any, name: str) -> None:
    if env["connector.backend"].search_count([("name", "=", name), ("active", "in", [True, False])]):
        raise UsageError(
            f"there is a backend {name!r} already: choose another --name, or `isthmus backend set {name}`"
        )


def _asked(kind: Any, name: str, option: str) -> str | None:
    """Ask for something that the type needs; None when it does not."""
    return ask(option, kind._questions[name]) if name in kind._questions else None


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{option} is NAME=VALUE")
        pairs[name] = value
    return pairs


def _options(kind: Any, given: Mapping[str, str | None]) -> dict[str, Any]:
    texts = {name: text for name, text in given.items() if text is not None}
    for name in texts:
        if name not in kind._options:
            raise UsageError(f"{kind._name} has no option {name!r}{near(name, kind._options)}")
    for name in kind._questions:
        if name in kind._options and name not in texts:
            flag = f"--{name}" if name in given else f"--option {name}=VALUE"
            texts[name] = ask(flag, kind._questions[name])
    return {name: read_option(name, text, kind._options[name]) for name, text in texts.items()}


def _credentials(kind: Any, given: Mapping[str, str]) -> dict[str, str]:
    for name in given:
        if name not in kind._credentials:
            raise UsageError(f"{kind._name} has no credential {name!r}{near(name, kind._credentials)}")
    values = {}
    for name in kind._credentials:
        flag = f"--{name}" if name in _WHERE else f"--credential {name}=VALUE"
        values[name] = given.get(name) or ask_secret(
            flag, kind._questions.get(name) or _WHERE.get(name, name)
        )
    return values


def _boards(session: Session, there: Sequence[Mapping[str, str]], wanted: Sequence[str] | None) -> list[str]:
    if not there:
        raise BackendError("this account sees no open board: make one there, or let somebody share one")
    if wanted:
        return choose(wanted, there, "--board")
    for number, board in enumerate(there, start=1):
        session.out.tell(f"{number:>4}  {board['name']}  ({board['id']})")
    while True:
        answer = ask("--board", "Boards to synchronise (numbers, names, or all)", default="all")
        try:
            chosen = choose(answer, there, "boards")
        except UsageError as exc:
            session.out.tell(str(exc))
            continue
        if chosen:
            return chosen
