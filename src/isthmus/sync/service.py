"""Whole runs on a backend: import, export, observe, poll."""

from collections.abc import Callable
from typing import Any

from isthmus.component import WorkContext
from isthmus.env import Env, Key
from isthmus.errors import BackendError, near
from isthmus.sync.home import check_homes
from isthmus.sync.observe import Observer
from isthmus.sync.report import Report

Progress = Callable[[str, int, int | None], None]
"""Told what is under way, how many are done and, where it is known, of how many."""


def find_backend(env: Env, name: str) -> Any:
    """Give a backend's record as a ``connector.backend``, also where the plugin of its type is not enabled.

    Raises:
        BackendError: When there is none of that name; names near ones.
    """
    backends = {b["name"]: b for b in env["connector.backend"].search([("active", "in", [True, False])])}
    if name not in backends:
        hint = near(name, backends) if backends else ": add one with `isthmus backend add`"
        raise BackendError(f"there is no backend {name!r}{hint}")
    return backends[name]


def get_backend(env: Env, name: str) -> Any:
    """Give a backend's record, of its own type, by its name.

    Raises:
        BackendError: When there is none of that name, or the plugin of its type is not enabled.
    """
    base = find_backend(env, name)
    if base["type"] not in env:
        raise BackendError(
            f"backend {name!r} is of type {base['type']!r}, whose plugin is not enabled: put it into plugins "
            f"in the settings, or `isthmus backend remove {name}`"
        )
    return env[base["type"]].browse(base.id)


def models_of(env: Env, backend: Any) -> list[str]:
    """List the binding models that a backend's connector has an adapter for, in order of name.

    Those are left out whose records of ours no store has (a group of models that is not enabled), or only the
    store that this backend's account opens: a record is not synchronised with itself.
    """
    found = []
    own = backend.models_of_ours()
    for name in sorted(env.services.stores):
        components = env.components.lookup(backend._name, "backend.adapter", name, backend.version_chain)
        if any(c._collection == backend._name for c in components) and hasattr(env[name], "binds"):
            binds = env[name].binds
            found += [name] if binds in env and binds not in own else []
    return found


def _active(backend: Any) -> None:
    if not backend["active"]:
        raise BackendError(
            f"backend {backend['name']!r} is disabled: `isthmus backend enable {backend['name']}`"
        )


def _at_home(env: Env, backend: Any) -> list[str]:
    """List the binding models of a backend, none of whose records have moved."""
    models = models_of(env, backend)
    check_homes(env, backend, models)
    with env.outside():
        pass  # what was noted is committed before a call is made
    return models


def import_backend(env: Env, backend: Any, *, full: bool = False, progress: Progress | None = None) -> Report:
    """Import what changed there, or everything.

    Args:
        env: The unit of work; each page is committed.
        backend: The backend.
        full: True walks everything again, also to find deletions.
        progress: Told how far it is.
    """
    _active(backend)
    report = Report()
    for model in _at_home(env, backend):
        if env.components.lookup(backend._name, "batch.importer", model, backend.version_chain):
            with backend.work_on(model, progress=progress) as work:
                report.add(work.component(usage="batch.importer").run({"full": full}))
    return report


def export_backend(env: Env, backend: Any, *, progress: Progress | None = None) -> Report:
    """Export every bound record that differs from what was last seen.

    Args:
        env: The unit of work; each record is committed.
        backend: The backend.
        progress: Told how far it is.
    """
    _active(backend)
    report = Report()
    for model in _at_home(env, backend):
        with backend.work_on(model, progress=progress) as work:
            report.add(work.component(usage="batch.exporter").run())
    if not report.changed and not report.notes:
        report.notes.append("no bound record of ours has changed")
    return report


def observer_of(env: Env, backend: Any, model: str) -> Observer | None:
    """Give what watches a binding model's records of ours; None when their store tells of itself.

    Args:
        env: The unit of work.
        backend: The backend.
        model: The binding model.
    """
    if env[env[model].binds].store.synchronous:
        return None
    work = WorkContext(model, collection=backend)
    return Observer(work, work.component(usage="record.exporter"))


def observe_backend(env: Env, backend: Any, *, full: bool = False) -> Report:
    """Find what changed in remote stores of ours, for the records that take part with a backend.

    Args:
        env: The unit of work; each page is committed.
        backend: The backend.
        full: True compares every record, and looks for deletions.
    """
    _active(backend)
    report = Report()
    found = (observer_of(env, backend, model) for model in _at_home(env, backend))
    observers = [observer for observer in found if observer is not None]
    changed: dict[str, set[Key]] = {}
    for observer in observers:
        observer.run(full=full)
        changed.setdefault(observer.records.name, set()).update(observer.changed)
    for observer in observers:
        observer.look_at_relatives(changed)
        report.add(observer.report)
    return report


def poll_backend(env: Env, backend: Any, *, full: bool = False, progress: Progress | None = None) -> Report:
    """Look at both sides of a backend for changes.

    Args:
        env: The unit of work; each page is committed.
        backend: The backend.
        full: True compares everything again, also to find deletions.
        progress: Told how far it is.
    """
    report = observe_backend(env, backend, full=full)
    report.add(import_backend(env, backend, full=full, progress=progress))
    return report


def poll(hub: Any, name: str, *, run_id: str | None = None, progress: Progress | None = None) -> Report:
    """Look at both sides of a backend for changes, in an env of its own.

    Args:
        hub: The hub.
        name: The backend's name.
        run_id: The run it belongs to.
        progress: Told how far it is.
    """
    with hub.env(user="poll", run_id=run_id) as env:
        report = poll_backend(env, get_backend(env, name), progress=progress)
    found: Report = report
    return found
