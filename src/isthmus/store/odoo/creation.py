"""Creates that survive a lost answer: rows are loaded under external IDs of ours."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from isthmus.env import Key
from isthmus.errors import (
    AnswerCutError,
    CredentialsError,
    InvalidDataError,
    IsthmusError,
    MissingRecordError,
    NetworkRetryableError,
    ParkError,
    UnknownOutcomeError,
)
from isthmus.store.odoo.client import OdooClient
from isthmus.store.odoo.dialect import Spelling
from isthmus.store.odoo.loading import LOAD_CONTEXT, MODULE, Load, is_extra, loads, own_key, same_rest
from isthmus.store.odoo.rights import changing_records, may
from isthmus.store.odoo.values import Values

_PASSING: Final = re.compile(
    r"could not serialize access |deadlock detected(?: DETAIL:|$)|canceling statement due to lock timeout"
    r"|could not obtain lock on "
)
"""What ``load`` tells as a message though it is no fault of a row: another transaction was in the way.

PostgreSQL's words, which begin the message; a module's own words of a row may quote the same from its values.
"""
_NOT_THERE: Final[tuple[type[IsthmusError], ...]] = (InvalidDataError, MissingRecordError)
"""How the lookup of an external ID says that there is none, or that its record is gone."""


class Creation:
    """Creates records of one server, and finds them again.

    Args:
        client: Gives the connection.
        spelling: Gives the spelling of a model.
        values: Translates values.
    """

    def __init__(
        self, client: Callable[[], OdooClient], spelling: Callable[[str], Spelling], values: Values
    ) -> None:
        self._client = client
        self._spelling = spelling
        self._values = values
        self._allowed: set[str] = set()

    def create(
        self,
        model: str,
        rows: Sequence[Mapping[str, Any]],
        keys: Sequence[str],
        context: Mapping[str, Any],
        what: str,
    ) -> list[Key | ParkError]:
        """Load rows under their keys, then write what ``load`` cannot carry: one write per equal rest.

        Args:
            model: The model.
            rows: Wire values of each record.
            keys: A key of ours for each.
            context: Odoo's context.
            what: What it is for.

        Returns:
            The new keys in order; for a record whose rest is refused the error that says so.

        Raises:
            InvalidDataError: When Odoo refuses a row, in its words; nothing of that call was kept.
            CredentialsError: When our user may not create such records.
            UnknownOutcomeError: When the answer does not tell what was made, or only a part was.
            IsthmusError: What else became of the call.
        """  # noqa: DOC502 - the first two by `_refuse`
        found: dict[int, Key] = {}
        refused: dict[Key, ParkError] = {}
        for load in loads(self._spelling(model).told, rows, keys):
            try:
                ids = self._load(model, load, context, what)
                found.update(zip(load.places, ids, strict=True))
                for group, rest in same_rest(load, ids):
                    refused |= self._write_rest(model, group, rest, context)
            except UnknownOutcomeError:
                raise
            except IsthmusError as exc:
                if found:
                    # Some of the records are there: whoever believes that none is would make them twice.
                    raise UnknownOutcomeError(f"cannot {what}: done in part, then: {exc}") from exc
                raise
        made = [found[place] for place in range(len(rows))]
        return [refused.get(key, key) for key in made]

    def _load(self, model: str, load: Load, context: Mapping[str, Any], what: str) -> list[Key]:
        answer = self._client().call(
            model, "load", args={"fields": load.columns, "data": load.rows},
            context={**context, **LOAD_CONTEXT}, what=what,
        )  # fmt: skip
        ids: list[Key] = answer.get("ids") or []
        if not ids:
            self._refuse(model, answer.get("messages") or (), what)
        if len(ids) != len(load.rows):
            raise UnknownOutcomeError(f"cannot {what}: {len(ids)} of {len(load.rows)} rows have an ID")
        return ids

    def _write_rest(
        self, model: str, ids: list[Key], rest: Mapping[str, Any], context: Mapping[str, Any]
    ) -> dict[Key, ParkError]:
        """Write the same values to new records; where it is refused, halve until it is clear for which."""
        what = f"finish {model}({ids[0]!r})" if len(ids) == 1 else f"finish {len(ids)} {model}"
        try:
            with changing_records(self._client(), model, "write"):
                self._client().call(
                    model, "write", ids=ids, args={"vals": dict(rest)},
                    context={**context, "tracking_disable": True}, what=what,
                )  # fmt: skip
        except ParkError as error:
            if len(ids) == 1:
                return {ids[0]: error}
            middle = len(ids) // 2
            refused = self._write_rest(model, ids[:middle], rest, context)
            return refused | self._write_rest(model, ids[middle:], rest, context)
        return {}

    def _refuse(self, model: str, messages: Sequence[Mapping[str, Any]], what: str) -> None:
        """Say why ``load`` kept nothing.

        Raises:
            InvalidDataError: In Odoo's words.
            CredentialsError: When our user may not create such records at all: that is no fault of a row.
            NetworkRetryableError: When another transaction was in the way.
        """
        errors = [m for m in messages if m.get("type") == "error"] or list(messages)
        said = " ".join(str(errors[0].get("message", "")).split()) if errors else "it does not say why"
        if _PASSING.match(said):
            raise NetworkRetryableError(f"cannot {what}: {said}")
        if model not in self._allowed and not may(self._client(), model, "create"):
            raise CredentialsError(f"cannot {what}: our user has no right to create {model}: {said}")
        self._allowed.add(model)
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InvalidDataError(f"cannot {what}: {said}{more}")

    def find(self, model: str, key: str, values: Mapping[str, Any], context: Mapping[str, Any]) -> list[Key]:
        """Find the record of a key, and write those of its values that were to follow the ``load``.

        They are written only where the record has none: a person may have been there since.

        Args:
            model: The model.
            key: The key of the create.
            values: What it was to be created with, in plain form.
            context: Odoo's context.

        Raises:
            ParkError: When those values are refused.
        """  # noqa: DOC502 - by `_complete`
        try:
            told = self._client().call(
                "ir.model.data", "check_object_reference", args={"module": MODULE, "xml_id": key},
                # Archived records are records, too.
                context={"active_test": False}, what=f"look for {model} created as {key}", safe=True,
            )  # fmt: skip
        except _NOT_THERE:
            return []
        if not isinstance(told, list) or len(told) != 2 or told[0] != model or not told[1]:
            return []
        found: Key = told[1]
        self._complete(model, found, key, values, context)
        return [found]

    def _complete(
        self, model: str, found: Key, key: str, values: Mapping[str, Any], context: Mapping[str, Any]
    ) -> None:
        spelling = self._spelling(model)
        # Of the plain form only these mean the same; and no others are written after a load.
        lists = {n: v for n, v in values.items() if n in spelling.fields and is_extra(spelling.fields[n])}
        (load,) = loads(spelling.told, [self._values.there(model, lists)], [key])
        rest = load.rest[0]
        if not rest:
            return
        rows = self._client().call(
            model, "read", ids=[found], options={"fields": list(rest), "load": ""},
            what=f"read what {model}({found!r}) lacks", safe=True,
        )  # fmt: skip
        lacking = {name: value for name, value in rest.items() if rows and not rows[0].get(name)}
        refused = self._write_rest(model, [found], lacking, context) if lacking else {}
        if refused:
            raise refused[found]

    def keys(self, model: str, ids: Sequence[Key]) -> dict[Key, str]:
        """Tell which of these records were made with a key of ours; in halves where the answer is cut.

        Args:
            model: The model.
            ids: Keys, at least one.

        Raises:
            AnswerCutError: When the answer is cut even for one record.

        Source:
            ``get_metadata`` tells external IDs to every user; ``ir.model.data`` itself is for administrators.
        """
        try:
            told = self._client().call(
                model, "get_metadata", ids=list(ids),
                what=f"read the external IDs of {len(ids)} {model}", safe=True,
            )  # fmt: skip
        except AnswerCutError:
            if len(ids) == 1:
                raise
            middle = len(ids) // 2
            return self.keys(model, ids[:middle]) | self.keys(model, ids[middle:])
        found = {row["id"]: own_key(str(row.get("xmlid") or "")) for row in told}
        return {key: own for key, own in found.items() if own is not None}
