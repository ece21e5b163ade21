"""The control routes below ``/_control/``: how another process drives the simulator.

They need no credentials and exist on loopback only, as the whole server does.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final, Protocol

from isthmus.simulators.loopback import Answer, Request, json_answer, text_answer
from isthmus.simulators.trello.bodies import read_body
from isthmus.simulators.trello.faults import Faults
from isthmus.simulators.trello.journal import RequestLog
from isthmus.simulators.trello.people import People
from isthmus.simulators.trello.refusals import RefusedError

EDITS: Final = (
    "actions",
    "archive_card",
    "attach_url",
    "card",
    "cards",
    "comment_card",
    "copy_card",
    "create_board",
    "create_card",
    "create_checklist",
    "create_list",
    "delete_board",
    "delete_card",
    "boards",
    "lists",
    "move_card",
    "seed_demo",
    "update_board",
    "update_card",
    "update_list",
)
"""Methods of `People` that ``POST /_control/edit`` runs."""


class Controlled(Protocol):
    """What the control routes work on."""

    url: str
    key: str
    token: str
    secret: str
    member_id: str
    state: People
    faults: Faults
    requests: RequestLog

    def request_stop(self) -> None:
        """Let the program that waits for the server go on and stop it."""
        ...


class Control:
    """Answers the control routes; bodies are JSON objects.

    ============================  ==========================================================
    ``GET info``                  url, key, token, secret, member_id
    ``POST seed``                 ``{boards, lists, cards}``: demo content
    ``GET faults``                plan, one-shots, what has fired, late effects pending
    ``POST faults``               ``{"plan": {...}}``, ``{"next": {...}}`` and/or ``{"clear": true}``
    ``POST release``              ``{"count": n}``, all without it: late effects happen now
    ``GET requests``              log and counts per route; ``DELETE`` empties it
    ``GET state``                 boards, lists and cards with all fields
    ``POST edit``                 ``{"do": method of People, "args": [...], "values": {...}}``
    ``POST stop``                 ends the program
    ============================  ==========================================================
    """

    def __init__(self, simulator: Controlled) -> None:
        self._simulator = simulator
        self._routes: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "info"): self._info,
            ("POST", "seed"): self._seed,
            ("GET", "faults"): lambda _: simulator.faults.describe(),
            ("POST", "faults"): self._faults,
            ("POST", "release"): self._release,
            ("GET", "requests"): self._requests,
            ("DELETE", "requests"): self._clear_requests,
            ("GET", "state"): lambda _: simulator.state.dump(),
            ("POST", "edit"): self._edit,
            ("POST", "stop"): lambda _: {},
        }

    def answer(self, request: Request) -> Answer:
        """Answer a control request; what cannot be understood is a 400 that says why."""
        try:
            values, _ = read_body("application/json", request.body)
            route = self._routes.get((request.method, request.path.removeprefix("/_control/")))
            if route is None:
                return text_answer(404, f"no control route {request.method} {request.path}")
            return json_answer(route(values))
        except RefusedError as refused:
            return text_answer(refused.status, refused.message)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            return text_answer(400, f"{type(error).__name__}: {error}")

    def _info(self, _: dict[str, Any]) -> Any:
        names = ("url", "key", "token", "secret", "member_id")
        return {name: getattr(self._simulator, name) for name in names}

    def _seed(self, values: dict[str, Any]) -> Any:
        self._simulator.state.seed_demo(**values)
        return {}

    def _faults(self, values: dict[str, Any]) -> Any:
        return self._simulator.faults.obey(values)

    def _release(self, values: dict[str, Any]) -> Any:
        return {"released": self._simulator.faults.release(values.get("count"))}

    def _requests(self, _: dict[str, Any]) -> Any:
        log = self._simulator.requests
        return {"requests": [asdict(entry) for entry in log], "counts": log.by_route()}

    def _clear_requests(self, _: dict[str, Any]) -> Any:
        self._simulator.requests.clear()
        return {}

    def _edit(self, values: dict[str, Any]) -> Any:
        if values.get("do") not in EDITS:
            raise ValueError(f"unknown edit {values.get('do')!r}; known are {', '.join(EDITS)}")
        method = getattr(self._simulator.state, values["do"])
        return method(*values.get("args", ()), **values.get("values", {}))

    def after(self, request: Request) -> None:
        """Do what must wait until the answer is on its way: stopping ends this connection too."""
        if (request.method, request.path) == ("POST", "/_control/stop"):
            self._simulator.request_stop()
