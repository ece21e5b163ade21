"""One HTTP API: its connections, its limits, its credentials, and every failure told once."""

import functools
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from time import perf_counter
from typing import Any, Final, Self

import httpx2
import structlog

from isthmus.clock import Clock, SystemClock
from isthmus.env import Limiter, RateWindow
from isthmus.errors import (
    AnswerCutError,
    BackendError,
    CredentialsError,
    InvalidDataError,
    IsthmusError,
    NetworkRetryableError,
    ParkError,
)
from isthmus.http.answer import Payload, as_object, as_objects, decode, encode, retry_after
from isthmus.http.credentials import Auth
from isthmus.http.failure import Call, error_for_exception, error_for_status

USER_AGENT: Final = f"isthmus/{version('isthmus')}"

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PAUSES: Final = (0.25, 1.0)
"""Seconds before the second and third try of a read: a hiccup passes, an outage is the job's matter."""
_LONGEST_PAUSE: Final = timedelta(seconds=5)
"""A server that asks for more is not waited for inside a request."""

# Over the standard library's loggers, so that a program that has set up no logging stays silent.
_log = structlog.wrap_logger(
    logging.getLogger("isthmus.http"),
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.render_to_log_kwargs,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)


_FOREIGN: Final = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    httpx2.StreamError,
    OSError,
)
"""Everything the HTTP library raises. Errors of our own code are no failures of a server."""

Promise = Callable[[Any, Call], Any]
"""Gives back an answer that has the promised shape, raises for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """How long each part of a request may take.

    Attributes:
        connect: Until there is a connection. Running out is harmless: nothing was sent.
        read: Between two pieces of the answer. Running out leaves a write unknown.
        write: Between two pieces of the request.
        pool: Until one of our own connections is free.
    """

    connect: timedelta = timedelta(seconds=10)
    read: timedelta = timedelta(seconds=30)
    write: timedelta = timedelta(seconds=30)
    pool: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Quota:
    """Windows that one credential draws from.

    Attributes:
        credential: The name under which every worker counts it; never the secret itself
            (`isthmus.http.fingerprint` makes one).
        windows: The limits that a call must fit into.
    """

    credential: str
    windows: tuple[RateWindow, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success.

    Attributes:
        status: Its code, anything outside 200 to 299.
        text: Its body, without our secrets.
        location: Where it sends us, without our secrets; empty when it does not.
    """

    status: int
    text: str
    location: str = ""


Explain = Callable[[Refusal, Call], IsthmusError | None]
"""Says what an answer that is no success means, where its body tells more than its status."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """What goes over the wire, without the credentials of the client."""

    method: str
    path: str
    params: Mapping[str, str | int]
    headers: Mapping[str, str]
    body: bytes | None


class HTTPClient:
    """Requests to one HTTP API, with one credential.

    Safe to share between threads. Never repeats a write; a read that met a hiccup is tried
    twice more. A subclass names the routes, and overrides `quotas` and `exceeded` where limits
    depend on the route or on what a refusal says.

    Args:
        base_url: Where all paths start: ``https://api.example.org/v1``. No secrets in it.
        credential: The name of the credential for *limiter*, not the secret.
        limiter: Paces the calls of all workers; None where the API has no limits.
        windows: The limits of the credential.
        auth: What proves who we are, or a callable that tells it before each request.
        timeout: How long to wait for what.
        user_agent: How we introduce ourselves.
        clock: Tells the time and waits.
        repeats: How often a read is tried again, 0 to 2.
        refusals: Texts of 4xx answers that mean "your credentials are wrong", for servers
            that do not always answer 401 then.

    Raises:
        BackendError: When *base_url* is no address of an HTTP server.
    """

    def __init__(
        self,
        base_url: str,
        *,
        credential: str = "",
        limiter: Limiter | None = None,
        windows: Sequence[RateWindow] = (),
        auth: Auth | Callable[[], Auth] = Auth(),  # noqa: B008 - frozen and empty
        timeout: Timeout = Timeout(),
        user_agent: str = USER_AGENT,
        clock: Clock | None = None,
        repeats: int = len(_PAUSES),
        refusals: Sequence[str] = (),
    ) -> None:
        self._base = _checked(base_url)
        self.server = self._base.netloc.decode("ascii")
        self.credential = credential
        self.windows = tuple(windows)
        self.limiter = limiter
        self.clock: Clock = clock or SystemClock()
        self.on_call: Callable[[str], None] | None = None
        """Told what a call is for, before it is made; may refuse it (`Env.external_call`)."""
        self.clock_offset: timedelta | None = None
        """How far the server's clock is before ours, by the last success; to the second."""
        self._auth = auth
        self._repeats = min(repeats, len(_PAUSES))
        self._refusals = frozenset(text.lower() for text in refusals)
        self._mask = _Mask(self.scrub)
        logging.getLogger("httpx2").addFilter(self._mask)
        self._client = httpx2.Client(
            headers={"User-Agent": user_agent, "Accept": "application/json"},
            timeout=httpx2.Timeout(
                connect=timeout.connect.total_seconds(),
                read=timeout.read.total_seconds(),
                write=timeout.write.total_seconds(),
                pool=timeout.pool.total_seconds(),
            ),
            verify=_tls() if self._base.scheme == "https" else _no_tls(),
            # A proxy from the environment cannot reach this machine's own servers.
            trust_env=not _is_loopback(self._base.host),
            follow_redirects=False,
            # A kept cookie would be a second identity beside the credentials.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._base.scheme}://{self.server}{self._base.path}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Give all connections back; the client is of no use afterwards."""
        self._client.close()
        logging.getLogger("httpx2").removeFilter(self._mask)

    def quotas(self, path: str) -> Sequence[Quota]:  # noqa: ARG002 - for overrides
        """Tell what a request draws from.

        Args:
            path: The path of the request, below the base URL.

        Returns:
            One entry per credential that is counted, the scarcest first.
        """
        return [Quota(self.credential, self.windows)] if self.windows else []

    def exceeded(self, path: str, text: str) -> tuple[str, RateWindow] | None:  # noqa: ARG002
        """Tell which window a refusal (429) means.

        Args:
            path: The path of the request.
            text: The body of the answer.

        Returns:
            The credential and its window: by default the shortest, which is the one that ends
            first. None when the request draws from none.
        """
        drawn = [(quota.credential, window) for quota in self.quotas(path) for window in quota.windows]
        return min(drawn, key=lambda pair: pair[1].period, default=None)

    def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        promise: Promise | None = None,
        explain: Explain | None = None,
    ) -> Any:
        """Make one call and give the JSON it is answered with.

        Args:
            method: The verb, in capitals.
            path: Below the base URL, quoted (`isthmus.http.path`).
            what: What the call is for, as a verb and its object, for messages and the log:
                ``"read card 5f3c"``. No personal data.
            params: The query.
            json: The body; None sends none.
            headers: For this request only.
            idempotent: Whether it may be repeated without changing anything there. None: GET,
                HEAD and OPTIONS may. True for a POST that only reads.
            promise: Holds the answer to its shape; None takes any JSON.
            explain: Says what an answer that is no success means; where it gives None, and for a
                429, the status decides.

        Returns:
            The parsed JSON; None for an answer without a body.

        Raises:
            NetworkRetryableError: When it may work later. Nothing was written. The other
                errors are in the table of `isthmus.http.failure`.
        """
        if self.on_call is not None:
            self.on_call(what)
        method = method.upper()
        safe = method in _SAFE if idempotent is None else idempotent
        call = Call(what=what, safe=safe, server=self.server)
        body = None if json is None else encode(json, call)
        sent = _Sent(method, path, dict(params or {}), dict(headers or {}), body)
        cut = False
        for pause in _PAUSES[: self._repeats] if safe else ():
            try:
                return self._once(sent, call, promise, explain)
            except NetworkRetryableError as error:
                if error.retry_in is not None and error.retry_in > _LONGEST_PAUSE:
                    raise
                # Cut twice is no hiccup: the caller had better ask for less.
                if cut and isinstance(error, AnswerCutError):
                    raise
                cut = isinstance(error, AnswerCutError)
                asked = error.retry_in.total_seconds() if error.retry_in else 0
                self.clock.sleep(max(pause, asked))
        return self._once(sent, call, promise, explain)

    def request_object(self, method: str, path: str, *, what: str, **options: Any) -> Payload:
        """Make one call that promises a JSON object; arguments and errors as in `request`."""
        value: Payload = self.request(method, path, what=what, promise=as_object, **options)
        return value

    def request_objects(self, method: str, path: str, *, what: str, **options: Any) -> list[Payload]:
        """Make one call that promises a list of JSON objects; arguments and errors as in `request`."""
        value: list[Payload] = self.request(method, path, what=what, promise=as_objects, **options)
        return value

    def scrub(self, text: str) -> str:
        """Mask our secrets in a text that is not ours, before it is shown.

        Args:
            text: What the server says.

        Returns:
            The same without secrets.
        """
        return (self._auth() if callable(self._auth) else self._auth).scrub(text)

    def _once(self, sent: _Sent, call: Call, promise: Promise | None, explain: Explain | None) -> Any:
        # One attempt.
        if self.limiter is not None:
            for quota in self.quotas(sent.path):
                self.limiter.take(quota.credential, quota.windows)
        began = perf_counter()
        try:
            response = self._send(sent, call)
            if not response.is_success:
                raise self._refused(sent.path, response, call, explain)
            self._set_clock(response)
            value = decode(response, call)
            value = value if promise is None else promise(value, call)
        except IsthmusError as error:
            # That one record is missing or refused is daily business.
            level = logging.INFO if isinstance(error, ParkError) else logging.WARNING
            self._note(level, sent.method, call, began, type(error).__name__)
            raise
        self._note(logging.DEBUG, sent.method, call, began, "done")
        return value

    def _send(self, sent: _Sent, call: Call) -> httpx2.Response:
        auth = self._auth() if callable(self._auth) else self._auth
        headers = {**sent.headers, **auth.headers}
        if sent.body is not None:
            headers["Content-Type"] = "application/json"
        try:
            url = httpx2.URL(f"{self._base}{sent.path}", params={**sent.params, **auth.params} or None)
        except UnicodeEncodeError as exc:
            msg = f"cannot {call.what}: the query holds half a character (a lone surrogate)"
            raise InvalidDataError(msg) from exc
        except httpx2.InvalidURL as exc:
            raise error_for_exception(exc, call, text=auth.scrub(str(exc))) from exc
        begun = False
        try:
            with self._client.stream(sent.method, url, content=sent.body, headers=headers) as response:
                begun = response.is_success
                response.read()
                return response
        except _FOREIGN as exc:
            raise error_for_exception(exc, call, text=auth.scrub(str(exc)), begun=begun) from exc

    def _set_clock(self, response: httpx2.Response) -> None:
        # An answer out of a cache (Age) tells the time at which it was made.
        date = response.headers.get("date")
        if date is None or "age" in response.headers:
            return
        try:
            told = parsedate_to_datetime(date)
        except ValueError:
            return
        self.clock_offset = told.replace(tzinfo=told.tzinfo or UTC) - self.clock.now()

    def _refused(
        self, path: str, response: httpx2.Response, call: Call, explain: Explain | None
    ) -> IsthmusError:
        """Say what an answer that is no success means, and tell the limiter of a 429."""
        text = self.scrub(response.text)
        wait = retry_after(response.headers.get("retry-after"), now=self.clock.now())
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            over = self.exceeded(path, text)
            if over is not None:
                wait = wait if wait is not None else over[1].period
                if self.limiter is not None:
                    self.limiter.exhausted(*over)
        else:
            if response.is_client_error and text.strip().lower() in self._refusals:
                return CredentialsError(f"cannot {call.what}: {self.server} says {text.strip()!r}")
            location = self.scrub(response.headers.get("location", ""))
            refusal = Refusal(response.status_code, text, location)
            if explain is not None and (error := explain(refusal, call)) is not None:
                return error
        return error_for_status(response.status_code, call, text=text, retry_in=wait)

    def _note(self, level: int, method: str, call: Call, began: float, outcome: str) -> None:
        _log.log(
            level,
            "http request",
            isthmus_server=self.server,
            isthmus_method=method,
            isthmus_what=call.what,
            isthmus_outcome=outcome,
            isthmus_milliseconds=round((perf_counter() - began) * 1000),
        )


class _Mask(logging.Filter):
    """Keeps our secrets out of the HTTP library's own log, which shows whole URLs."""

    def __init__(self, scrub: Callable[[str], str]) -> None:
        super().__init__()
        self._scrub = scrub

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a record; never drop it."""
        record.msg, record.args = self._scrub(record.getMessage()), ()
        return True


def _checked(base_url: str) -> httpx2.URL:
    """Read the base URL, without a slash at its end.

    Raises:
        BackendError: When it is no address of an HTTP server.
    """
    try:
        url = httpx2.URL(base_url.strip().rstrip("/"))
        url.host.encode("idna")
    except (httpx2.InvalidURL, UnicodeError) as exc:
        msg = "the location of the backend is not a URL; expected something like https://api.example.org"
        raise BackendError(msg) from exc
    if url.scheme not in {"http", "https"} or not url.host or " " in url.host or "%20" in url.host:
        msg = (
            f"the location of the backend must start with https:// or http:// and name a host, "
            f"this one has scheme {url.scheme!r} and host {url.host!r}"
        )
        raise BackendError(msg)
    if url.userinfo or url.query or url.fragment:
        msg = (
            "the location of the backend holds a user, a query or a fragment; "
            "credentials have fields of their own"
        )
        raise BackendError(msg)
    return url


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or host.startswith("127.")


@functools.cache
def _tls() -> ssl.SSLContext:
    """Load the system's certificates once per process."""
    return httpx2.create_ssl_context()


@functools.cache
def _no_tls() -> ssl.SSLContext:
    """Stand in where no TLS is spoken: loading certificates costs 30 ms per client."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
