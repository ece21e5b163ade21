"""The control routes below ``/_control/``: how another process drives a simulator.

They need no credentials and exist on loopback only, as the whole server does.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from isthmus.simulators.loopback.faults import FaultDeck
from isthmus.simulators.loopback.message import Answer, Request, json_answer, text_answer

Route = Callable[[dict[str, Any]], Any]
"""Takes the body of a request, gives the body of its answer."""


class ControlRoutes:
    """Answers the control routes; bodies are JSON objects. A simulator has its own beside these.

    ============================  ==========================================================
    ``GET faults``                plan, one-shots, what has fired, late effects pending
    ``POST faults``               ``{"plan": {...}}``, ``{"next": {...}}`` and/or ``{"clear": true}``
    ``POST release``              ``{"count": n}``, all without it: late effects happen now
    ``POST stop``                 ends the program
    ============================  ==========================================================

    Args:
        faults: What goes wrong.
        request_stop: Lets the program that waits for the server go on and stop it.
        own: The simulator's own routes, by method and path below ``/_control/``.
    """

    def __init__(
        self, faults: FaultDeck, request_stop: Callable[[], None], own: Mapping[tuple[str, str], Route]
    ) -> None:
        self._request_stop = request_stop
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", "faults"): lambda _: faults.describe(),
            ("POST", "faults"): faults.obey,
            ("POST", "release"): lambda values: {"released": faults.release(values.get("count"))},
            ("POST", "stop"): lambda _: {},
            **own,
        }

    def answer(self, request: Request) -> Answer:
        """Answer a control request; what cannot be understood is a 400 that says why."""
        route = self._routes.get((request.method, request.path.removeprefix("/_control/")))
        if route is None:
            return text_answer(404, f"no control route {request.method} {request.path}")
        try:
            return json_answer(route(json.loads(request.body or b"{}")))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            return text_answer(400, f"{type(error).__name__}: {error}")

    def after(self, request: Request) -> None:
        """Do what must wait until the answer is on its way: stopping ends this connection too."""
        if (request.method, request.path) == ("POST", "/_control/stop"):
            self._request_stop()
