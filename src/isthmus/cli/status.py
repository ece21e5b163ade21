"""``isthmus status``: how things stand, and in words what cannot run."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from isthmus.cli import backend_away
from isthmus.cli.backend_key import expiry, warning
from isthmus.cli.command import command
from isthmus.cli.session import Session
from isthmus.errors import SchemaError, SecretError, near

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.env import Env
    from isthmus.hub import Hub

_STATES = ("linked", "tombstone", "frozen")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "status", examples=("isthmus status", "isthmus status --json"))(status)


def status(session: Session) -> int:
    """Show backends, bindings, jobs, inbox, effects and workers, and say what is wrong."""
    hub = session.raw_hub
    try:
        hub.check()
    except SchemaError as exc:
        session.out.document({"problems": [str(exc)], "run": session.run_id})
        session.out.error(str(exc))
        return exc.exit_code
    with session.env(readonly=True) as env:
        found = _look(hub, env)
    found["problems"] = _problems(session, found)
    session.out.document(found | {"run": session.run_id})
    if not session.out.as_json:
        _show(session, found)
    return 0


def _look(hub: "Hub", env: "Env") -> dict[str, Any]:
    backends = env["connector.backend"].search([("active", "in", [True, False])], order="id")
    counts = hub.queue.desk.counts()
    return {
        "backends": [_backend(hub, env, b) for b in backends],
        "jobs": {str(state): count for state, count in counts.items()},
        "jobs_at_least": sorted(counts.at_least),
        "stuck": [asdict(problem) for problem in hub.queue.diagnosis.problems()],
        "inbox": _counts(env, "isthmus.checkpoint", "kind", [("state", "=", "open")]),
        "effects": {
            state: env["isthmus.effect"].search_count([("state", "=", state)]) for state in ("open", "asked")
        },
        "workers": [f"{worker.host}:{worker.pid}" for worker in hub.queue.workers()],
    }


def _backend(hub: "Hub", env: "Env", backend: Any) -> dict[str, Any]:
    mine = [("backend_id", "=", backend.id)]
    cursors = env["isthmus.cursor"].search(mine, order="updated_at desc")
    bindings: dict[str, dict[str, int]] = {}
    last: list[Any] = []
    for name in sorted(env.services.stores):
        if not hasattr(env[name], "binds"):
            continue
        counts = {s: env[name].search_count([*mine, ("state", "=", s)]) for s in _STATES}
        if any(counts.values()):
            bindings[name] = {state: count for state, count in counts.items() if count}
            newest = env[name].search([*mine, ("sync_date", "!=", None)], order="sync_date desc", limit=1)
            last += [record["sync_date"] for record in newest]
    return {
        "name": backend["name"],
        "type": backend["type"],
        "active": backend["active"],
        "plugin_enabled": backend["type"] in env,
        "stores": sorted(n for n, store in hub.settings.stores.items() if store.backend == backend["name"]),
        "last_sync": max([*last, *(c["updated_at"] for c in cursors)], default=None),
        "cursors": len(cursors),
        "cursor_moved": cursors[0]["updated_at"] if cursors else None,
        "bindings": bindings,
        "inbox_open": env["isthmus.checkpoint"].search_count([*mine, ("state", "=", "open")]),
        "key_expires": expiry(backend),
        "away": backend_away.look(hub.queue.desk, backend) if backend["active"] else None,
    }


def _counts(env: "Env", model: str, by: str, domain: list[Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for record in env[model].search(domain):
        counts[record[by]] = counts.get(record[by], 0) + 1
    return counts


def _problems(session: Session, found: Mapping[str, Any]) -> list[str]:
    """Say what cannot run, each with its remedy."""
    problems = []
    try:
        session.hub.secrets.seal("", context="status")
    except SecretError as exc:
        problems.append(str(exc))
    if not found["backends"]:
        problems.append("there is no backend: isthmus backend add trello")
    stores = session.hub.settings.stores
    known = [b["name"] for b in found["backends"]]
    problems += [
        f"store {name!r} lives in backend {store.backend!r}, which does not exist: isthmus backend add odoo "
        f"{store.backend}, or change {session.settings_file}{near(store.backend, known) if known else ''}"
        for name, store in stores.items()
        if store.backend not in known
    ]
    problems += [
        f"backend {b['name']!r} is disabled, nothing goes in or out"
        f"{', also of the records of ours that live there' if b['stores'] else ''}: "
        f"isthmus backend enable {b['name']}"
        for b in found["backends"]
        if not b["active"]
    ]
    problems += [
        f"backend {b['name']!r} is of type {b['type']!r}, whose plugin is not enabled, nothing goes in or "
        f"out: put it into plugins in the settings, or isthmus backend remove {b['name']}"
        for b in found["backends"]
        if not b["plugin_enabled"]
    ]
    now = session.hub.clock.now()
    problems += [told for b in found["backends"] if b["active"] and (told := warning(b, now))]
    homes = [b["name"] for b in found["backends"] if b["stores"]]
    problems += [backend_away.warning(b, homes) for b in found["backends"] if b["away"]]
    jobs = found["jobs"]
    if not found["workers"] and not found["stuck"] and any(b["active"] for b in found["backends"]):
        problems.append("no worker is running, changes are not looked for: isthmus worker")
    problems += [": ".join(filter(None, (stuck["message"], stuck["remedy"]))) for stuck in found["stuck"]]
    if jobs["failed"]:
        plural = "s have" if jobs["failed"] > 1 else " has"
        problems.append(
            f"{jobs['failed']} job{plural} failed: see isthmus jobs list --state failed, and let them run "
            f"again by isthmus jobs retry --failed"
        )
    items = sum(found["inbox"].values())
    if items:
        problems.append(f"{items} item{'s wait' if items > 1 else ' waits'} for a person: isthmus inbox list")
    asked = found["effects"]["asked"]
    if asked:
        problems.append(
            f"the outcome of {asked} write{'s is' if asked > 1 else ' is'} unknown: see the inbox"
        )
    return problems


def _show(session: Session, found: Mapping[str, Any]) -> None:
    out = session.out
    out.table(
        ("backend", "type", "active", "last sync", "bindings", "inbox"),
        [
            (
                b["name"],
                b["type"],
                b["active"],
                b["last_sync"] or ("our store" if b["stores"] else "never"),
                _bindings(b["bindings"]),
                b["inbox_open"],
            )
            for b in found["backends"]
        ],
    )
    out.facts([
        ("jobs", _listed(found["jobs"], found["jobs_at_least"])),
        ("inbox", _listed(found["inbox"])),
        ("effects", _listed(found["effects"])),
        ("workers", ", ".join(found["workers"]) or "none"),
    ])
    out.say()
    for problem in found["problems"]:
        out.say(f"! {problem}")
    if not found["problems"]:
        out.say("all is well")


def _listed(counts: Mapping[str, int], at_least: Collection[str] = ()) -> str:
    told = [
        f"{'more than ' if name in at_least else ''}{count} {name.replace('_', ' ')}"
        for name, count in counts.items()
        if count
    ]
    return ", ".join(told) or "none"


def _bindings(bindings: Mapping[str, Mapping[str, int]]) -> str:
    parts = []
    for model, counts in bindings.items():
        others = ", ".join(f"{count} {state}" for state, count in counts.items() if state != "linked")
        parts.append(f"{counts.get('linked', 0)} {model}{f' ({others})' if others else ''}")
    return ", ".join(parts)
