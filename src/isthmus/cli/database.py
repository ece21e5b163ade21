"""``isthmus db``: the schema of the hub's own database."""

from isthmus.cli.command import command, group
from isthmus.cli.session import Session
from isthmus.errors import SchemaError

app = group("db", help="The schema of the hub's own database.")


@command(app, "upgrade", examples=("isthmus db upgrade",))
def upgrade(session: Session) -> None:
    """Bring the database to this program's revision; a second run changes nothing."""
    revisions = session.raw_hub.upgrade()
    session.raw_hub.check()
    session.out.document({"revisions": revisions, "run": session.run_id})
    session.out.say(
        f"the database is up to date now; applied: {', '.join(revisions)}"
        if revisions
        else "nothing changed: the database was up to date"
    )


@command(app, "status", examples=("isthmus db status", "isthmus db status --json"))
def status(session: Session) -> int:
    """Tell whether the database and this program fit."""
    from isthmus.store.sql import state

    hub = session.raw_hub
    problem = None
    found = state(hub.engine, hub.branches)
    try:
        hub.check()
    except SchemaError as exc:
        problem = str(exc)
    applied, missing = sorted(found.current), sorted(found.head - found.current)
    url = hub.engine.url.render_as_string(hide_password=True)
    session.out.document({
        "url": url,
        "up_to_date": problem is None,
        "problem": problem,
        "applied": applied,
        "missing": missing,
        "run": session.run_id,
    })
    session.out.facts([
        ("database", url),
        ("applied", ", ".join(applied) or "nothing"),
        ("missing", ", ".join(missing) or "nothing"),
    ])
    if problem is not None:
        session.out.error(problem)
        return SchemaError.exit_code
    session.out.say("the database and this program fit")
    return 0
