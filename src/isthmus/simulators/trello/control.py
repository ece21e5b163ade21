"""The control routes of the simulated Trello: how another process drives it."""

from dataclasses import asdict
from typing import Any, Final, Protocol

from isthmus.simulators.loopback import Answer, ControlRoutes, Request, text_answer
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


class Control(ControlRoutes):
    """Answers the control routes; bodies are JSON objects. Beside those of every simulator there are these.

    ============================  ==========================================================
    ``GET info``                  url, key, token, secret, member_id
    ``POST seed``                 ``{boards, lists, cards}``: demo content
    ``GET requests``              log and counts per route; ``DELETE`` empties it
    ``GET state``                 boards, lists and cards with all fields
    ``POST edit``                 ``{"do": method of People, "args": [...], "values": {...}}``
    ============================  ==========================================================
    """

    def __init__(self, simulator: Controlled) -> None:
        self._simulator = simulator
        own = {
            ("GET", "info"): self._info,
            ("POST", "seed"): self._seed,
            ("GET", "requests"): self._requests,
            ("DELETE", "requests"): self._clear_requests,
            ("GET", "state"): lambda _: simulator.state.dump(),
            ("POST", "edit"): self._edit,
        }
        super().__init__(simulator.faults, simulator.request_stop, own)

    def answer(self, request: Request) -> Answer:
        """Answer a control request; what the simulated server refuses keeps its status."""
        try:
            return super().answer(request)
        except RefusedError as refused:
            return text_answer(refused.status, refused.message)

    def _info(self, _: dict[str, Any]) -> Any:
        names = ("url", "key", "token", "secret", "member_id")
        return {name: getattr(self._simulator, name) for name in names}

    def _seed(self, values: dict[str, Any]) -> Any:
        self._simulator.state.seed_demo(**values)
        return {}

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
