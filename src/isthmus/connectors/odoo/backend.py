"""What an Odoo backend can do: open a client for the work on it, and test the connection."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from isthmus.component import WorkContext
from isthmus.connectors.odoo.connection import Connection
from isthmus.connectors.odoo.country import Countries
from isthmus.connectors.odoo.moment import moment, read_moments
from isthmus.env import ModelExtension
from isthmus.errors import BackendError, CredentialsError, RetryableJobError, UnknownModelError
from isthmus.http import Timeout, fingerprint
from isthmus.store.odoo import Login, OdooClient

_FIRST: Final = 14
"""The first major version that we speak to."""
_PROTOCOLS: Final = ("auto", "jsonrpc", "json2")
_CLOCKS_APART: Final = timedelta(minutes=1)
_API_KEY: Final = re.compile(r"[0-9a-f]{40}")
"""What Odoo's API keys look like; a password hardly ever does."""
_EXPIRES_SINCE: Final = 18
"""The first major version whose API keys may expire."""
_ISSUERS: Final = {"auto": None, "key": True, "password": False}


class OdooBackendMethods(ModelExtension):
    """Methods of ``odoo.backend`` records."""

    _inherit = "odoo.backend"

    env: Any

    def set_credentials(self, values: Mapping[str, str]) -> None:
        """Store the key; what was noted of the one before it is forgotten.

        Raises:
            ConfigurationError: When another credential is named.
        """  # noqa: DOC502 - raised by what is called
        super().set_credentials(values)  # type: ignore[misc]  # of BackendRecord
        if "key" in values:
            self.set_options({"key_expires": None, "key_name": None})

    def set_options(self, values: Mapping[str, Any]) -> None:
        """Store options; instants without an offset are UTC.

        Raises:
            ConfigurationError: When an option is not known, or is no instant and should be one.
        """  # noqa: DOC502 - raised by what is called
        super().set_options(read_moments(values))  # type: ignore[misc]  # of BackendRecord

    def open_client(self) -> OdooClient:
        """Make a client with the backend's login, which it reads again when that is refused.

        Raises:
            BackendError: When address or database is missing, or an option has no sense.
        """  # noqa: DOC502 - raised by what is called
        hub, backend_id = self.env.services.hub, self.id  # type: ignore[attr-defined]  # of Record
        return self._client(_Logins(self.login(), hub, backend_id))

    def _client(self, login: Any) -> OdooClient:
        name, url = self["name"], self["url"]  # type: ignore[index]  # of Record
        protocol = self._option("protocol")
        if not url:
            raise BackendError(f"backend {name!r} has no address: isthmus backend set {name} url=https://...")
        if protocol not in _PROTOCOLS:
            raise BackendError(
                f"backend {name!r}: protocol is one of {', '.join(_PROTOCOLS)}, not {protocol!r}"
            )
        credential = f"{url}/{self._option('database')}/{self._option('login')}"
        return OdooClient(
            url,
            login,
            protocol=protocol,
            timeout=Timeout(read=timedelta(seconds=float(self._option("timeout_s")))),
            clock=self.env.clock,
            limiter=self.env.limiter,
            credential=fingerprint("odoo", credential),
        )

    def login(self) -> Login:
        """Give database, login and secret as they are now.

        Raises:
            BackendError: When the database is missing, or it is not known what the secret is.
            SecretError: When there is no secret, or it cannot be read.
        """  # noqa: DOC502 - the latter by the credentials
        name, database = self["name"], self._option("database")  # type: ignore[index]
        if not database:
            raise BackendError(f"backend {name!r} has no database: isthmus backend set {name} database=NAME")
        kind = str(self._option("secret_is"))
        if kind not in _ISSUERS:
            raise BackendError(f"backend {name!r}: secret_is is one of {', '.join(_ISSUERS)}, not {kind!r}")
        secret = self.credentials["key"]  # type: ignore[attr-defined]  # of BackendRecord
        return Login(database, self._option("login"), secret, _ISSUERS[kind])

    def login_is_key(self, login: Login) -> bool:
        """Tell whether a secret is an API key: as the option ``secret_is`` says, else by its looks."""
        return bool(_API_KEY.fullmatch(login.secret)) if login.is_key is None else login.is_key

    @contextmanager
    def work_on(self, model_name: str, **extra: Any) -> Iterator[WorkContext]:
        """Open the work on a model; the connection is ``work.odoo``, and some things are read only once."""
        # Calls are made where nothing of our own database can be read.
        context = dict(self._option("context") or {})
        shared = {"countries": Countries(self.env), "odoo_countries": {}, "odoo_context": context}
        connection = Connection(self.env, self["name"])  # type: ignore[index]  # of Record
        with super().work_on(model_name, **{"odoo": connection, **shared, **extra}) as work:  # type: ignore[misc]
            yield work

    def needed_models(self) -> list[str]:
        """List the models there that are chosen to take part, by this backend or as a store of ours."""
        found = {*self._option("import_domain"), *self._option("export_domain")}
        stores = getattr(self.env.services.settings, "stores", None) or {}
        for store in stores.values():
            if getattr(store, "backend", None) == self["name"]:  # type: ignore[index]
                found.update(store.models)
        return sorted(found)

    def connect(self) -> str:
        """Try the connection, and say in one sentence what answers and as whom.

        Version and expiry of the key are noted when they are found out.

        Raises:
            CredentialsError: When the login or a model that takes part is refused.
            BackendError: When it cannot be reached, is no Odoo we can speak to, or lacks a model.
        """
        name, url, who = self["name"], self["url"], self._option("login")  # type: ignore[index]
        needed, database = self.needed_models(), self._option("database")
        try:
            with closing(self.open_client()) as client:
                client.on_call = self.env.external_call
                version, protocol = client.version, client.protocol
                if version.major < _FIRST:
                    raise BackendError(f"it is Odoo {version.name}, and {_FIRST}.0 is the first that we know")
                uid, offset = client.uid, client.clock_offset
                missing, refused = _look_for(client, needed)
                expires = self._expiry_there(client)
        except CredentialsError as exc:
            raise CredentialsError(f"backend {name!r}: {exc}") from exc
        except BackendError as exc:
            raise BackendError(f"backend {name!r} cannot work with {url}: {exc}") from exc
        except RetryableJobError as exc:
            raise BackendError(f"backend {name!r} cannot be reached at {url}: {exc}") from exc
        wrong = _wrong(missing, refused, database, who or f"user {uid}")
        if wrong:
            raise (BackendError if missing else CredentialsError)(f"backend {name!r}: {wrong}")
        self._note(version.chain, expires)
        spoken = {"jsonrpc": "JSON-RPC", "json2": "JSON-2"}.get(protocol, protocol)
        sentence = (
            f"backend {name!r} is connected to {url} (Odoo {version.name}, {spoken}, database {database!r}) "
            f"as {who or f'user {uid}'}"
        )
        return f"{sentence}{_apart(offset)}{_until(expires)}"

    def _note(self, chain: Iterable[str], expires: datetime | None) -> None:
        """Keep what the server has told, where it is news."""
        version = next((v for v in chain if v in self._mapped()._versions), None)  # type: ignore[attr-defined]
        if version is not None and version != self["version"]:  # type: ignore[index]
            self.write({"version": version})  # type: ignore[attr-defined]
        told, noted = expires and expires.isoformat(), self._option("key_expires")
        if told is None and noted is not None and moment(noted) <= self.env.now():
            # It is not the end of this key, which works.
            self.set_options({"key_expires": None})
        if told is not None and told != noted:
            self.set_options({"key_expires": told})

    def _expiry_there(self, client: OdooClient) -> datetime | None:
        """Ask when the key ends that we use; None when it does not, or cannot be told from others."""
        if client.version.major < _EXPIRES_SINCE or not self.login_is_key(self.login()):
            return None
        try:
            keys = client.call(
                "res.users.apikeys",
                "search_read",
                args={"domain": [["user_id", "=", client.uid]]},
                options={"fields": ["name", "expiration_date"]},
                what="list our own API keys",
                safe=True,
            )
        except CredentialsError:  # a portal user, say: then nobody is warned
            return None
        named = [k for k in keys if k["name"] == self._option("key_name")] or keys
        told = named[0]["expiration_date"] if len(named) == 1 else None
        return moment(told) if told else None

    def _option(self, name: str) -> Any:
        return self.option(name)  # type: ignore[attr-defined]  # of BackendRecord


class _Logins:
    """Tells the login: first the one that was read already, later what is stored by then.

    A client may outlive the env in which it was made, and the key that it began with.
    """

    def __init__(self, first: Login, hub: Any, backend_id: int) -> None:
        self._first: Login | None = first
        self._hub = hub
        self._backend_id = backend_id

    def __call__(self) -> Login:
        first, self._first = self._first, None
        if first is not None:
            return first
        with self._hub.env(readonly=True) as env:
            stored: Login = env["odoo.backend"].browse(self._backend_id).login()
        return stored


def _look_for(client: OdooClient, models: Iterable[str]) -> tuple[list[str], list[str]]:
    """Tell which models are not installed, and which we may not read."""
    missing, refused = [], []
    for model in models:
        try:
            client.call(
                model, "search", args={"domain": []}, options={"limit": 1}, what=f"look at {model}", safe=True
            )
        except UnknownModelError:
            missing.append(model)
        except CredentialsError:
            refused.append(model)
    return missing, refused


def _wrong(missing: list[str], refused: list[str], database: str, who: str) -> str:
    parts = []
    if missing:
        parts.append(f"database {database!r} has no model {', '.join(missing)} (is the app installed?)")
    if refused:
        parts.append(f"{who} has no access to {', '.join(refused)}")
    return "; ".join(parts)


def _apart(offset: timedelta | None) -> str:
    if offset is None or abs(offset) <= _CLOCKS_APART:
        return ""
    minutes = round(abs(offset).total_seconds() / 60)
    word = "ahead of" if offset > timedelta() else "behind"
    return f"; its clock is {minutes} minute{'s' if minutes > 1 else ''} {word} ours"


def _until(expires: datetime | None) -> str:
    return f"; the key expires on {expires:%Y-%m-%d}" if expires else ""
