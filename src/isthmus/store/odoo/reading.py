"""Reads of many records: in parts where answers are cut, without the missing, with word of the unreadable."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from isthmus.env import Key
from isthmus.errors import (
    AnswerCutError,
    CredentialsError,
    HiddenRecordError,
    InvalidDataError,
    IsthmusError,
    LoginRefusedError,
    MissingRecordError,
)

Row = dict[str, Any]

OF_RECORDS: Final = (AnswerCutError, CredentialsError, InvalidDataError, MissingRecordError)
"""What a read of many may raise for one of them: a computed field of it fails, a rule hides it, it is too
long for something on the way; but for a `LoginRefusedError`."""
_MANY: Final = 20
"""So many neighbours of which none can be read are no odd records: something is wrong with their model."""


class Reading:
    """Reads rows of one server as it tells them.

    Args:
        call: As `OdooClient.call`.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def rows(
        self, model: str, ids: list[Key], names: list[str], context: Mapping[str, Any], what: str
    ) -> tuple[list[Row], dict[Key, str]]:
        """Read rows; missing records are left out. Raises what concerns the model and not some records.

        Args:
            model: The model.
            ids: Keys.
            names: The server's names of the fields.
            context: Odoo's context.
            what: What it is for.

        Returns:
            The rows; and why records that are there cannot be read, by key.

        Raises:
            LoginRefusedError: When nothing may be read any more.
        """
        if not ids:
            return [], {}
        if len(ids) == 1:
            what = f"read {model}({ids[0]!r})"
        try:
            return self._read(model, ids, names, context, what), {}
        except LoginRefusedError:
            raise
        except OF_RECORDS as exc:
            error = exc
        if len(ids) == 1:
            return self._one(model, ids[0], names, context, what, error)
        rows: list[Row] = []
        unreadable: dict[Key, str] = {}
        for part in self._parts(model, ids, context, what, error):
            found, reasons = self.rows(model, part, names, context, what)
            rows += found
            unreadable |= reasons
            if not rows and len(unreadable) >= _MANY and not isinstance(error, CredentialsError):
                raise error
        return rows, unreadable

    def _read(
        self, model: str, ids: list[Key], names: list[str], context: Mapping[str, Any], what: str
    ) -> list[Row]:
        rows: list[Row] = self._call(
            model, "read", ids=ids, options={"fields": names, "load": ""}, context=context,
            what=what, safe=True,
        )  # fmt: skip
        return rows

    def _parts(
        self, model: str, ids: list[Key], context: Mapping[str, Any], what: str, error: IsthmusError
    ) -> tuple[list[Key], list[Key]]:
        """Divide records so that fewer have to be asked for alone."""
        if isinstance(error, (CredentialsError, MissingRecordError)):
            # Mostly those that a rule hides or that are gone, which a search does not find.
            found = set(self._found(model, ids, context, what))
            if 0 < len(found) < len(ids):
                return [key for key in ids if key in found], [key for key in ids if key not in found]
        middle = len(ids) // 2
        return ids[:middle], ids[middle:]

    def _one(
        self,
        model: str,
        key: Key,
        names: list[str],
        context: Mapping[str, Any],
        what: str,
        error: IsthmusError,
    ) -> tuple[list[Row], dict[Key, str]]:
        """Say why a record cannot be read."""
        # Itself refused where it is the model that may not be read, or the network that is at fault.
        found = self._found(model, [key], context, what)
        if isinstance(error, AnswerCutError):
            try:
                return self._read(model, [key], names, context, what), {}
            except AnswerCutError:
                pass  # cut again, while a short answer passes: it is too long
        if not found and isinstance(error, MissingRecordError):
            return [], {}
        if not found and isinstance(error, CredentialsError):
            return [], {key: str(HiddenRecordError(model, [key]))}
        return [], {key: str(error)}

    def _found(self, model: str, ids: list[Key], context: Mapping[str, Any], what: str) -> list[Key]:
        found: list[Key] = self._call(
            model, "search", args={"domain": [["id", "in", ids]]},
            context={**context, "active_test": False}, what=what, safe=True,
        )  # fmt: skip
        return found
