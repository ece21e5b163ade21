"""Records of ours in a live Odoo."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from isthmus.env import CreateSafety, Env, Field, Key, Record
from isthmus.env.domain import AllOf
from isthmus.errors import (
    AnswerCutError,
    HiddenRecordError,
    LoginRefusedError,
    ParkError,
    RecordValueError,
    UnknownFieldError,
    UnknownModelError,
)
from isthmus.store.odoo.client import OdooClient
from isthmus.store.odoo.creation import Creation
from isthmus.store.odoo.description import Descriptions, Dialects, no_dialects
from isthmus.store.odoo.dialect import Spelling
from isthmus.store.odoo.domain import Terms
from isthmus.store.odoo.feed import Feed, Row
from isthmus.store.odoo.reading import OF_RECORDS, Reading
from isthmus.store.odoo.rights import changing_records
from isthmus.store.odoo.values import Values
from isthmus.store.odoo.wire import to_wire
from isthmus.store.prefetch import Prefetch

logger = logging.getLogger("isthmus.store")

LAG: Final = timedelta(minutes=5)
"""How long a transaction of Odoo may last."""

_GROUP: Final = 1_000
"""Records that are read together when one of them is looked at."""
_CONTEXT: Final = ("lang", "tz", "allowed_company_ids")
"""Keys of the env's context that Odoo knows too."""


class OdooStore:
    """The store of models that live in an Odoo, as one user of it sees them.

    Every call says so first (`Env.external_call`), so a transaction that has written refuses it. Reading
    a field of a record reads, in one call, what was looked at so far, of all records that were found with it.

    Args:
        name: The store's name.
        models: Names of the models that live there.
        client: Gives the connection; asked at the first use.
        dialects: What the server's version spells differently.
        context: Added to the context of every call.
        lag: How long a transaction there may last; the change feed tells this window again.
    """

    transactional = False
    synchronous = False
    create_safety = CreateSafety.NATIVE_KEY

    def __init__(
        self,
        name: str,
        models: Iterable[str],
        client: Callable[[], OdooClient],
        *,
        dialects: Dialects = no_dialects,
        context: Mapping[str, Any] | None = None,
        lag: timedelta = LAG,
    ) -> None:
        self.name = name
        self._models = tuple(models)
        self._client = client
        self._descriptions = Descriptions(client, dialects)
        self._terms = Terms(self._spelling)
        self._values = Values(self._spelling)
        self._reading = Reading(self._call)
        self._prefetch = Prefetch(self, self._wanted, _CONTEXT)
        self._creation = Creation(client, self._spelling, self._values)
        self._context = dict(context or {})
        self._lag = lag
        self._looked_at: dict[str, dict[str, None]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    # -- description -------------------------------------------------------------------

    def models(self) -> Collection[str]:
        """List the names of the models that live here."""
        return self._models

    def place(self) -> str:
        """Say which database on which server this is; connects when it has not yet."""
        client = self._client()
        return f"the Odoo at {client.server}, database {client.database!r}"

    def fields(self, model: str) -> Mapping[str, Field]:
        """Tell a model's fields by name; asked of the server once.

        Raises:
            UnknownModelError: When no such model lives here.
        """
        if model not in self._models:
            raise UnknownModelError(model, self._models)
        return self._descriptions.fields(model)

    def is_described(self, model: str) -> bool:
        """Tell whether the server was asked already."""
        return self._descriptions.knows(model)

    def key(self, model: str, text: str) -> Key:  # noqa: ARG002 - the seam's signature
        """Turn the text form of a key back into the key.

        Raises:
            RecordValueError: When it is none.
        """
        try:
            return int(text)
        except ValueError as exc:
            raise RecordValueError(f"{text!r} is no key of a record in {self.name}") from exc

    def _spelling(self, model: str) -> Spelling:
        return self._descriptions.spelling(model)

    def _call(self, model: str, method: str, **arguments: Any) -> Any:
        """Make a call; what the server does not know (any more) is looked up afresh next time.

        Raises:
            UnknownFieldError: When the server has no such field.
            UnknownModelError: When the server has no such model.
        """
        try:
            return self._client().call(model, method, **arguments)
        except (UnknownFieldError, UnknownModelError):
            self._descriptions.forget()
            raise

    # -- reading -----------------------------------------------------------------------

    def search(
        self, env: Env, model: str, domain: AllOf, *, order: str | None, limit: int | None, offset: int
    ) -> list[Key]:
        """Find keys, in order."""
        terms, order = self._terms.domain(model, domain), self._terms.order(model, order)
        if limit == 0:
            return []  # to Odoo it means no limit
        found = self._search(env, model, terms, order, limit, offset, self._searched(env))
        # What was known of them may be of before: whoever searches wants to see how they are.
        cache = self._prefetch.known(env, model)
        for key in found:
            cache.pop(key, None)
        return found

    def _search(
        self, env: Env, model: str, terms: list[Any], order: str, limit: int | None, offset: int,
        context: Mapping[str, Any],
    ) -> list[Key]:  # fmt: skip
        env.external_call(f"search {model}")
        options: dict[str, Any] = {"order": order, "offset": offset}
        if limit is not None:
            options["limit"] = limit
        keys: list[Key] = self._call(
            model, "search", args={"domain": terms}, options=options, context=context,
            what=f"search {model}", safe=True,
        )  # fmt: skip
        return keys

    def search_count(self, env: Env, model: str, domain: AllOf) -> int:
        """Count what `search` would find."""
        terms = self._terms.domain(model, domain)
        env.external_call(f"count {model}")
        return int(
            self._call(
                model, "search_count", args={"domain": terms}, context=self._searched(env),
                what=f"count {model}", safe=True,
            )
        )  # fmt: skip

    def read(self, env: Env, model: str, ids: Sequence[Key], fields: Sequence[str]) -> list[dict[str, Any]]:
        """Read values by one call, in the order of *ids*; missing records are left out.

        Raises:
            UnknownFieldError: When there is no such field.
            HiddenRecordError: When a record is there that cannot be read.
        """  # noqa: DOC502 - the first by `_names`
        if not ids:
            return []
        names, spelling = self._names(model, fields), self._spelling(model)
        what = _named("read", model, ids)
        env.external_call(what)
        if not set(names) - {"id"}:
            # Asked for nothing but the ID, Odoo gives that of a missing record, too.
            names.append("write_date" if "write_date" in spelling.fields else "display_name")
        read, unreadable = self._reading.rows(model, list(ids), names, self._usual(env), what)
        if unreadable:
            raise HiddenRecordError(model, unreadable, why=unreadable)
        rows = {row["id"]: row for row in read}
        wanted = ("id", *fields)
        return [
            {name: row[name] for name in wanted}
            for row in (self._values.here(model, rows[key]) for key in ids if key in rows)
        ]

    def _names(self, model: str, fields: Iterable[str]) -> list[str]:
        """Spell fields as the server does.

        Raises:
            UnknownFieldError: When there is no such field.
        """
        words = self._spelling(model).words
        for name in fields:
            if name not in words:
                raise UnknownFieldError(model, name, words)
        return [words[name].told.name for name in fields]

    def get(self, record: Record, field: str) -> Any:
        """Read one field of one record, together with the records it was found with."""
        value = self._prefetch.get(record, field)
        self._looked_at.setdefault(record._name, {})[field] = None
        return value

    def _wanted(self, model: str, field: str) -> list[str]:
        """Tell what to read with a field: what was looked at before, of what there (still) is."""
        described = self._spelling(model).fields
        usual = [
            name
            for name in list(self._looked_at.get(model, ()))
            if name in described and described[name].type != "binary"
        ]
        return list(dict.fromkeys((*usual, field)))

    # -- writing -----------------------------------------------------------------------

    def set(self, record: Record, field: str, value: Any) -> None:  # noqa: ARG002 - the seam's signature
        """Refuse an assignment: each would be a call of its own."""
        self._prefetch.set(record, field)

    def create(self, env: Env, model: str, values: Sequence[Mapping[str, Any]]) -> list[Key]:
        """Create records by one call."""
        if not values:
            return []
        rows = [self._values.there(model, row) for row in values]
        what = _named("create", model, rows, new=True)
        env.external_call(what)
        with changing_records(self._client(), model, "create"):
            made: Any = self._call(
                model, "create", args={"vals_list": rows}, context=self._usual(env), what=what
            )
        self._prefetch.forget(env)
        return list(made)

    def create_keyed(
        self, env: Env, model: str, values: Sequence[Mapping[str, Any]], keys: Sequence[str]
    ) -> list[Key | ParkError]:
        """Create records under external IDs of ours; a key that was used gives the first record back.

        Returns:
            The keys; for a record that was made, but not with all that ``load`` cannot carry, the refusal.

        Raises:
            ValueError: When there is not one key per record.
        """
        if len(keys) != len(values):
            raise ValueError(f"{len(values)} records of {model} need as many keys, not {len(keys)}")
        if not values:
            return []
        rows = [self._values.there(model, row) for row in values]
        what = _named("create", model, rows, new=True)
        env.external_call(what)
        try:
            return self._creation.create(model, rows, keys, self._usual(env), what)
        finally:
            self._prefetch.forget(env)

    def find_created(
        self, env: Env, model: str, key: str, values: Mapping[str, Any], since: datetime  # noqa: ARG002 - found by key
    ) -> list[Key]:  # fmt: skip
        """Look for what a create has made, and write what it had no time to write."""
        env.external_call(f"look for {model} created as {key}")
        return self._creation.find(model, key, values, self._usual(env))

    def creation_keys(self, env: Env, model: str, ids: Sequence[Key]) -> dict[Key, str]:
        """Tell which of these records were made with a key of ours."""
        if not ids:
            return {}
        env.external_call(f"read the external IDs of {len(ids)} {model}")
        return self._creation.keys(model, ids)

    def write(self, env: Env, model: str, ids: Sequence[Key], values: Mapping[str, Any]) -> None:
        """Write the same values to records by one call."""
        row = self._values.there(model, values)
        self._change(env, "write", model, ids, {"vals": row})

    def unlink(self, env: Env, model: str, ids: Sequence[Key]) -> None:
        """Delete records by one call."""
        self._change(env, "unlink", model, ids, {})

    def _change(self, env: Env, method: str, model: str, ids: Sequence[Key], args: dict[str, Any]) -> None:
        """Call a method that changes records."""
        if not ids:
            return
        what = _named(method, model, ids)
        env.external_call(what)
        try:
            with changing_records(self._client(), model, method):
                self._call(model, method, ids=list(ids), args=args, context=self._usual(env), what=what)
        finally:
            self._prefetch.forget(env)

    # -- change feed -------------------------------------------------------------------

    def mark_now(self, env: Env, model: str) -> Any:
        """Give the mark from which on only later changes (and the lag window) are told."""
        return self._feed(env, model, (), {}).mark_now()

    def changes(
        self, env: Env, model: str, since: Any, limit: int, fields: Sequence[str]
    ) -> tuple[list[Row], Any]:
        """Read the next changes with their values, oldest first; fewer than *limit* end the walk.

        The mark also keeps the records that could not be read: each walk tells those that can be by now.
        """
        unread: dict[Key, str] = dict.fromkeys((since or {}).get("unread", ()), "")
        rows, mark = self._feed(env, model, fields, unread).page(since, limit)
        for row in rows:
            unread.pop(row["id"], None)
        if len(rows) < limit:
            rows += self._readable(env, model, unread, fields)
        return rows, {**mark, "unread": sorted(unread)}

    def _readable(self, env: Env, model: str, unread: dict[Key, str], fields: Sequence[str]) -> list[Row]:
        """Read what can be read by now; that, and what is gone, is no longer among the unread."""
        names = self._names(model, dict.fromkeys(("write_date", *fields)))
        read: list[Row] = []
        for key in sorted(unread):
            what = f"look for changes of {model}"
            env.external_call(what)
            rows, reasons = self._reading.rows(model, [key], names, self._context, what)
            read += [self._values.here(model, row) for row in rows]
            if not reasons:
                del unread[key]
        return read

    def _feed(self, env: Env, model: str, fields: Sequence[str], unread: dict[Key, str]) -> Feed:
        names = self._names(model, dict.fromkeys(("write_date", *fields)))

        def search(domain: list[Any], order: str, limit: int) -> list[Row]:
            env.external_call(f"look for changes of {model}")
            return self._changed(model, domain, order, limit, names, unread)

        def server_now() -> datetime | None:
            offset = self._client().clock_offset
            return None if offset is None else env.now() + offset

        return Feed(search, lag=self._lag, now=env.now, server_now=server_now)

    def _changed(
        self, model: str, domain: list[Any], order: str, limit: int, names: list[str], unread: dict[Key, str]
    ) -> list[Row]:
        """Find and read records; those that cannot be read are left out, and others found in their place.

        Raises:
            LoginRefusedError: When nothing may be read any more.
        """
        what, context = f"look for changes of {model}", {**self._context, "active_test": False}
        terms, page = to_wire(domain), {"limit": limit, "order": order}
        options = {"fields": names, **page, **self._client().version.search_read_options}
        try:
            rows = self._call(
                model, "search_read", args={"domain": terms}, options=options, context=context, what=what,
                safe=True,
            )  # fmt: skip
        except LoginRefusedError:
            raise
        except OF_RECORDS:
            rows, ids = [], None
            unreadable: dict[Key, str] = {}
            # A page with less than all that it found would be taken for the last one.
            while ids is None or len(rows) < len(ids):
                others = [*terms, ["id", "not in", list(unreadable)]]
                ids = self._call(
                    model, "search", args={"domain": others}, options=page, context=context, what=what,
                    safe=True,
                )  # fmt: skip
                # Like search_read, without archived members of lists.
                read, reasons = self._reading.rows(model, ids, names, self._context, what)
                found = {row["id"]: row for row in read}
                rows = [found[key] for key in ids if key in found]
                unreadable |= reasons
            for reason in unreadable.values():
                logger.warning("a change is left for later: %s", reason)
            unread |= unreadable
        return [self._values.here(model, row) for row in rows]

    def ids(self, env: Env, model: str) -> list[Key]:
        """List the keys of all records, archived ones too."""
        context = {**self._context, "active_test": False}
        try:
            return self._search(env, model, [], "id", None, 0, context)
        except AnswerCutError:
            return self._ids_in_parts(env, model, context)

    def _ids_in_parts(self, env: Env, model: str, context: Mapping[str, Any]) -> list[Key]:
        """List all keys in answers so short that they pass whatever cuts long ones.

        Raises:
            AnswerCutError: When not even one passes.
        """
        found: list[Key] = []
        size = _GROUP
        while True:
            after = [["id", ">", found[-1] if found else 0]]
            try:
                page = self._search(env, model, after, "id", size, 0, context)
            except AnswerCutError:
                if size == 1:
                    raise
                size //= 2
                continue
            found += page
            if len(page) < size:
                return found

    # -- context -----------------------------------------------------------------------

    def _usual(self, env: Env) -> dict[str, Any]:
        return self._context | {key: env.ctx[key] for key in _CONTEXT if key in env.ctx}

    def _searched(self, env: Env) -> dict[str, Any]:
        context = self._usual(env)
        if "active_test" in env.ctx:
            context["active_test"] = env.ctx["active_test"]
        return context


def _named(method: str, model: str, of: Sequence[Any], *, new: bool = False) -> str:
    """Say what a call is for: "write project.task(7)", "create 3 project.task"."""
    if len(of) > 1:
        return f"{method} {len(of)} {model}"
    return f"{method} {model}" if new else f"{method} {model}({of[0]!r})"
