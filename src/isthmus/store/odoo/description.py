"""What models there are on a server, and what fields they have: asked once per version."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from isthmus.component import ComponentRegistry
from isthmus.env import Field, FieldType
from isthmus.store.odoo.client import OdooClient
from isthmus.store.odoo.dialect import COLLECTION, USAGE, Dialect, Spelling, Translation

Dialects = Callable[[str, Sequence[str]], Sequence[Translation]]
"""Gives the translations of a model, for a version followed by those it descends from."""

_TYPES: Final[Mapping[str, FieldType]] = {
    "char": "char", "text": "text", "html": "html", "selection": "selection", "integer": "integer",
    "float": "float", "monetary": "monetary", "boolean": "boolean", "date": "date", "datetime": "datetime",
    "many2one": "many2one", "one2many": "one2many", "many2many": "many2many", "binary": "binary",
    "reference": "char", "many2one_reference": "integer", "json": "json", "properties": "json",
    "properties_definition": "json", "serialized": "json",
}  # fmt: skip
"""Odoo's types in the words of `isthmus.env.FieldType`."""

_ASKED: Final = ["type", "relation", "required", "readonly", "selection"]


class Descriptions:
    """The descriptions of a server's models.

    Args:
        client: Gives the connection.
        dialects: See `Dialects`.
    """

    def __init__(self, client: Callable[[], OdooClient], dialects: Dialects) -> None:
        self._client = client
        self._dialects = dialects
        self._known: dict[tuple[str, str], Spelling] = {}

    def spelling(self, model: str) -> Spelling:
        """Tell a model's fields and how the server spells them; nothing of that depends on a language.

        Raises:
            UnknownModelError: When the server has no such model.
        """  # noqa: DOC502 - raised by the client
        client = self._client()
        version = client.version
        known = self._known.get((version.name, model))
        if known is None:
            told = client.call(
                model, "fields_get", options={"attributes": _ASKED},
                what=f"read the fields of {model}", safe=True,
            )  # fmt: skip
            fields = {name: described(name, field) for name, field in told.items()}
            known = Spelling(self._dialects(model, version.chain), fields)
            self._known[version.name, model] = known
        return known

    def knows(self, model: str) -> bool:
        """Tell whether a model was described already."""
        return any(known == model for _, known in self._known)

    def fields(self, model: str) -> Mapping[str, Field]:
        """Tell a model's fields by name."""
        return self.spelling(model).fields

    def forget(self) -> None:
        """Ask again from now on, also for the version: the server may have been upgraded."""
        self._known.clear()
        self._client().reconnect()


def described(name: str, told: Mapping[str, Any]) -> Field:
    """Read one field of ``fields_get``.

    >>> described("state", {"type": "selection", "selection": [["a", "Open"], ["b", "Done"]]}).selection
    ('a', 'b')
    """
    kind = _TYPES.get(told["type"], "json")
    values = told.get("selection") or ()
    return Field(
        name=name,
        type=kind,
        relation=told.get("relation") if kind in {"many2one", "one2many", "many2many"} else None,
        required=bool(told.get("required")),
        readonly=bool(told.get("readonly")) or name == "id",
        selection=tuple(str(value) for value, _ in values) if kind == "selection" else (),
    )


def dialects_of(registry: ComponentRegistry) -> Dialects:
    """Find dialects among the components of a registry."""

    def find(model: str, versions: Sequence[str]) -> Sequence[Translation]:
        chain = tuple(versions)
        if not registry.lookup(COLLECTION, USAGE, model, chain):
            return ()
        found = registry.shelf(COLLECTION, chain, model).choose(None, USAGE, {})
        return found.translations if issubclass(found, Dialect) else ()

    return find


def no_dialects(model: str, versions: Sequence[str]) -> Sequence[Translation]:  # noqa: ARG001
    """Translate nothing."""
    return ()
