"""What our user may do with a model at all; what it may not do with some of its records is another thing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from isthmus.errors import CredentialsError, InvalidDataError
from isthmus.store.odoo.client import OdooClient

_ASKED_OF_RECORDS: Final = 18
"""The first version with `has_access`, which replaced `check_access_rights`."""


def may(client: OdooClient, model: str, operation: str) -> bool:
    """Ask whether our user may create, read, write or unlink records of a model.

    Args:
        client: The connection.
        model: The model.
        operation: One of these words.
    """
    args, what = {"operation": operation}, f"ask for the right to {operation} {model}"
    told: Any
    if client.version.major >= _ASKED_OF_RECORDS:
        # A method of records, none of which are needed.
        told = client.call(model, "has_access", ids=[], args=args, what=what, safe=True)
    else:
        told = client.call(
            model, "check_access_rights", args=args, options={"raise_exception": False}, what=what, safe=True
        )
    return bool(told)


@contextmanager
def changing_records(client: OdooClient, model: str, operation: str) -> Iterator[None]:
    """Tell a refusal that concerns some records as a matter of them: others must not wait for them.

    Args:
        client: The connection.
        model: The model.
        operation: What is done inside: ``create``, ``write`` or ``unlink``.

    Raises:
        CredentialsError: When our user may not do this with any record of the model.
        InvalidDataError: When a rule refuses it for one of these.
    """
    try:
        yield
    except CredentialsError as exc:
        if not may(client, model, operation):
            raise
        raise InvalidDataError(str(exc)) from exc
