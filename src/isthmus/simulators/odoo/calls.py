"""The log of calls, for tests that count them; credentials never get into it."""

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase

from isthmus.simulators.loopback import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """One call as it was answered.

    Attributes:
        protocol: ``jsonrpc``, ``json2``, ``session`` or ``page``.
        model: The model, empty when none was called.
        method: The method of the model, of the service ``common``, or the path.
        records: How many records it brought, named or, for a search, found.
        status: The HTTP status sent; 0 when no answer was sent.
        error: The name of the error in the answer.
        fault: The kind of fault that hit it.
        applied: Whether it reached the world (a late one: not yet).
    """

    protocol: str
    model: str
    method: str
    records: int = 0
    status: int = 200
    error: str | None = None
    fault: str | None = None
    applied: bool = True


class Calls(Log[LoggedCall]):
    """All calls since the start or the last `clear`.

    >>> calls = Calls()
    >>> calls.append(LoggedCall(protocol="jsonrpc", model="project.task", method="load", records=500))
    >>> calls.count(method="load", model="project.*"), calls.records(method="load")
    (1, 500)
    """

    def matching(
        self, method: str | None = None, model: str | None = None, protocol: str | None = None
    ) -> list[LoggedCall]:
        """List calls; ``*`` in *model* stands for anything."""
        return [
            call
            for call in self
            if method in (None, call.method)
            and protocol in (None, call.protocol)
            and fnmatchcase(call.model, "*" if model is None else model)
        ]

    def count(self, method: str | None = None, model: str | None = None, protocol: str | None = None) -> int:
        """Count calls, chosen as in `matching`."""
        return len(self.matching(method, model, protocol))

    def records(self, method: str | None = None, model: str | None = None) -> int:
        """Count the records of calls, chosen as in `matching`."""
        return sum(call.records for call in self.matching(method, model))

    def by_method(self) -> Counter[tuple[str, str]]:
        """Count calls per model and method."""
        return Counter((call.model, call.method) for call in self)

    def reset(self) -> None:
        """Forget all calls (as `clear`)."""
        self.clear()
