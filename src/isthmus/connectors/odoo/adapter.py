"""Adapters of an Odoo's models: one call for a page of records, creates that are made once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from isthmus.adapter import CRUDAdapter, in_chunks
from isthmus.connectors.odoo.connection import Connection
from isthmus.env import CreateSafety
from isthmus.errors import (
    AmbiguousOutcomeError,
    AnswerCutError,
    CredentialsError,
    HiddenRecordError,
    IDMissingInBackend,
    InvalidDataError,
    LoginRefusedError,
    MissingRecordError,
    ParkError,
    RetryableJobError,
)
from isthmus.http import Payload
from isthmus.store.odoo import LOAD_CONTEXT, Feed, external_id, own_key

KEY: Final = "@key"
"""Field of a payload with the key that we created the record with."""

_PAGE: Final = 500
_ALL: Final = {"active_test": False}
_STAMPS: Final = ("create_date", "write_date")


class OdooAdapter(CRUDAdapter):
    """What the adapters of all models have in common; the connection comes as ``work.odoo``.

    A payload has the record's ID as text, the fields of `_fields` and the two dates of the record. None is
    the empty value in it, a many2one is the other record's ID as text.

    Attributes:
        _odoo_model: Name of the model there.
        _fields: The fields that are read, by name, with Odoo's type: ``{"parent_id": "many2one"}``.
    """

    _name = "odoo.adapter"
    _abstract = True
    _collection = "odoo.backend"

    create_safety = CreateSafety.NATIVE_KEY

    _odoo_model: ClassVar[str] = ""
    _fields: ClassVar[Mapping[str, str]] = {}

    @property
    def client(self) -> Connection:
        """The connection to this backend, shared with all other work on it."""
        client: Connection = self.work.odoo
        return client

    def created_at(self, payload: Mapping[str, Any]) -> datetime | None:
        """Tell when a record was made, to the second."""
        told = payload.get("create_date")
        return None if told is None else _instant(told)

    def creation_key(self, payload: Mapping[str, Any]) -> str | None:
        """Tell the key of ours in the record's external ID; a copy of a record has none."""
        found: str | None = payload.get(KEY)
        return found

    # -- reading -----------------------------------------------------------------------

    def search(self, filters: Mapping[str, Any] | None = None) -> Iterator[str]:
        """Find records, archived ones too, in the order in which they were made.

        Args:
            filters: **Shape**: ``{"domain": [...]}`` in Odoo's syntax; None takes all.

        Yields:
            The ID of each record.
        """
        for rows in self._walk(filters, ["id"]):
            yield from (str(row["id"]) for row in rows)

    def search_read(self, filters: Mapping[str, Any] | None = None) -> Iterator[Payload]:
        """Find records and their fields; two requests for each page."""
        for page in self.pages(filters):
            yield from page

    def pages(self, filters: Mapping[str, Any] | None = None, size: int = _PAGE) -> Iterator[list[Payload]]:
        """Find records page by page; arguments as for `search`."""
        for rows in self._walk(filters, self._asked(), size):
            yield self._payloads(rows)

    def read(self, external_id: str, fields: Iterable[str] | None = None) -> Payload:
        """Read one record.

        Raises:
            IDMissingInBackend: When there is none.
        """
        payload = self.read_many([external_id])[str(external_id)]
        if payload is None:
            raise IDMissingInBackend(f"there is no {self._odoo_model} {external_id}")
        wanted = None if fields is None else {"id", *fields}
        return payload if wanted is None else {f: v for f, v in payload.items() if f in wanted}

    def read_many(self, external_ids: Iterable[str]) -> dict[str, Payload | None]:
        """Read several records by two requests for each page.

        Raises:
            HiddenRecordError: When some are there that our user may not see: they must not look deleted.
        """
        found: dict[str, Payload | None] = dict.fromkeys(map(str, external_ids))
        keys = [key for text in found if (key := _key(text)) is not None]
        for chunk in in_chunks(keys, _PAGE):
            rows = self._search([("id", "in", list(chunk))], "id", len(chunk), self._asked())
            found |= {payload["id"]: payload for payload in self._payloads(rows)}
        hidden = self.hidden(text for text, payload in found.items() if payload is None)
        if hidden:
            raise HiddenRecordError(self._odoo_model, sorted(hidden))
        return found

    def visible(self, external_ids: Iterable[str]) -> set[str]:
        """Tell which of these records our user sees."""
        keys = [key for text in external_ids if (key := _key(text)) is not None]
        chunks = in_chunks(keys, _PAGE)
        return {found for chunk in chunks for found in self.search({"domain": [("id", "in", list(chunk))]})}

    def hidden(self, external_ids: Iterable[str]) -> set[str]:
        """Tell which of these records, that no search has found, are there all the same."""
        keys = [key for text in external_ids if (key := _key(text)) is not None]
        return {str(key) for chunk in in_chunks(keys, _PAGE) for key in self._refused(list(chunk))}

    def _refused(self, keys: list[int]) -> list[int]:
        """Find records that may not be read; those that are gone are just left out by Odoo.

        Raises:
            LoginRefusedError: When nothing may be read any more.
        """
        if not keys:
            return []
        what = f"look whether {len(keys)} {self._odoo_model} are gone"
        try:
            self.client.call(
                self._odoo_model, "read", ids=keys, options={"fields": ["write_date"]}, what=what, safe=True
            )
        except LoginRefusedError:
            raise
        except CredentialsError:
            middle = len(keys) // 2
            return keys if not middle else [*self._refused(keys[:middle]), *self._refused(keys[middle:])]
        return []

    def feed(self, lag: timedelta, now: Callable[[], datetime]) -> Feed:
        """Give what tells of changes, archived records too.

        Args:
            lag: How long a transaction there may last.
            now: Our time.
        """
        return Feed(self._changed, lag=lag, now=now)

    def _changed(self, domain: list[Any], order: str, limit: int) -> list[dict[str, Any]]:
        rows = self._search([_leaf(*term) for term in domain], order, limit, ["write_date"])
        return [{"id": row["id"], "write_date": _instant(row["write_date"])} for row in rows]

    def _walk(
        self, filters: Mapping[str, Any] | None, fields: Sequence[str], size: int = _PAGE
    ) -> Iterator[list[dict[str, Any]]]:
        """Walk by key: stable while people add and remove.

        Raises:
            InvalidDataError: When a filter is none that we have.
        """
        unknown = sorted(set(filters or {}) - {"domain"})
        if unknown:
            raise InvalidDataError(f"{self._odoo_model} is searched by a domain, not by {', '.join(unknown)}")
        chosen = list((filters or {}).get("domain") or [])
        after: list[Any] = []
        while rows := self._search([*after, *chosen], "id", size, fields):
            yield rows
            if len(rows) < size:
                return
            after = [("id", ">", rows[-1]["id"])]

    def _search(
        self, domain: Sequence[Any], order: str, limit: int, fields: Sequence[str], offset: int = 0
    ) -> list[dict[str, Any]]:
        """Find and read; an answer that was too long for something on the way is asked for in halves.

        Raises:
            AnswerCutError: When even one record is too long.
        """
        options = {
            "fields": list(fields),
            "order": order,
            "limit": limit,
            **self.client.version.search_read_options,
        }
        try:
            rows: list[dict[str, Any]] = self.client.call(
                self._odoo_model,
                "search_read",
                args={"domain": [list(term) if isinstance(term, tuple) else term for term in domain]},
                options={**options, "offset": offset} if offset else options,
                context={**self._context, **_ALL},
                what=f"find {self._odoo_model}",
                safe=True,
            )
        except AnswerCutError:
            if limit <= 1:
                raise
            half = limit // 2
            rows = self._search(domain, order, half, fields, offset)
            if len(rows) == half:
                rows += self._search(domain, order, limit - half, fields, offset + half)
        return rows

    @property
    def _context(self) -> dict[str, Any]:
        found: dict[str, Any] = self.work.odoo_context
        return found

    def _asked(self) -> list[str]:
        return [*self._fields, *_STAMPS]

    def _payloads(self, rows: Sequence[Mapping[str, Any]]) -> list[Payload]:
        keys = self._keys_of([row["id"] for row in rows]) if rows else {}
        return [{**self._shown(row), KEY: keys.get(row["id"])} for row in rows]

    def _shown(self, row: Mapping[str, Any]) -> Payload:
        """Make a payload of what Odoo tells."""
        shown = {name: _plain(kind, row[name]) for name, kind in self._fields.items()}
        stamps = {name: row[name] or None for name in _STAMPS}
        return {"id": str(row["id"]), **shown, **stamps}

    def _keys_of(self, ids: list[int]) -> dict[int, str]:
        """Tell the keys of what we have made, which are external IDs there; every user may ask for them.

        Raises:
            AnswerCutError: When even one record is too long.
        """
        what = f"look who made {len(ids)} records"
        try:
            told = self.client.call(self._odoo_model, "get_metadata", ids=ids, what=what, safe=True)
        except AnswerCutError:
            if len(ids) == 1:
                raise
            middle = len(ids) // 2
            return {**self._keys_of(ids[:middle]), **self._keys_of(ids[middle:])}
        found = {row["id"]: own_key(str(row["xmlid"] or "")) for row in told}
        return {record_id: key for record_id, key in found.items() if key is not None}

    # -- writing -----------------------------------------------------------------------

    def create(self, values: Mapping[str, Any], *, key: str | None = None) -> Payload | str:
        """Make a record, once for each key: the second time gives the first record.

        Where somebody has written it since, the answer shows *values*, so that what is there counts as a
        change of theirs and not as what Odoo made of our values.

        Raises:
            InvalidDataError: When Odoo refuses the values; tells its own words.
        """  # noqa: DOC502 - raised by what is called
        sent = self._sent({name: value for name, value in values.items() if value is not None})
        what = f"create a {self._odoo_model}"
        if key is None:
            made = self.client.call(self._odoo_model, "create", args={"vals_list": [sent]}, what=what)
            return str(made[0])
        cells = {"id": external_id(key), **{self._column(n): _cell(v) for n, v in sent.items()}}
        answer = self.client.call(
            self._odoo_model,
            "load",
            args={"fields": list(cells), "data": [list(cells.values())]},
            context={**self._context, **LOAD_CONTEXT},
            what=what,
        )
        made_id = self._loaded(answer, what)
        # It is made: a read that fails now must not make that look undone.
        with suppress(ParkError, CredentialsError, RetryableJobError):
            payload = self.read(made_id)
            untouched = payload["write_date"] == payload["create_date"]
            return payload if untouched else {**payload, **values}
        return made_id

    def write(self, external_id: str, values: Mapping[str, Any]) -> None:
        """Change fields; without any there is no request."""
        if values:
            with self._told_as_missing(external_id) as key:
                self.client.call(
                    self._odoo_model,
                    "write",
                    ids=[key],
                    args={"vals": self._sent(values)},
                    context=self._context,
                    what=f"write {self._odoo_model} {external_id}",
                )

    def delete(self, external_id: str) -> None:
        """Delete a record for good."""
        with self._told_as_missing(external_id) as key:
            what = f"delete {self._odoo_model} {external_id}"
            self.client.call(self._odoo_model, "unlink", ids=[key], what=what)

    def _sent(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Make what Odoo is told of values; many2one are IDs as text in them."""
        return {name: _wire(self._fields.get(name), value, name) for name, value in values.items()}

    def _column(self, name: str) -> str:
        """Name a field for `load`: a many2one is told by its database ID."""
        return f"{name}/.id" if self._fields.get(name) == "many2one" else name

    def _loaded(self, answer: Any, what: str) -> str:
        """Read the answer of `load`, which tells refusals as messages.

        Raises:
            InvalidDataError: When nothing was made.
            AmbiguousOutcomeError: When the answer tells neither.
        """
        told = answer if isinstance(answer, Mapping) else {}
        wrong = [str(m.get("message")) for m in told.get("messages") or [] if m.get("type") == "error"]
        if wrong:
            raise InvalidDataError(f"cannot {what}: {'; '.join(wrong)}")
        ids = told.get("ids")
        if not isinstance(ids, list) or len(ids) != 1:
            raise AmbiguousOutcomeError(
                f"cannot tell what became of the attempt to {what}: Odoo names no record"
            )
        return str(ids[0])

    @contextmanager
    def _told_as_missing(self, external_id: str) -> Iterator[int]:
        """Say of a record that is gone that it is.

        Raises:
            IDMissingInBackend: When it is gone, or cannot be.
        """
        key = _key(external_id)
        if key is None:
            raise IDMissingInBackend(f"there is no {self._odoo_model} {external_id}")
        try:
            yield key
        except MissingRecordError as exc:
            raise IDMissingInBackend(str(exc)) from exc


class OdooPartnerAdapter(OdooAdapter):
    """Partners. The country is told by its code, ``country_code``: its ID says nothing elsewhere."""

    _name = "odoo.partner.adapter"
    _apply_on = "odoo.partner"

    _odoo_model = "res.partner"
    external_model = "res.partner"
    _fields = {
        "name": "char",
        "is_company": "boolean",
        "parent_id": "many2one",
        "email": "char",
        "phone": "char",
        "street": "char",
        "city": "char",
        "zip": "char",
        "country_id": "many2one",
        "comment": "html",
        "active": "boolean",
    }

    def _shown(self, row: Mapping[str, Any]) -> Payload:
        shown = super()._shown(row)
        country = shown.pop("country_id")
        codes = {external_id: code for code, external_id in self._countries().items()} if country else {}
        return {**shown, "country_code": codes.get(country)}

    def _sent(self, values: Mapping[str, Any]) -> dict[str, Any]:
        sent = dict(values)
        if "country_code" in sent:
            sent["country_id"] = self._country(sent.pop("country_code"))
        return super()._sent(sent)

    def _country(self, code: str | None) -> str | None:
        """Find the country of a code.

        Raises:
            InvalidDataError: When there is none of that code.
        """
        if not code:
            return None
        found = self._countries().get(code.upper())
        if found is None:
            raise InvalidDataError(f"that Odoo has no country with the code {code!r}")
        return found

    def _countries(self) -> dict[str, str]:
        """List the countries there by code, read once for each piece of work."""
        known: dict[str, str] = self.work.odoo_countries
        if not known:
            rows = self.client.call(
                "res.country",
                "search_read",
                args={"domain": []},
                options={"fields": ["code"]},
                what="list the countries",
                safe=True,
            )
            # One without a code is told by its ID, which no other side knows.
            known.update({(row["code"] or f"#{row['id']}").upper(): str(row["id"]) for row in rows})
        return known


def _key(external_id: str) -> int | None:
    """Read an external ID; None for what no record of Odoo has.

    >>> _key("17"), _key("0"), _key("x")
    (17, None, None)
    """
    text = str(external_id)
    return int(text) if text.isascii() and text.isdecimal() and 0 < int(text) < 2**31 else None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _leaf(name: str, operator: str, value: Any) -> tuple[str, str, Any]:
    if isinstance(value, datetime):
        value = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return name, operator, value


def _plain(kind: str, value: Any) -> Any:
    """Give a value as a payload has it."""
    if kind == "boolean":
        return bool(value)
    if kind == "many2one":
        found = value[0] if isinstance(value, list) else value
        return str(found) if found else None
    if kind in {"one2many", "many2many"}:
        return [str(v) for v in value or ()]
    return None if value is False or value == "" else value


def _wire(kind: str | None, value: Any, name: str) -> Any:
    """Give a value as Odoo takes it.

    Raises:
        InvalidDataError: When it is no ID where one belongs.
    """
    if value is None:
        return False
    if kind == "many2one":
        key = _key(value)
        if key is None:
            raise InvalidDataError(f"{name} is no ID of a record: {value!r}")
        return key
    return value


def _cell(value: Any) -> str:
    """Write a value for `load`.

    >>> _cell(True), _cell(7), _cell("x")
    ('1', '7', 'x')
    """
    return str(int(value)) if isinstance(value, bool) else str(value)
