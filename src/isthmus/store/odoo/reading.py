"""Reads of many records: in parts where answers are cut, without the missing, with word of the hidden."""

from collections.abc import Callable, Mapping
from typing import Any

from isthmus.env import Key
from isthmus.errors import (
    AnswerCutError,
    CredentialsError,
    HiddenRecordError,
    LoginRefusedError,
    MissingRecordError,
)

Row = dict[str, Any]


class Reading:
    """Reads rows of one server as it tells them.

    Args:
        call: As `OdooClient.call`.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def rows(
        self, model: str, ids: list[Key], names: list[str], context: Mapping[str, Any], what: str
    ) -> list[Row]:
        """Read rows; missing records are left out.

        Args:
            model: The model.
            ids: Keys.
            names: The server's names of the fields.
            context: Odoo's context.
            what: What it is for.

        Raises:
            AnswerCutError: When even one record is too long for something on the way.
        """
        try:
            rows: list[Row] = self._call(
                model, "read", ids=ids, options={"fields": names, "load": ""}, context=context,
                what=what, safe=True,
            )  # fmt: skip
        except AnswerCutError:
            if len(ids) == 1:
                raise
            middle = len(ids) // 2
            return [
                *self.rows(model, ids[:middle], names, context, what),
                *self.rows(model, ids[middle:], names, context, what),
            ]
        except MissingRecordError:
            # Some models refuse the whole read.
            if len(ids) == 1:
                return []
            there = self._found(model, ids, context, what)
            return self.rows(model, there, names, context, what) if len(there) < len(ids) else []
        return rows

    def visible(
        self, model: str, ids: list[Key], names: list[str], context: Mapping[str, Any], what: str
    ) -> list[Row]:
        """Read rows, and tell records that a rule hides from a model that our user may not read at all.

        Args:
            model: The model.
            ids: Keys.
            names: The server's names of the fields.
            context: Odoo's context.
            what: What it is for.

        Raises:
            CredentialsError: When it is the model that is refused, or a field of it.
            HiddenRecordError: When it is only some records.
        """
        try:
            return self.rows(model, ids, names, context, what)
        except CredentialsError as exc:
            found = set(self._found(model, ids, context, what))
            hidden = self._refused(model, [key for key in ids if key not in found], context, what)
            if not hidden:
                raise
            raise HiddenRecordError(model, hidden) from exc

    def _found(self, model: str, ids: list[Key], context: Mapping[str, Any], what: str) -> list[Key]:
        found: list[Key] = self._call(
            model, "search", args={"domain": [["id", "in", ids]]},
            context={**context, "active_test": False}, what=what, safe=True,
        )  # fmt: skip
        return found

    def _refused(self, model: str, ids: list[Key], context: Mapping[str, Any], what: str) -> list[Key]:
        """Find those that may not be read; those that are gone are just left out by Odoo.

        Raises:
            LoginRefusedError: When nothing may be read any more.
        """
        if not ids:
            return []
        try:
            self.rows(model, ids, ["display_name"], context, what)
        except LoginRefusedError:
            raise
        except CredentialsError:
            middle = len(ids) // 2
            if not middle:
                return ids
            first, last = ids[:middle], ids[middle:]
            return [
                *self._refused(model, first, context, what),
                *self._refused(model, last, context, what),
            ]
        return []
