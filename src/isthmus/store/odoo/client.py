"""One connection to an Odoo: which version, which protocol, who we are, and calls."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from isthmus.clock import Clock
from isthmus.env import Limiter, RateWindow
from isthmus.errors import BackendError, CredentialsError, LoginRefusedError
from isthmus.http import Auth, HTTPClient, Timeout
from isthmus.store.odoo.json2 import Json2
from isthmus.store.odoo.jsonrpc import JsonRpc, ask_version
from isthmus.store.odoo.transport import Login, ProtocolName, Request, Transport
from isthmus.store.odoo.version import OdooVersion

ODOO_TIMEOUT: Final = Timeout(connect=timedelta(seconds=10), read=timedelta(seconds=60))
"""Odoo answers a call when it is done: a page of 500 records takes seconds."""

_FRONT_DOORS: Final = frozenset({"web", "odoo", "jsonrpc", "xmlrpc", "json", "my"})
"""First parts of paths that people copy out of the browser."""


@dataclass(frozen=True, slots=True)
class _Session:
    """A login that was accepted."""

    login: Login
    transport: Transport
    uid: int


@dataclass(slots=True)
class _Known:
    """What has been learnt about the server; all of it may be forgotten."""

    version: OdooVersion | None = None
    session: _Session | None = None
    context: Mapping[str, Any] | None = None
    passwords: set[Login] = field(default_factory=set)
    """Logins whose secret is not accepted as an API key over JSON-2."""


class OdooClient:
    """An Odoo as one user sees it, over JSON-RPC or JSON-2.

    Safe to share between threads. Connects at the first use. Never repeats a write, unless Odoo
    refused the login before it did anything.

    Args:
        url: Where Odoo answers: ``https://company.odoo.com``.
        login: Who we are, or a callable that tells it; asked again when it is refused, since a
            key may have been replaced meanwhile.
        protocol: ``"auto"`` takes JSON-2 from Odoo 19 on when the secret is an API key.
        timeout: How long to wait for what.
        clock: Tells the time and waits.
        limiter: Paces the calls of all workers; None where there is no limit.
        credential: The name of the credential for *limiter*, not the secret.
        windows: The limits of the credential.

    Raises:
        BackendError: When *url* is no address of a server.
    """

    def __init__(
        self,
        url: str,
        login: Login | Callable[[], Login],
        *,
        protocol: Literal["auto", "jsonrpc", "json2"] = "auto",
        timeout: Timeout = ODOO_TIMEOUT,
        clock: Clock | None = None,
        limiter: Limiter | None = None,
        credential: str = "",
        windows: Sequence[RateWindow] = (),
    ) -> None:
        self.on_call: Callable[[str], None] | None = None
        """Told what a call is for, before it is made; may refuse it (`Env.external_call`)."""
        self._read_login = login if callable(login) else lambda: login
        self._rereads = callable(login)
        self._wanted = protocol
        self._secrets: tuple[str, ...] = ()
        self._http = HTTPClient(
            _root(url),
            auth=lambda: Auth(secrets=self._secrets),
            timeout=timeout,
            clock=clock,
            limiter=limiter,
            credential=credential,
            windows=windows,
        )
        self._http.on_call = self._tell
        self._known = _Known()
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._http.server}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def server(self) -> str:
        """Host and port."""
        return self._http.server

    @property
    def version(self) -> OdooVersion:
        """The server's version; connects when it is not known yet."""
        return self._known.version or self._learn_version()

    @property
    def protocol(self) -> ProtocolName:
        """The protocol that is spoken; connects when that is not decided yet."""
        return self._session().transport.name

    @property
    def uid(self) -> int:
        """Our user's ID; connects when it is not known yet."""
        return self._session().uid

    @property
    def database(self) -> str:
        """The database we are logged in to; connects when we are not yet."""
        return self._session().login.database

    @property
    def user_context(self) -> Mapping[str, Any]:
        """Our user's language and time zone: ``{"lang": "en_US", "tz": "Europe/Brussels", ...}``."""
        self._session()
        context = self._known.context
        if context is None:
            told = self.call("res.users", "context_get", what="read our user's language", safe=True)
            context = self._known.context = dict(told) if isinstance(told, dict) else {}
        return context

    @property
    def clock_offset(self) -> timedelta | None:
        """How far the server's clock is before ours, by the last answer; to the second."""
        return self._http.clock_offset

    def call(
        self,
        model: str,
        method: str,
        *,
        ids: Sequence[int] | None = None,
        args: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        what: str,
        safe: bool = False,
    ) -> Any:
        """Call a method of a model.

        Args:
            model: Odoo's name of the model.
            method: A public method of it.
            ids: The records it is called on; None for a method of the model itself.
            args: Its arguments by name **and** in its order: one protocol sends the names, the
                other the order.
            options: Further arguments, sent by name in both.
            context: Odoo's context; None sends none.
            what: What the call is for, as a verb and its object: ``"create 3 project.task"``.
            safe: Whether it only reads and may be repeated.

        Returns:
            The bare result, as JSON says it.

        Raises:
            LoginRefusedError: When Odoo does not accept who we are. The other errors are in the
                tables of `isthmus.store.odoo.failure` and `isthmus.http.failure`.
        """
        request = Request(
            model=model,
            method=method,
            ids=ids,
            args=args or {},
            options=options or {},
            context=context,
            what=what,
            safe=safe,
        )
        session = self._session()
        try:
            return session.transport.call(request)
        except LoginRefusedError as error:
            renewed = self._renewed(session, error)
            if renewed is None:
                raise
        return renewed.transport.call(request)

    def reconnect(self) -> None:
        """Forget version, protocol and user; the next call finds them out again."""
        with self._lock:
            self._known = _Known()

    def close(self) -> None:
        """Give all connections back; the client is of no use afterwards."""
        self._http.close()

    def _tell(self, what: str) -> None:
        if self.on_call is not None:
            self.on_call(what)

    def _session(self) -> _Session:
        session = self._known.session
        if session is not None:
            return session
        with self._lock:
            return self._known.session or self._connect()

    def _renewed(self, refused: _Session, error: LoginRefusedError) -> _Session | None:
        """Log in again after a refusal, where that may help; None where it cannot."""
        with self._lock:
            current = self._known.session
            if current is not refused and current is not None:
                return current  # another thread has done it
            login = self._read_login()
            if login == refused.login and not error.expired:
                return None
            self._known.session = None
            self._known.context = None
            return self._open(login)

    def _connect(self) -> _Session:
        login = self._read_login()
        try:
            return self._open(login)
        except LoginRefusedError:
            again = self._read_login() if self._rereads else login
            if again == login:
                raise
        return self._open(again)

    def _open(self, login: Login) -> _Session:
        if not login.database or not login.secret:
            lacking = "database" if not login.database else "password or API key"
            msg = f"cannot log in to {self.server}: no {lacking} is given"
            raise CredentialsError(msg)
        # The secret before it may still be in the answer of another thread.
        self._secrets = tuple(dict.fromkeys((login.secret, *self._secrets)))[:2]
        session = self._known.session = self._chosen(login)
        return session

    def _chosen(self, login: Login) -> _Session:
        """Log in over the protocol that is wanted, or over the one that works.

        Raises:
            BackendError: When the server does not speak the protocol that is wanted.
            LoginRefusedError: When no protocol accepts the login.
        """
        if self._wanted == "jsonrpc":
            return self._logged_in(JsonRpc(self._http, login), login)
        if self._wanted == "json2":
            if not self.version.speaks_json2:
                msg = (
                    f"{self.server} runs Odoo {self.version}, which does not speak JSON-2; "
                    f"set the protocol to auto or jsonrpc"
                )
                raise BackendError(msg)
            return self._logged_in(Json2(self._http, login), login)
        if not self.version.speaks_json2 or login.is_key is False or login in self._known.passwords:
            return self._logged_in(JsonRpc(self._http, login), login)
        try:
            return self._logged_in(Json2(self._http, login), login)
        except LoginRefusedError:
            # What is no API key may be a password, which only JSON-RPC takes.
            if login.is_key or not login.login:
                raise
        session = self._logged_in(JsonRpc(self._http, login), login)
        self._known.passwords.add(login)
        return session

    def _logged_in(self, transport: Transport, login: Login) -> _Session:
        identity = transport.log_in()
        self._known.context = identity.context
        return _Session(login, transport, identity.uid)

    def _learn_version(self) -> OdooVersion:
        with self._lock:
            if self._known.version is None:
                self._known.version = ask_version(self._http)
            return self._known.version


def _root(url: str) -> str:
    """Take the address of the server out of one that was copied from a browser.

    >>> _root("https://company.odoo.com/web/login?db=x")
    'https://company.odoo.com'
    >>> _root("https://intranet.example.org/erp/odoo/action-17")
    'https://intranet.example.org/erp'
    """
    parts = urlsplit(url.strip())
    segments = parts.path.split("/")
    for n, segment in enumerate(segments):
        if segment in _FRONT_DOORS:
            return urlunsplit((parts.scheme, parts.netloc, "/".join(segments[:n]), "", ""))
    return url
