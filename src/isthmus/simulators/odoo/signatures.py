"""The parameters of methods, as ``/doc-bearer`` tells them and JSON-2 checks them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from isthmus.simulators.odoo.errors import OdooError


@dataclass(frozen=True, slots=True)
class Signature:
    """A method's parameters after the records.

    Attributes:
        required: Names without a default.
        optional: Names with one.
        of_model: Whether it is a method of the model, which takes no IDs.
        rest: What any other named arguments are called together; empty when there may be none.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    of_model: bool = False
    rest: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All parameters, in order."""
        return self.required + self.optional + ((self.rest,) if self.rest else ())

    def misfit(self, given: Mapping[str, Any]) -> str | None:
        """Say what is wrong with named arguments, None when they fit.

        >>> SIGNATURES["write"].misfit({"values": {}})
        "missing a required argument: 'vals'"
        """
        for name in self.required:
            if name not in given:
                return f"missing a required argument: {name!r}"
        for name in given:
            if name not in self.names and not self.rest:
                return f"got an unexpected keyword argument {name!r}"
        return None


_PAGE: Final = ("offset", "limit", "order")

SIGNATURES: Final[Mapping[str, Signature]] = {
    "check_object_reference": Signature(("module", "xml_id"), ("raise_on_access_error",), of_model=True),
    "context_get": Signature(of_model=True),
    "copy": Signature((), ("default",)),
    "create": Signature(("vals_list",), of_model=True),
    "default_get": Signature(("fields",), of_model=True),
    "fields_get": Signature((), ("allfields", "attributes"), of_model=True),
    "generate": Signature(("key", "scope", "name", "expiration_date"), of_model=True),
    "get_metadata": Signature(),
    "has_access": Signature(("operation",)),
    "load": Signature(("fields", "data"), of_model=True),
    "name_create": Signature(("name",), of_model=True),
    "name_search": Signature((), ("name", "domain", "operator", "limit"), of_model=True),
    "read": Signature((), ("fields", "load")),
    "revoke": Signature(("key",), of_model=True),
    "search": Signature(("domain",), _PAGE, of_model=True),
    "search_count": Signature(("domain",), ("limit",), of_model=True),
    "search_read": Signature((), ("domain", "fields", *_PAGE), of_model=True, rest="read_kwargs"),
    "unlink": Signature(),
    "web_read": Signature(("specification",)),
    "write": Signature(("vals",)),
}
"""Of 19.0. ``generate`` and ``revoke`` are documented for 19 and were not there in the build we recorded."""

ALIASES: Final = {("name_search", "domain"): "args", ("default_get", "fields"): "fields_list"}
"""Parameters that had another name before 19, which the world has for all versions."""

_OF_ONE: Final = {"context_get": "res.users", "generate": "res.users.apikeys", "revoke": "res.users.apikeys"}
"""Methods that only one model has."""


def methods_of(model: str) -> dict[str, Signature]:
    """List the public methods of a model with their parameters."""
    return {name: found for name, found in SIGNATURES.items() if _OF_ONE.get(name, model) == model}


def unprocessable(why: str) -> OdooError:
    """Build the refusal of arguments that do not fit."""
    return OdooError("werkzeug.exceptions.UnprocessableEntity", why, [why, 422])


def not_found(why: str) -> OdooError:
    """Build the refusal of a call to something that is not there."""
    return OdooError("werkzeug.exceptions.NotFound", why, [why, 404])
