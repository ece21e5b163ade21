"""How requests are answered: by the API, the control routes, and the faults down to the socket."""

import gzip
from dataclasses import dataclass, replace
from typing import Final

from isthmus.clock import Clock
from isthmus.simulators.loopback import Answer, Exchange, Fault, LoopbackServer, Manners, Request, html_answer
from isthmus.simulators.odoo import pages
from isthmus.simulators.odoo.api import OdooApi
from isthmus.simulators.odoo.asked import Asked, Outcome
from isthmus.simulators.odoo.calls import Calls, LoggedCall
from isthmus.simulators.odoo.control import Control
from isthmus.simulators.odoo.errors import access_error, serialization_failure
from isthmus.simulators.odoo.faults import READS, Faults, Kind

_BEFORE: Final = frozenset({
    Kind.RATE_LIMIT,
    Kind.MAINTENANCE,
    Kind.TIMEOUT_BEFORE,
    Kind.RESET_BEFORE,
    Kind.SERIALIZATION,
    Kind.ACCESS,
    Kind.LATE,
})
_WORTH_COMPRESSING: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Serves requests.

    Attributes:
        api: Understands them.
        faults: What goes wrong.
        calls: Where they are noted.
        control: Answers the control routes.
        latency_s: How long each takes at least, in seconds.
    """

    api: OdooApi
    faults: Faults
    calls: Calls
    control: Control
    latency_s: float = 0.0

    def listen(self, port: int, clock: Clock) -> LoopbackServer:
        """Make the server."""
        manners = Manners(
            headers=lambda _: {"X-Content-Type-Options": "nosniff"},
            now=clock.now,
            software="Werkzeug/3.0.1 Python/3.11.2",
        )
        return LoopbackServer(self.serve, port=port, manners=manners)

    def serve(self, exchange: Exchange) -> None:
        """Serve one request."""
        request = exchange.request
        if request.path.startswith("/_control/"):
            exchange.send(self.control.answer(request))
            self.control.after(request)
            return
        if self.latency_s:
            exchange.stopping.wait(self.latency_s)
        asked = self.api.ask(request)
        if self.faults.maintenance:
            fault: Fault | None = Fault(kind=Kind.MAINTENANCE)
        else:
            fault = self.faults.choose(asked.method, asked.model)
        if fault is None:
            self._send(exchange, self._done(asked))
            return
        spared = fault.kind in {Kind.SERVER_ERROR, Kind.WRONG_TYPE} and not fault.applied
        if fault.kind in _BEFORE or spared:
            self._misbehave(fault, exchange, asked, None)
        else:
            self._misbehave(fault, exchange, asked, self._done(asked, fault))

    def _misbehave(self, fault: Fault, exchange: Exchange, asked: Asked, answer: Answer | None) -> None:
        """Do what the fault says; *answer* is there when the call was applied (and noted)."""
        match fault.kind:
            case Kind.RATE_LIMIT:
                self._instead(exchange, asked, fault, answer, html_answer(429, pages.BUSY))
            case Kind.MAINTENANCE:
                self._instead(exchange, asked, fault, answer, html_answer(503, pages.MAINTENANCE))
            case Kind.SERVER_ERROR:
                page = html_answer(fault.status, pages.broken(fault.status))
                self._instead(exchange, asked, fault, answer, page)
            case Kind.WRONG_TYPE:
                self._instead(exchange, asked, fault, answer, html_answer(200, pages.SIGN_IN))
            case Kind.SERIALIZATION:
                self._refuse(exchange, asked, fault, asked.refuse(serialization_failure()))
            case Kind.ACCESS:
                error = access_error(
                    f"You are not allowed to access '{asked.model}' ({asked.model}) records."
                )
                self._refuse(exchange, asked, fault, asked.refuse(error))
            case Kind.RESET_BEFORE | Kind.RESET_AFTER:
                self._note_unanswered(asked, fault, answer)
                exchange.reset()
            case Kind.TIMEOUT_BEFORE | Kind.TIMEOUT_AFTER:
                self._note_unanswered(asked, fault, answer)
                exchange.hold(fault.hold_s)
            case Kind.LATE:
                self._note_unanswered(asked, fault, answer)
                if asked.method not in READS:
                    self.faults.postpone(asked.answer)
                exchange.hold(fault.hold_s)
            case Kind.TRUNCATED if answer is not None:
                exchange.send(answer, cut=len(answer.body) // 2)
            case Kind.SLOW if answer is not None:
                exchange.stopping.wait(fault.delay_s)
                self._send(exchange, answer)

    def _done(self, asked: Asked, fault: Fault | None = None) -> Answer:
        """Do what is asked and note it."""
        outcome = asked.answer()
        silent = fault is not None and fault.kind not in {Kind.SLOW, Kind.TRUNCATED}
        self._note(asked, outcome, 0 if silent else outcome.answer.status, fault)
        return outcome.answer

    def _refuse(self, exchange: Exchange, asked: Asked, fault: Fault, outcome: Outcome) -> None:
        self._note(asked, outcome, outcome.answer.status, fault, applied=False)
        self._send(exchange, outcome.answer)

    def _instead(
        self, exchange: Exchange, asked: Asked, fault: Fault, answer: Answer | None, page: Answer
    ) -> None:
        if answer is None:
            self._note(asked, None, page.status, fault, applied=False)
        exchange.send(page)

    def _note_unanswered(self, asked: Asked, fault: Fault, answer: Answer | None) -> None:
        if answer is None:
            self._note(asked, None, 0, fault, applied=False)

    def _note(
        self,
        asked: Asked,
        outcome: Outcome | None,
        status: int,
        fault: Fault | None = None,
        *,
        applied: bool = True,
    ) -> None:
        self.calls.append(
            LoggedCall(
                protocol=asked.protocol,
                model=asked.model,
                method=asked.method,
                records=max(asked.records, outcome.found if outcome else 0),
                status=status,
                error=outcome.error if outcome else None,
                fault=str(fault.kind) if fault else None,
                applied=applied,
            )
        )

    def _send(self, exchange: Exchange, answer: Answer) -> None:
        limit = self.faults.cut_over_bytes
        if limit is not None and len(answer.body) > limit:
            exchange.send(answer, cut=limit)
        else:
            exchange.send(compressed(exchange.request, answer))


def compressed(request: Request, answer: Answer) -> Answer:
    """Compress a longer answer for a client that accepts it, as a proxy in front of Odoo does."""
    accepted = {
        part.partition(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")
    }
    if "gzip" not in accepted or len(answer.body) < _WORTH_COMPRESSING:
        return answer
    headers = {**answer.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return replace(answer, body=gzip.compress(answer.body, 1), headers=headers)
