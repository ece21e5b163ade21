"""Hints: another system says that a record may have changed. It is read again; nothing is believed."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from isthmus.binding import Binding
from isthmus.env import Env, Key, ModelExtension
from isthmus.errors import BackendError, InvalidDataError, SkipRecord
from isthmus.job import job
from isthmus.store.sql import SqlStore
from isthmus.sync.report import Report
from isthmus.sync.service import models_of, observer_of

LANE: Final = "root.hook"
"""The lane of what hints cause: a slow poll of another backend does not hold it up."""
PREFIX: Final = "/hook/"
"""What the paths of webhooks begin with; the backend's name and its secret follow."""
SECRET: Final = "webhook_secret"  # noqa: S105 - what it is called
"""Name of the secret among a backend's credentials."""

_SECRET_BYTES: Final = 32
_WAIT: Final = timedelta(seconds=2)
"""Time from a hint to the look: Odoo before 19 tells before it commits."""
_LARGEST_KEY: Final = 2**63 - 1
_RETRY: Final = {1: 5, 3: 30}
_TIMES: Final = 5
"""The next poll finds the change anyway."""


@dataclass(frozen=True, slots=True)
class Follower:
    """A job that a hint asks for.

    Attributes:
        backend: Model and key of the backend's record.
        method: The job's method.
        model: Its first argument: a model of ours, or a binding model.
    """

    backend: tuple[str, Key]
    method: str
    model: str


class BackendHints(ModelExtension):
    """What every backend does with hints. A connector whose system tells in another form overrides `hint`."""

    _inherit = "connector.backend"

    env: Any

    # -- the secret --------------------------------------------------------------------

    def webhook_path(self, *, renew: bool = False) -> str:
        """Give the path of the backend's webhook, which has a secret in it.

        Args:
            renew: True makes a new secret; the old path is refused from the commit on. Without it a secret
                is made only where there is none.
        """
        me: Any = self
        secret = None if renew else me.credentials.stored.get(SECRET)
        if not secret:
            # Of two that ask at the same time the second gets the secret of the first.
            new = {SECRET: secrets.token_urlsafe(_SECRET_BYTES)}
            secret = me.keep_secrets(new, replace=renew)[SECRET]
        return f"{PREFIX}{quote(self['name'], safe='')}/{secret}"  # type: ignore[index]  # of Record

    # -- what is hinted at -------------------------------------------------------------

    def hint(self, payload: Any) -> list[tuple[str, Key]]:
        """Tell which records a webhook's payload is about: nothing else of it is used.

        This is the form of Odoo's server action "Send Webhook Notification".

        Args:
            payload: The JSON document.

        Returns:
            Model and key of each; the model as the sender calls it.

        Raises:
            InvalidDataError: When it is in another form; without its content, which anybody may have sent.
        """
        model, key = (payload.get("_model"), payload.get("_id")) if isinstance(payload, Mapping) else (0, 0)
        if not isinstance(model, str) or type(key) is not int or not 0 < key <= _LARGEST_KEY:
            raise InvalidDataError("a hint names a record by _model and _id")
        return [(model, key)]

    def models_of_ours(self) -> frozenset[str]:
        """List the models of ours that live in the store which this backend's account opens, if one does."""
        stores = self.env.services.settings.stores.items()
        mine = {name for name, store in stores if store.backend == self["name"]}  # type: ignore[index]  # of Record
        routed = self.env.services.stores.items()
        return frozenset(model for model, store in routed if store.name in mine)

    def followers(self, model: str) -> list[Follower]:
        """Find out who wants to know of a change there, without a call to any other system.

        A hint from a store of ours is for every other active backend whose bindings bind the model; one
        from the other side is for the backend's own bindings.

        Args:
            model: The model, as the sender calls it.
        """
        if model not in self.models_of_ours():
            bindings = [b for b in _bindings(self.env, self) if model in _names_there(self.env, self, b)]
            me = (self._name, self.id)  # type: ignore[attr-defined]  # of Record
            return [Follower(me, "import_hinted", binding) for binding in bindings]
        found = []
        for base in self.env["connector.backend"].search([("active", "=", True)], order="id"):
            if base["type"] in self.env and base.id != self.id:  # type: ignore[attr-defined]
                other = self.env[base["type"]].browse(base.id)
                if model in _bindings(self.env, other).values():
                    found.append(Follower((other._name, other.id), "observe_hinted", model))
        return found

    def hinted_models(self) -> list[str]:
        """List the models, as the sender calls them, of which hints are of use."""
        bindings = _bindings(self.env, self)
        theirs = {name for binding in bindings for name in _names_there(self.env, self, binding)}
        named = (theirs - set(bindings)) | self.models_of_ours()
        return sorted(model for model in named if self.followers(model))

    # -- what is done about it ---------------------------------------------------------

    @job(default_channel=LANE, retry_pattern=_RETRY, max_retries=_TIMES)
    def observe_hinted(self, model: str, key: Key) -> str:
        """Look at one record of ours in a remote store; tell listeners what changed, or that it is gone."""
        self._skip_disabled()
        report = Report()
        for binding in models_of(self.env, self):
            if self.env[binding].binds == model:
                observer = observer_of(self.env, self, binding)
                if observer is not None:
                    report.add(observer.look([self.env[model].store.key(model, str(key))]))
        return report.sentence()

    @job(default_channel=LANE, retry_pattern=_RETRY, max_retries=_TIMES)
    def import_hinted(self, binding_model: str, external_id: str) -> str:
        """Look at one record of theirs: import it, if it takes part; one that is gone was deleted."""
        self._skip_disabled()
        with self.work_on(binding_model) as work:  # type: ignore[attr-defined]  # of BackendRecord
            report: Report = work.component(usage="record.importer").look([external_id])
        return report.sentence()

    def _skip_disabled(self) -> None:
        if not self["active"]:  # type: ignore[index]  # of Record
            raise SkipRecord("the backend was disabled meanwhile")


def delay(env: Env, follower: Follower, key: Key) -> None:
    """Delay what a follower does about one record; equal hints that wait together are one job.

    Args:
        env: The unit of work.
        follower: Who wants to know.
        key: The record.
    """
    model, backend_id = follower.backend
    told = key if follower.method == "observe_hinted" else str(key)
    backend = env[model].browse(backend_id)
    identity = f"hint/{backend_id}/{follower.method}/{follower.model}/{key}"
    # Not on the binding model: to open one may ask a remote store for its fields, and that store may be
    # waiting for our answer right now.
    getattr(backend.with_delay(identity_key=identity, eta=_WAIT), follower.method)(follower.model, told)


def _bindings(env: Env, backend: Any) -> dict[str, str]:
    """Give the model of ours by binding model, for those that the backend's connector has an adapter for."""
    found = {}
    for name, store in sorted(env.services.stores.items()):
        mapped = store.mapped(name) if isinstance(store, SqlStore) else None
        if isinstance(mapped, type) and issubclass(mapped, Binding) and _adapters(env, backend, name):
            found[name] = mapped._binds
    return found


def _names_there(env: Env, backend: Any, binding: str) -> set[str]:
    """Tell what the other side calls the records of a binding model."""
    named = {adapter.external_model for adapter in _adapters(env, backend, binding)}
    return {binding, *(name for name in named if name)}


def _adapters(env: Env, backend: Any, binding: str) -> list[Any]:
    try:
        chain = backend.version_chain
    except BackendError:  # nothing is synchronised there until somebody mends it
        return []
    found = env.components.lookup(backend._name, "backend.adapter", binding, chain)
    return [component for component in found if component._collection == backend._name]
