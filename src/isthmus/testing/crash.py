"""Crash points: every SQL statement, commit, HTTP request and answer of a process, and death at one of them.

The points are numbered by hooks on the database engine and on the HTTP library; the code under test has
none. A child process that passes point number *N* kills itself there with SIGKILL, so nothing of Python
runs afterwards: no ``finally``, no rollback, no goodbye to a server.

``ISTHMUS_CRASH_AT=17`` lets any program that calls `CrashPoints.from_environment` die at its point 17.
"""

import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Self

import httpx2
from sqlalchemy import Engine, event

VARIABLE: Final = "ISTHMUS_CRASH_AT"

STATEMENT: Final = "statement"
"""A SQL statement is about to be sent."""
COMMIT: Final = "commit"
"""A transaction is about to be committed."""
COMMITTED: Final = "end of transaction"
"""A connection is given back: its transaction is committed or rolled back."""
REQUEST: Final = "request"
"""An HTTP request is about to be sent."""
SENT: Final = "request sent"
"""An HTTP request is sent, its answer not yet read: the server may still be working."""
ANSWER: Final = "answer"
"""An HTTP answer has arrived, and nobody has seen it yet."""


class CrashPoints:
    """Numbers the points that this process passes, and ends it at one of them.

    Args:
        fatal: The number of the point, from 1; None only counts.

    Attributes:
        passed: The kind of every point so far, in order.

    >>> points = CrashPoints()
    >>> points.reach(STATEMENT)
    >>> points.reach(COMMIT)
    >>> points.passed
    ['statement', 'commit']
    """

    def __init__(self, fatal: int | None = None) -> None:
        self.fatal = fatal
        self.passed: list[str] = []

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Take the fatal number from the environment; without it only count."""
        number = environ.get(VARIABLE)
        return cls(int(number) if number else None)

    def reach(self, kind: str) -> None:
        """Pass a point, or die at it."""
        self.passed.append(kind)
        if len(self.passed) == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def counts(self) -> Counter[str]:
        """Count the points by kind."""
        return Counter(self.passed)

    def watch(self, engine: Engine) -> None:
        """Put points on an engine."""
        event.listen(engine, "before_cursor_execute", lambda *_: self.reach(STATEMENT))
        event.listen(engine, "commit", lambda _connection: self.reach(COMMIT))
        event.listen(engine, "checkin", lambda *_: self.reach(COMMITTED))

    def watch_http(self) -> None:
        """Put points on every HTTP request that this process makes from now on."""
        original = httpx2.HTTPTransport.handle_request

        def handle(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
            self.reach(REQUEST)
            request.extensions = {**request.extensions, "trace": self._trace}
            answer = original(transport, request)
            answer.read()
            self.reach(ANSWER)
            return answer

        httpx2.HTTPTransport.handle_request = handle  # type: ignore[method-assign, assignment]

    def _trace(self, name: str, _info: Any) -> None:
        if name.endswith("send_request_body.complete"):
            self.reach(SENT)


# -- processes that may die ---------------------------------------------------------------


class Crashed(Exception):  # noqa: N818 - what was wanted, not an error
    """The child died at its crash point, as told."""


class ChildError(Exception):
    """The child failed otherwise; says how."""


def run_in_child(path: Path | str, function: str, *args: Any, crash_at: int | None = None) -> Any:
    """Run a function of a Python file in a process of its own and give its result.

    The process is forked from a warmed-up one that has imported Isthmus and has made no engine and no
    thread, which takes milliseconds.

    Args:
        path: The file.
        function: Name of the function in it. Takes the points as its first argument.
        *args: Further arguments; they and the result must be picklable.
        crash_at: Number of the point at which the process kills itself.

    Raises:
        Crashed: When it died by its own SIGKILL.
        ChildError: When it raised or died otherwise.
    """  # noqa: DOC502 - raised by what is called
    return start_child(path, function, *args, crash_at=crash_at)()


def start_child(
    path: Path | str, function: str, *args: Any, crash_at: int | None = None
) -> Callable[[], Any]:
    """Start such a process; the callable given back waits for its result."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["isthmus.testing._warm"])
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_serve, args=(str(path), function, args, crash_at, sender), daemon=True)
    child.start()
    sender.close()
    return partial(_wait, child, receiver, function)


def _wait(child: Any, receiver: Any, function: str) -> Any:
    """Wait for a child.

    Raises:
        Crashed: As in `run_in_child`.
        ChildError: As in `run_in_child`.
    """
    with receiver:
        try:
            kind, value = receiver.recv()
        except EOFError:
            kind, value = "died", None
    child.join()
    code = child.exitcode
    child.close()
    if kind == "result":
        return value
    if code == -signal.SIGKILL:
        raise Crashed
    raise ChildError(f"{function}() ended with code {code}: {value}")


def _serve(path: str, function: str, args: tuple[Any, ...], crash_at: int | None, sender: Any) -> None:
    try:
        points = CrashPoints(crash_at)
        points.watch_http()
        sender.send(("result", getattr(_load(Path(path)), function)(points, *args)))
    except BaseException:  # noqa: BLE001 - the parent is told
        sender.send(("error", traceback.format_exc()))
        raise SystemExit(1) from None


def _load(path: Path) -> ModuleType:
    """Import a file that lies in no package.

    Raises:
        ImportError: When there is no such file.
    """
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
