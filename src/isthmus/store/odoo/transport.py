"""What both protocols of Odoo share: who we are, one call, and what a transport can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from isthmus.store.odoo.fault import Place

ProtocolName = Literal["jsonrpc", "json2"]


@dataclass(frozen=True, slots=True)
class Login:
    """What proves to an Odoo who we are.

    >>> Login("company", "anna", "s3cret")
    Login(database='company', login='anna', is_key=None)

    Attributes:
        database: The name of the database.
        login: The user's login; an API key spoken over JSON-2 needs none.
        secret: The password or an API key.
        is_key: Whether *secret* is an API key; None when that is not known.
    """

    database: str
    login: str | None
    secret: str = field(repr=False)
    is_key: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of a method of a model.

    Attributes:
        model: Odoo's name of the model.
        method: A public method of it.
        ids: The records it is called on; None for a method of the model itself.
        args: The method's arguments by name, in its order.
        options: Further arguments, always by name.
        context: Odoo's context.
        what: What the call is for, as a verb and its object.
        safe: Whether it only reads.
    """

    model: str
    method: str
    ids: Sequence[int] | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] | None = None
    what: str
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a login is.

    Attributes:
        uid: The user's record ID.
        context: The user's language and time zone; None when the login did not tell.
    """

    uid: int
    context: Mapping[str, Any] | None = None


def place_of(request: Request, server: str, login: Login, uid: int | None) -> Place:
    """Tell where a request happens, for messages.

    Args:
        request: The call.
        server: Host and port.
        login: Who calls.
        uid: The same as a user's ID.

    Returns:
        The place.
    """
    return Place(
        server=server,
        database=login.database,
        login=login.login,
        uid=uid,
        model=request.model,
        ids=request.ids,
    )


class Transport(Protocol):
    """One protocol, with one login."""

    name: ClassVar[ProtocolName]

    def log_in(self) -> Identity:
        """Prove who we are; to be done before the first call."""
        ...

    def call(self, request: Request) -> Any:
        """Call a method and give its bare result."""
        ...
