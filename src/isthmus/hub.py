"""The composition root: the one place that knows every part."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from isthmus.backend import KeyRing
from isthmus.binding import Binding
from isthmus.clock import Clock, SystemClock
from isthmus.component import AbstractComponent, ComponentRegistry, declared_components
from isthmus.env import Env, Model, ModelClasses, ModelExtension, Record, Services, Store, declared_extensions
from isthmus.errors import BackendError, ConfigurationError, SettingsError, near
from isthmus.event import EventListener, refuse_observed
from isthmus.job import Marks, Queue
from isthmus.models import GROUPS
from isthmus.plugin import Plugin, find
from isthmus.settings import Settings
from isthmus.store.odoo import OdooClient, OdooStore, dialects_of
from isthmus.store.sql import (
    Owner,
    SqlLeaseLocks,
    SqlLimiter,
    SqlModel,
    SqlStore,
    SqlTransaction,
    check,
    make_engine,
    upgrade,
    watch,
)
from isthmus.sync import tell_of_returns
from isthmus.sync.service import get_backend

_CORE: Final = (
    "isthmus.component", "isthmus.event", "isthmus.backend", "isthmus.binding", "isthmus.adapter",
    "isthmus.mapping", "isthmus.job", "isthmus.sync", "isthmus.store.odoo",
)  # fmt: skip
_LOOK_S: Final = 5.0
"""Seconds after which a shared connection is compared again with what its backend says."""
_EVENTS: Final = frozenset({"on_record_create", "on_record_write", "on_record_unlink"})

_watched: "weakref.WeakSet[type]" = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class _Connection:
    """A connection that is shared, what its backend said when it was made, and when that was looked at."""

    client: OdooClient
    made_of: tuple[str | None, str]
    looked_at: float


class Hub:
    """Everything of one Isthmus installation: settings, database, plugins, queue.

    ``with Hub.from_settings() as hub, hub.env() as env: ...``

    Attributes:
        settings: What it was made from.
        engine: The engine of its own database.
        registry: The built components of the core and the enabled plugins.
        queue: The jobs.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        plugins: Sequence[Plugin] | None = None,
        models: Mapping[str, type] | None = None,
        stores: Iterable[Store] = (),
        components: Iterable[type[AbstractComponent]] = (),
        extensions: Iterable[type[ModelExtension]] = (),
        clock: Clock | None = None,
        engine: Engine | None = None,
    ) -> None:
        """Put the parts together; the database is not touched yet.

        Args:
            settings: Where things are and what is enabled.
            plugins: The connectors; None takes those that settings name.
            models: An application's own mapped classes by model name.
            stores: Remote stores; a model they have is theirs and not the database's.
            components: Further components, such as those of a script.
            extensions: Further model extensions.
            clock: Whose time counts; None takes the machine's.
            engine: An application's own engine; None makes one from the settings.
        """
        self.settings = settings
        self._connections: dict[str, _Connection] = {}
        self._opened: list[OdooClient] = []
        self._connecting = Lock()
        self.clock: Clock = clock or SystemClock()
        self.plugins = list(find(settings.plugins) if plugins is None else plugins)
        for plugin in self.plugins:
            plugin.load()
        self.engine = engine or make_engine(settings.database_url.get_secret_value())
        self._owns_engine = engine is None
        packages = [*_CORE, *(p.package for p in self.plugins)]
        self._mapped = self._map(packages, models or {})
        self.sql = SqlStore(self._mapped)
        self.registry = ComponentRegistry.build([*declared_components(*packages), *components])
        self.stores = [*self._configured_stores(), *stores]
        self.secrets = KeyRing(settings.key_file)
        self.owner = Owner()
        self.locks = SqlLeaseLocks(self.engine, self.clock, self.owner)
        self.limiter = SqlLimiter(self.engine, self.clock)
        classes = ModelClasses(
            [*declared_extensions(*packages), *extensions], model=Model, record=Record, mapped=self._mapped
        )
        routed: dict[str, Store] = dict.fromkeys(self._mapped, self.sql)
        for store in self.stores:
            routed |= dict.fromkeys(store.models(), store)
        self._refuse_unknown_models(classes, routed)
        refuse_observed(self.registry, [name for name, store in routed.items() if not store.synchronous])
        for cls in self._mapped.values():
            if cls not in _watched:
                watch(cls)
                _watched.add(cls)
        self._heard: dict[str, bool] = {}
        self.services = Services(
            stores=routed,
            components=self.registry,
            clock=self.clock,
            classes=classes,
            names=self.sql.names,
            limiter=self.limiter,
            locks=self.locks,
            settings=settings,
            secrets=self.secrets,
            hub=self,
        )
        marks = Marks(
            lambda name: [classes.record_class(name), classes.model_class(name)] if name in routed else []
        )
        self.queue = Queue(self.engine, self.clock, self.owner, self.settings.job, self.env, marks)
        self.queue.runner.on_many_deferrals = tell_of_returns
        self.services.delayer = self.queue
        _ = self.queue.schedules.known  # refused now, if one is malformed, and not by the first worker

    @classmethod
    def from_settings(cls, path: Path | None = None, **overrides: Any) -> "Hub":
        """Read the settings and make a hub whose database is checked.

        Args:
            path: The settings file; None takes ``isthmus.toml`` of the working directory.
            overrides: Settings that win over file and environment.

        Raises:
            SettingsError: When settings are wrong.
            SchemaError: When the database and this program do not fit.
        """  # noqa: DOC502 - raised by what is called
        hub = cls(Settings.load(path, **overrides))
        try:
            hub.check()
        except BaseException:
            hub.close()
            raise
        return hub

    def _map(self, packages: Sequence[str], own: Mapping[str, type]) -> dict[str, type]:
        """Collect the mapped classes that are models here: core, plugins, bundled groups, own.

        Raises:
            SettingsError: When a group of bundled models does not exist.
        """
        modules = list(packages)
        for group in self.settings.models:
            if group not in GROUPS:
                raise SettingsError(f"setting 'models' names {group!r}{near(group, GROUPS)}")
            import_module(GROUPS[group][0])
            modules.append(GROUPS[group][0])
        mapped: dict[str, type] = {}
        for mapper in SqlModel.registry.mappers:
            cls = mapper.class_
            here = any(cls.__module__ == m or cls.__module__.startswith(m + ".") for m in modules)
            name: str = cls.__dict__.get("_name", "")
            if here and name:
                mapped[name] = cls
        return mapped | dict(own)

    def _refuse_unknown_models(self, classes: ModelClasses, routed: Mapping[str, Store]) -> None:
        # An installation without any connector has no binding model, but the jobs of all of them.
        kinds = {
            parent for cls in (Binding, *self._mapped.values()) for parent in getattr(cls, "_extends", ())
        }
        for name in classes.extended():
            if name not in routed and name not in kinds:
                raise ConfigurationError(
                    f"a model extension extends {name!r}, which no store has{near(name, routed)}"
                )

    # -- remote stores -----------------------------------------------------------------

    def _configured_stores(self) -> list[Store]:
        """Make the stores that the settings name; each connects at its first use.

        Raises:
            SettingsError: When two of them have the same model.
        """
        taken: dict[str, str] = {}
        found: list[Store] = []
        for name, chosen in self.settings.stores.items():
            for model in chosen.models:
                if model in taken:
                    raise SettingsError(f"model {model!r} is in two stores: {taken[model]} and {name}")
                taken[model] = name
            found.append(
                OdooStore(
                    name,
                    chosen.models,
                    partial(self.odoo_client, chosen.backend),
                    dialects=dialects_of(self.registry),
                    context=chosen.context,
                    lag=timedelta(seconds=chosen.lag),
                )
            )
        return found

    def odoo_client(self, name: str) -> OdooClient:
        """Give the connection to the Odoo of a backend, shared by all threads; not to be closed.

        Another address or other options of the backend are taken up within seconds, a new key at once
        (when the old one is refused).

        Args:
            name: The backend's name.

        Raises:
            BackendError: When there is no such backend, it is disabled, or it is no Odoo.
        """
        known = self._connections.get(name)
        if known is not None and monotonic() - known.looked_at < _LOOK_S:
            return known.client
        with self._connecting, self.env(readonly=True) as env:
            known = self._connections.get(name)
            backend = get_backend(env, name)
            if backend._name != "odoo.backend":
                raise BackendError(f"backend {name!r} is a {backend._name}: this needs an odoo.backend")
            if not backend["active"]:
                raise BackendError(f"backend {name!r} is disabled: `isthmus backend enable {name}`")
            # Notes about keys change while a key is in use.
            options = {k: v for k, v in (backend["options"] or {}).items() if not k.startswith("key_")}
            made_of = (backend["url"], repr(sorted(options.items(), key=str)))
            client: OdooClient
            if known is None or known.made_of != made_of:
                client = backend.open_client()
                self._opened.append(client)
            else:
                client = known.client
            self._connections[name] = _Connection(client, made_of, monotonic())
        return client

    # -- database ----------------------------------------------------------------------

    @property
    def branches(self) -> dict[str, Path]:
        """Revision folders of the enabled plugins and model groups, by branch label."""
        routed_away = {name for store in self.stores for name in store.models()}
        folders = {
            g: GROUPS[g][1] for g in self.settings.models if not routed_away & self._names_of(GROUPS[g][0])
        }
        return folders | {p.name: p.migrations for p in self.plugins if p.migrations is not None}

    def _names_of(self, module: str) -> set[str]:
        return {name for name, cls in self._mapped.items() if cls.__module__ == module}

    def upgrade(self) -> list[str]:
        """Bring the database to this program's revision; gives the revisions applied."""
        return upgrade(self.engine, self.branches)

    def check(self) -> None:
        """Stop unless the database and this program fit."""
        check(self.engine, self.branches)

    # -- envs --------------------------------------------------------------------------

    @contextmanager
    def env(
        self,
        user: str = "",
        *,
        readonly: bool = False,
        session: Session | None = None,
        run_id: str | None = None,
        **ctx: Any,
    ) -> Iterator[Env]:
        """Open a unit of work: commit at the end, roll back on an error.

        Args:
            user: Who acts.
            readonly: True when any write shall raise.
            session: An application's own session; it keeps its transaction, nothing is committed here.
            run_id: The run this belongs to; None starts one.
            **ctx: Context keys (``lang``, ``tz``, ``connector_no_export`` ...).
        """
        transaction = SqlTransaction(
            self.engine, names=self.sql.names, heard=self.is_heard, readonly=readonly, session=session
        )
        env = Env(
            self.services,
            transaction,
            user=user,
            ctx=ctx,
            readonly=readonly,
            owns_transaction=session is None,
            run_id=run_id,
        )
        transaction.bind(env)
        try:
            yield env
            if readonly:
                transaction.end()
            elif session is None:
                transaction.commit()
            else:
                transaction.flush()
        except BaseException:
            if session is None:
                transaction.rollback()
            raise
        finally:
            transaction.close()

    def watch(self, sessions: "sessionmaker[Session]", **env: Any) -> Callable[[], Session]:
        """Let an application's sessions deliver events and delay jobs by themselves.

        Args:
            sessions: The application's session factory.
            **env: Keywords for the env of each session (``user``, context keys).

        Returns:
            A factory to use instead: each of its sessions has an env.
        """

        def make() -> Session:
            session = sessions()
            transaction = SqlTransaction(None, names=self.sql.names, heard=self.is_heard, session=session)
            made = Env(self.services, transaction, user=env.get("user", ""), ctx=env, owns_transaction=False)
            transaction.bind(made)
            session.info["isthmus_env"] = made
            return session

        return make

    def is_heard(self, model: str) -> bool:
        """Tell whether any listener wants to hear of changes of a model."""
        if model not in self._heard:
            listeners = self.registry.lookup(None, "event.listener", model)
            self._heard[model] = any(
                _EVENTS & set(cls.events) for cls in listeners if issubclass(cls, EventListener)
            )
        return self._heard[model]

    # -- life --------------------------------------------------------------------------

    def close(self) -> None:
        """Give the database connections back."""
        self.queue.close()
        for client in self._opened:
            client.close()
        if self._owns_engine:
            self.engine.dispose()

    def __enter__(self) -> "Hub":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
