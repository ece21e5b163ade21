"""The control routes of the simulated Odoo: how another process drives it."""

from dataclasses import asdict
from typing import Any, Protocol

from isthmus.simulators.loopback import Answer, ControlRoutes, Request, text_answer
from isthmus.simulators.odoo.automation import Rule
from isthmus.simulators.odoo.calls import Calls
from isthmus.simulators.odoo.errors import OdooError
from isthmus.simulators.odoo.faults import Faults
from isthmus.simulators.odoo.person import Person


class Controlled(Protocol):
    """What the control routes work on."""

    url: str
    database: str
    login: str
    password: str
    faults: Faults
    calls: Calls

    def api_key(self, login: str | None = None, *, days: float | None = None) -> str:
        """Make an API key."""
        ...

    def as_user(self, login: str) -> Person:
        """Act as a person."""
        ...

    def automation(
        self, model: str, url: str, on: tuple[str, ...] = ..., fields: tuple[str, ...] = ...
    ) -> Rule:
        """Add an automation rule."""
        ...

    def seed_demo(self, projects: int = ..., stages: int = ..., tasks: int = ...) -> None:
        """Make demo content."""
        ...

    def request_stop(self) -> None:
        """Let the program that waits for the server go on and stop it."""
        ...


class Control(ControlRoutes):
    """Answers the control routes; bodies are JSON objects. Beside those of every simulator there are these.

    ============================  ==========================================================
    ``GET info``                  url, database, login, password
    ``POST key``                  ``{login, days}``: a new API key
    ``POST seed``                 ``{projects, stages, tasks}``: demo content
    ``POST faults``               also sets the switches of `Faults` by their names
    ``GET calls``                 the log; ``DELETE`` empties it
    ``POST call``                 ``{login, model, method, args, kwargs}``: somebody does something
    ``POST automation``           ``{model, url, on, fields}``: a rule that sends webhooks
    ============================  ==========================================================
    """

    def __init__(self, simulator: Controlled) -> None:
        self._simulator = simulator
        own = {
            ("GET", "info"): self._info,
            ("POST", "key"): lambda values: {"key": simulator.api_key(**values)},
            ("POST", "seed"): self._seed,
            ("GET", "calls"): lambda _: {"calls": [asdict(call) for call in simulator.calls]},
            ("DELETE", "calls"): self._clear_calls,
            ("POST", "call"): self._call,
            ("POST", "automation"): self._automation,
        }
        super().__init__(simulator.faults, simulator.request_stop, own)

    def answer(self, request: Request) -> Answer:
        """Answer a control request; what the simulated server refuses is a 400 that says why."""
        try:
            return super().answer(request)
        except OdooError as error:
            return text_answer(400, f"{error.name}: {error.message}")

    def _info(self, _: dict[str, Any]) -> Any:
        return {name: getattr(self._simulator, name) for name in ("url", "database", "login", "password")}

    def _seed(self, values: dict[str, Any]) -> Any:
        self._simulator.seed_demo(**values)
        return {}

    def _clear_calls(self, _: dict[str, Any]) -> Any:
        self._simulator.calls.clear()
        return {}

    def _call(self, values: dict[str, Any]) -> Any:
        person = self._simulator.as_user(values.get("login", self._simulator.login))
        result = person.call(
            values["model"], values["method"], *values.get("args", ()), **values.get("kwargs", {})
        )
        return {"result": result}

    def _automation(self, values: dict[str, Any]) -> Any:
        lists = {name: tuple(values[name]) for name in ("on", "fields") if name in values}
        return asdict(self._simulator.automation(values["model"], values["url"], **lists))
