"""The API without the network: a request goes in, an answer comes out."""

import hashlib
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from isthmus.simulators.loopback import Answer, Request, json_answer, text_answer
from isthmus.simulators.trello import routes_boards, routes_cards, routes_others
from isthmus.simulators.trello.actions import Actor
from isthmus.simulators.trello.bodies import read_body
from isthmus.simulators.trello.limits import RateLimits
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.refusals import NotFoundError, RefusedError
from isthmus.simulators.trello.routing import Call, Route, Router
from isthmus.simulators.trello.world import World

_OAUTH = re.compile(r'(oauth_consumer_key|oauth_token)="([^"]*)"')


class TrelloApi:
    """Authenticates, counts, routes and answers."""

    def __init__(self, world: World, limits: RateLimits | None = None) -> None:
        self.world = world
        self._limits = limits
        self._router = Router([*routes_boards.ROUTES, *routes_cards.ROUTES, *routes_others.ROUTES])

    def route_name(self, method: str, path: str) -> str | None:
        """Name the route of a request, None when there is none."""
        found = self._router.find(method, path.removeprefix("/1")) if path.startswith("/1/") else None
        return found[0].name if found else None

    def answer(self, request: Request) -> Answer:
        """Answer a request. Never raises for what a client sent."""
        route = self.route_name(request.method, request.path)
        try:
            return self._answer(request)
        except RefusedError as refused:
            return text_answer(refused.status, refused.message, route=route)

    def _answer(self, request: Request) -> Answer:
        values, upload = read_body(request.headers.get("content-type", ""), request.body)
        values |= dict(parse_qsl(request.query, keep_blank_values=True))
        oauth = dict(_OAUTH.findall(request.headers.get("authorization", "")))
        key = str(values.pop("key", "") or unquote(oauth.get("oauth_consumer_key", "")))
        token = str(values.pop("token", "") or unquote(oauth.get("oauth_token", "")))
        path = request.path.removeprefix("/1") if request.path.startswith("/1/") else ""
        found = self._router.find(request.method, path) if path else None
        if self._limits is not None:
            with self.world.lock:
                error = self._limits.refuse(key=key, token=token, path=path)
            if error:
                return json_answer(
                    {"error": error, "message": "Rate limit exceeded"},
                    status=429,
                    route=found[0].name if found else None,
                )
        if found is None:
            raise NotFoundError
        route, names = found
        token, member_id = self._authenticate(route, names, key, token)
        actor = Actor(self.world, self.world.members[member_id], app_id=self.world.app_id)
        params = Params(values)
        call = Call(
            actor=actor,
            path={name: unquote(value) for name, value in names.items()},
            params=params,
            token=token,
            upload=upload,
        )
        if route.prepare is not None:
            route.prepare(call)
        with self.world.lock:
            return json_answer(route.handler(call), route=route.name)

    def _authenticate(self, route: Route, names: Mapping[str, str], key: str, token: str) -> tuple[str, str]:
        world = self.world
        if key != world.key:
            raise RefusedError(401, "invalid key")
        # The token may stand in the path only (POST /tokens/{token}/webhooks, as older clients do).
        token = token or unquote(names.get("token", ""))
        if not token:
            raise RefusedError(401, "unauthorized permission requested")
        member_id = world.tokens.get(token)
        if member_id is None:
            # Recorded: DELETE /tokens/{unknown} answers 400, everything else 401.
            raise RefusedError(400 if route.template == "/tokens/{token}" else 401, "invalid token")
        return token, member_id


def etag(body: bytes) -> str:
    """Build the weak tag that every answer carries: length and hash.

    >>> etag(b"{}")
    'W/"2-99914b93"'
    """
    return f'W/"{len(body):x}-{hashlib.md5(body, usedforsecurity=False).hexdigest()[:8]}"'
