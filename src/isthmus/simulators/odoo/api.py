"""The API without the network: a request goes in, an answer comes out."""

from isthmus.simulators.loopback import Answer, Request, html_answer
from isthmus.simulators.odoo import pages
from isthmus.simulators.odoo.asked import Asked, Outcome, body_of
from isthmus.simulators.odoo.door import Door
from isthmus.simulators.odoo.json2 import Json2
from isthmus.simulators.odoo.jsonrpc import JsonRpc
from isthmus.simulators.odoo.routes import find
from isthmus.simulators.odoo.sessions import Sessions


class OdooApi:
    """Finds out what a request is about.

    Attributes:
        sessions: Those of the web client.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._jsonrpc = JsonRpc(door)
        self._json2 = Json2(door)
        self.sessions = Sessions(door)

    def ask(self, request: Request) -> Asked:
        """Understand a request; nothing is done yet."""
        major = self._door.version.major
        found = find(request.method, request.path, major)
        if found is None:
            if major >= 19 and (request.path + "/").startswith("/json/2/"):
                return _page(request, self._json2.lost())
            return _page(request, Outcome(answer=html_answer(404, pages.NOT_FOUND), error="404"))
        route, values = found
        if route.path == "/jsonrpc":
            return self._jsonrpc.ask(request, route.name)
        if route.path.startswith("/json/2/"):
            return self._json2.ask(request, route.name, values["model"], values["method"])
        if route.path.startswith("/doc-bearer/"):
            return _page(request, Outcome(answer=self._json2.describe(request, values["model"])), route.name)
        if route.path == "/web/version":
            version = self._door.version
            told = body_of({"version_info": version.info, "version": version.name})
            return _page(request, Outcome(answer=told), route.name)
        return self.sessions.ask(request, route.name)

    def answer(self, request: Request) -> Answer:
        """Answer a request (for callers in the same process)."""
        return self.ask(request).answer().answer


def _page(request: Request, outcome: Outcome, route: str | None = None) -> Asked:
    return Asked(
        protocol="page",
        route=route,
        method=request.path,
        answer=lambda: outcome,
        refuse=lambda _: outcome,
    )
