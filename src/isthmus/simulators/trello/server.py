"""How requests are answered: by the API, the control routes, and the faults down to the socket."""

from functools import partial

from isthmus.clock import Clock
from isthmus.simulators.loopback import (
    Answer,
    Exchange,
    Fault,
    LoopbackServer,
    Manners,
    Request,
    html_answer,
    json_answer,
    text_answer,
)
from isthmus.simulators.trello.api import TrelloApi, etag
from isthmus.simulators.trello.control import Control
from isthmus.simulators.trello.faults import Faults, Kind
from isthmus.simulators.trello.journal import LoggedRequest, RequestLog, masked

_HTML = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
_BEFORE = (Kind.RATE_LIMIT, Kind.TIMEOUT_BEFORE, Kind.RESET_BEFORE, Kind.LATE)


def make_server(
    *, port: int, api: TrelloApi, faults: Faults, log: RequestLog, clock: Clock, control: Control
) -> LoopbackServer:
    """Make a server that answers as Trello does."""
    desk = _Desk(api, faults, log, control)
    return LoopbackServer(desk.serve, port=port, manners=Manners(headers=partial(_headers, clock)))


def _headers(clock: Clock, answer: Answer) -> dict[str, str]:
    return {
        "Cache-Control": "max-age=0, must-revalidate, no-cache, no-store",
        "ETag": etag(answer.body),
        "X-Trello-Version": "1.533.0",
        "X-Trello-Environment": "Production",
        "X-Server-Time": str(int(clock.now().timestamp() * 1000)),
    }


class _Desk:
    def __init__(self, api: TrelloApi, faults: Faults, log: RequestLog, control: Control) -> None:
        self._api = api
        self._faults = faults
        self._requests = log
        self._control = control

    def serve(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.path.startswith("/_control/"):
            exchange.send(self._control.answer(request))
            self._control.after(request)
            return
        fault = self._faults.choose(request.method, request.path)
        if fault is None:
            answer = self._api.answer(request)
            self._log(request, answer, answer.status)
            exchange.send(answer)
            return
        spared = fault.kind in (Kind.SERVER_ERROR, Kind.WRONG_TYPE) and not fault.applied
        applied = fault.kind not in _BEFORE and not spared
        given = self._api.answer(request) if applied else None
        self._log(request, given, _status(fault, given), fault)
        self._misbehave(fault, exchange, given)

    def _misbehave(self, fault: Fault, exchange: Exchange, answer: Answer | None) -> None:
        match fault.kind:
            case Kind.RATE_LIMIT:
                error = {"error": "API_TOKEN_LIMIT_EXCEEDED", "message": "Rate limit exceeded"}
                exchange.send(json_answer(error, status=429))
            case Kind.SERVER_ERROR:
                exchange.send(text_answer(fault.status, "Service is temporarily unavailable"))
            case Kind.WRONG_TYPE:
                exchange.send(html_answer(200, _HTML))
            case Kind.RESET_BEFORE | Kind.RESET_AFTER:
                exchange.reset()
            case Kind.TIMEOUT_BEFORE | Kind.TIMEOUT_AFTER:
                exchange.hold(fault.hold_s)
            case Kind.LATE:
                if exchange.request.method != "GET":
                    self._faults.postpone(lambda: self._api.answer(exchange.request))
                exchange.hold(fault.hold_s)
            case Kind.TRUNCATED if answer is not None:
                exchange.send(answer, cut=len(answer.body) // 2)
            case Kind.SLOW if answer is not None:
                exchange.stopping.wait(fault.delay_s)
                exchange.send(answer)

    def _log(self, request: Request, answer: Answer | None, status: int, fault: Fault | None = None) -> None:
        route = answer.route if answer else self._api.route_name(request.method, request.path)
        self._requests.append(
            LoggedRequest(
                method=request.method,
                path=masked(request.path, request.query),
                route=route,
                status=status,
                fault=str(fault.kind) if fault else None,
                applied=answer is not None,
            )
        )


def _status(fault: Fault, answer: Answer | None) -> int:
    match fault.kind:
        case Kind.RATE_LIMIT:
            return 429
        case Kind.SERVER_ERROR:
            return fault.status
        case Kind.WRONG_TYPE:
            return 200
        case Kind.SLOW | Kind.TRUNCATED:
            return answer.status if answer else 0
        case _:
            return 0
