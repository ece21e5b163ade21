"""From method and path to the function that answers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from isthmus.simulators.trello.actions import Actor
from isthmus.simulators.trello.attachments import Upload
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, authenticated and matched, on its way to its handler.

    Attributes:
        actor: Who asks.
        path: What the placeholders of the route stand for.
        params: Query, form and JSON parameters together.
        upload: The file of a multipart body.
        token: The token it was sent with.
    """

    actor: Actor
    path: dict[str, str]
    params: Params
    token: str
    upload: Upload | None = None

    @property
    def world(self) -> World:
        """The state of the server."""
        return self.actor.world


Handler = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One line of a routing table.

    Attributes:
        method: The HTTP method.
        template: The path below ``/1``, with ``{placeholders}``.
        handler: Answers it, under the world's lock.
        prepare: Runs before, without the lock (it may wait for the network).
    """

    method: str
    template: str
    handler: Handler
    prepare: Handler | None = None

    @property
    def name(self) -> str:
        """Method and template, as the request log shows it."""
        return f"{self.method} {self.template}"


def fields_as_paths(template: str, names: Iterable[str], get: Handler, put: Handler) -> Iterator[Route]:
    """Make the routes that read and write one field: ``PUT /cards/{card}/name?value=...``.

    Args:
        template: The path of the whole resource.
        names: The fields.
        get: Reads the whole resource.
        put: Writes the whole resource.
    """
    for name in names:
        yield Route("GET", f"{template}/{name}", _reader(get, name))
        yield Route("PUT", f"{template}/{name}", _writer(put, name))


def _reader(get: Handler, name: str) -> Handler:
    def read_field(call: Call) -> Any:
        whole = Call(actor=call.actor, path=call.path, params=Params({"fields": name}), token=call.token)
        return {"_value": get(whole)[name]}

    return read_field


def _writer(put: Handler, name: str) -> Handler:
    def write_field(call: Call) -> Any:
        rest = {key: value for key, value in call.params.items() if key != "value"}
        params = Params({**rest, name: call.params.get("value")})
        return put(Call(actor=call.actor, path=call.path, params=params, token=call.token))

    return write_field


_ALIASES = {
    "action": "actions",
    "board": "boards",
    "card": "cards",
    "checklist": "checklists",
    "label": "labels",
    "list": "lists",
    "member": "members",
    "token": "tokens",
    "webhook": "webhooks",
}


class Router:
    """Finds the route of a path; literal parts win over placeholders.

    >>> router = Router([Route("GET", "/cards/{card}", lambda call: None)])
    >>> router.find("GET", "/card/k7GHJj7Q")[1]
    {'card': 'k7GHJj7Q'}
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[tuple[str, int], list[tuple[list[str], Route]]] = {}
        for route in routes:
            parts = route.template.strip("/").split("/")
            self._routes.setdefault((route.method, len(parts)), []).append((parts, route))
        for known in self._routes.values():
            known.sort(key=lambda entry: [part.startswith("{") for part in entry[0]])

    def __iter__(self) -> Iterator[Route]:
        return (route for known in self._routes.values() for _, route in known)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Find the route for a path below ``/1`` and what its placeholders stand for."""
        parts = path.strip("/").split("/")
        parts[0] = _ALIASES.get(parts[0], parts[0])
        for template, route in self._routes.get((method, len(parts)), ()):
            if all(want.startswith("{") or want == got for want, got in zip(template, parts, strict=True)):
                names = zip(template, parts, strict=True)
                return route, {want[1:-1]: got for want, got in names if want.startswith("{")}
        return None
