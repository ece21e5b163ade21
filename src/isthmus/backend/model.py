"""A backend: one external system we talk to, as a record, and the collection of its components."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import Text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.backend.secret import Credentials
from isthmus.component import WorkContext
from isthmus.env import Model, Record
from isthmus.errors import BackendError, ConfigurationError, MissingRecordError, near
from isthmus.store.sql import SqlModel


class BackendRecord(Record):
    """What every backend can do; a connector adds to it by a `ModelExtension` of its type.

    A backend is the *collection* of its components: it opens the work on its models.
    """

    __slots__ = ()

    @property
    def version_chain(self) -> tuple[str, ...]:
        """The version followed by those it descends from; empty when the type has none.

        Raises:
            BackendError: When the backend has a version that its type does not know.
        """
        version = self["version"]
        parents: Mapping[str, str | None] = self._mapped()._versions
        chain: list[str] = []
        while version:
            if version not in parents:
                raise BackendError(
                    f"backend {self['name']!r} has version {version!r}{near(version, parents)}"
                )
            chain.append(version)
            version = parents[version]
        return tuple(chain)

    def _mapped(self) -> Any:
        return self._model.store.mapped(self._name)

    @contextmanager
    def work_on(self, model_name: str, **extra: Any) -> Iterator[WorkContext]:
        """Open the work on a model of this backend.

        Overridden by connectors to open and close a client; what they add as keyword goes along to
        every component.

        Args:
            model_name: The model, mostly a binding model.
            **extra: Attributes of the work context.
        """
        yield WorkContext(model_name, collection=self, **extra)

    def connect(self) -> str:
        """Try the connection and say in one sentence who we are there.

        Raises:
            BackendError: When it does not work; says in one sentence what is wrong.
            NotImplementedError: When the connector has no probe.
        """
        raise NotImplementedError(f"the connector of {self._name} has no connection test")

    @property
    def credentials(self) -> Credentials:
        """The credentials, decrypted."""
        sealed = self["sealed_credentials"]
        if not sealed:
            return Credentials({})
        return Credentials(self.env.services.secrets.open(sealed, context=f"backend/{self.id}"))

    def set_credentials(self, values: Mapping[str, str]) -> None:
        """Store credentials, encrypted; those not named stay as they are.

        Args:
            values: By name; ``env:NAME`` and ``file:PATH`` are kept as references.

        Raises:
            ConfigurationError: When the backend type knows no such credential.
        """
        known = self._mapped()._credentials
        for name in values:
            if name not in known:
                raise ConfigurationError(f"{self._name} has no credential {name!r}{near(name, known)}")
        self.keep_secrets(values)

    def keep_secrets(self, values: Mapping[str, str], *, replace: bool = True) -> Credentials:
        """Store secrets of ours beside the credentials, encrypted; those not named stay as they are.

        Args:
            values: By name; no type of backend needs to know them.
            replace: False leaves those alone that are there, also when another process stores them at this
                moment.

        Returns:
            All that are stored then.
        """
        self._hold("sealed_credentials")
        stored = self.credentials.stored
        merged = stored | {name: v for name, v in values.items() if replace or not stored.get(name)}
        if merged != stored:
            sealed = self.env.services.secrets.seal(merged, context=f"backend/{self.id}")
            self.write({"sealed_credentials": sealed})
        return Credentials(merged)

    def option(self, name: str) -> Any:
        """Give an option of the backend, or its default.

        Raises:
            ConfigurationError: When the backend type knows no such option.
        """
        known: Mapping[str, Any] = self._mapped()._options
        if name not in known:
            raise ConfigurationError(f"{self._name} has no option {name!r}{near(name, known)}")
        # A copy: a list that is changed by who got it would be everybody's default.
        return deepcopy((self["options"] or {}).get(name, known[name]))

    def set_options(self, values: Mapping[str, Any]) -> None:
        """Store options; those not named stay as they are.

        Raises:
            ConfigurationError: When the backend type knows no such option.
        """  # noqa: DOC502 - raised by `option`
        for name in values:
            self.option(name)
        self._hold("options")
        self.write({"options": {**(self["options"] or {}), **values}})

    def _hold(self, column: str) -> None:
        """Read a column as it is stored by now, and let nobody else write it until the transaction ends.

        What is merged into a value that was read earlier would take back what was stored since.

        Raises:
            MissingRecordError: When the backend is gone.
        """
        self.env.check_writable(f"{self._name}.{column}")
        self.env.flush()
        instance = self._model.store.instance(self)
        try:
            self.env.session.refresh(instance, [column], with_for_update=True)
        except InvalidRequestError as exc:
            raise MissingRecordError(f"{self!r} does not exist (any more)") from exc

    @property
    def lease_time(self) -> timedelta:
        """How long a lease on one of its records lasts."""
        return timedelta(seconds=self["lease_s"])

    @property
    def quiet_time(self) -> timedelta:
        """How long after a lost answer a write may still take effect."""
        return timedelta(seconds=self["quiet_s"])


class _Types(dict[str, Any]):
    """Mapper by type of backend; a type that nobody declared is taken for a backend like any other.

    Otherwise SQLAlchemy refuses every list of backends that has one of a plugin which is not enabled (any
    more), or of a script: nothing could be done with the others, and the one could not be removed.
    """

    def __missing__(self, _type: str) -> Any:
        return self[Backend._name]


class Backend(SqlModel):
    """The table of all backends; each connector's type is a subclass without columns of its own.

    Attributes:
        _versions: The type's versions with their parents: ``{"1.7": None, "1.7-acme": "1.7"}``.
        _credentials: Names of the credentials the type needs.
        _options: Names and defaults of its options.
        _questions: What to ask a person who adds one, by field, option or credential; what is named here is
            needed, and asked for in this order.
    """

    __tablename__ = "isthmus_backend"
    _name = "connector.backend"
    _kind: ClassVar[bool] = True
    _extends: ClassVar[tuple[str, ...]] = ()
    _record_class: ClassVar[type[Record]] = BackendRecord
    _model_class: ClassVar[type[Model]] = Model
    _versions: ClassVar[Mapping[str, str | None]] = {}
    _credentials: ClassVar[tuple[str, ...]] = ()
    _options: ClassVar[Mapping[str, Any]] = {}
    _questions: ClassVar[Mapping[str, str]] = {}

    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    """Model name of the backend type, such as ``trello.backend``; says which row is which class."""
    name: Mapped[str] = mapped_column(unique=True)
    """What people call it; the program takes it on the command line."""
    version: Mapped[str | None]
    """Version of the other system, when its type has versions."""
    url: Mapped[str | None]
    """Where it is; None takes the type's usual address. Never holds a secret."""
    active: Mapped[bool] = mapped_column(default=True)
    """False while it is disabled: nothing is imported or exported."""
    options: Mapped[dict[str, Any] | None]
    """What the type lets one choose, by option name."""
    sealed_credentials: Mapped[str | None] = mapped_column(Text)
    """Encrypted mapping; empty before credentials are set."""
    lease_s: Mapped[float] = mapped_column(default=30.0)
    """Seconds that a lease on a record lasts unless prolonged."""
    quiet_s: Mapped[float] = mapped_column(default=60.0)
    """Seconds after which a write whose answer was lost no longer takes effect."""

    __mapper_args__ = {
        "polymorphic_on": "type",
        "polymorphic_identity": "connector.backend",
        # The one way in that SQLAlchemy has: it knows no identity for all others.
        "_polymorphic_map": _Types(),
    }
