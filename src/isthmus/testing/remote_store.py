"""A store behind an API: the second implementation of the store seam, against `RemoteServer`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from isthmus.env import X2MANY, CreateSafety, Env, Field, Key, Record
from isthmus.env.domain import AllOf, check_order, check_paths, to_list
from isthmus.errors import (
    CredentialsError,
    FailError,
    InvalidDataError,
    IsthmusError,
    MissingRecordError,
    NetworkRetryableError,
    UnknownModelError,
)
from isthmus.http import HTTPClient, Timeout
from isthmus.store.odoo.feed import Feed, Row
from isthmus.store.odoo.wire import from_wire, to_wire
from isthmus.store.prefetch import Prefetch
from isthmus.testing.remote_faults import WRITES
from isthmus.testing.remote_wire import key_from_wire

_ERRORS: Final[Mapping[str, type[IsthmusError]]] = {
    "odoo.exceptions.MissingError": MissingRecordError,
    "odoo.exceptions.AccessError": CredentialsError,
    "odoo.exceptions.ValidationError": InvalidDataError,
    "psycopg2.errors.SerializationFailure": NetworkRetryableError,
}
"""What an error of the other side means here; all others fail the job."""

_GROUP: Final = 1_000
"""Records that are read together when one of them is looked at."""


class RemoteStore:
    """Records on a `RemoteServer`.

    Every call says so first (`Env.external_call`), so a transaction that has written refuses it. Reading a
    field of a record reads all fields of the records that were found with it, in one call.

    Args:
        url: Where the server is.
        models: Names of the models that live there.
        create_safety: What the server was started with.
        name: The store's name.
        timeout: How long to wait for an answer.
        lag: How long a transaction there may last; the change feed tells this window again.

    >>> import tempfile
    >>> from isthmus.testing.remote_server import RemoteServer
    >>> with tempfile.TemporaryDirectory() as folder, RemoteServer(f"sqlite:///{folder}/remote.db") as server:
    ...     with RemoteStore(server.url, ["project.project"]) as store:
    ...         store.fields("project.project")["description"].type
    'html'
    """

    transactional = False
    synchronous = False

    def __init__(
        self,
        url: str,
        models: Iterable[str],
        create_safety: CreateSafety | str = CreateSafety.NONE,
        *,
        name: str = "remote",
        timeout: timedelta = timedelta(seconds=10),
        lag: timedelta = timedelta(seconds=10),
    ) -> None:
        self.name = name
        self.create_safety = CreateSafety(create_safety)
        self._models = tuple(models)
        self._lag = lag
        self._prefetch = Prefetch(self, self._wanted)
        self._fields: dict[str, dict[str, Field]] = {}
        self._key_kinds: dict[str, str] = {}
        # One attempt each: whoever counts calls, or plans faults, wants to see each.
        self._http = HTTPClient(url, timeout=Timeout(read=timeout), repeats=0)

    def __enter__(self) -> "RemoteStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def place(self) -> str:
        """Say which store this is."""
        return f"the remote store {self.name!r}"

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    # -- description -------------------------------------------------------------------

    def models(self) -> Collection[str]:
        """List the names of the models that live here."""
        return self._models

    def fields(self, model: str) -> Mapping[str, Field]:
        """Tell a model's fields by name; asked of the server once.

        Raises:
            UnknownModelError: When no such model lives here.
        """
        if model not in self._fields:
            if model not in self._models:
                raise UnknownModelError(model, self._models)
            told = self._call("fields_get", model, {})
            kind = next((f["key"] for f in told.values() if "key" in f), "int")
            self._key_kinds[model] = kind
            self._fields[model] = {
                name: Field(
                    name=name,
                    type=f["type"],
                    relation=f["relation"],
                    required=f["required"],
                    readonly=f["readonly"],
                )
                for name, f in told.items()
            }
        return self._fields[model]

    def is_described(self, model: str) -> bool:
        """Tell whether the server was asked already."""
        return model in self._fields

    def key(self, model: str, text: str) -> Key:
        """Turn the text form of a key back into the key."""
        self.fields(model)
        return key_from_wire(self._key_kinds[model], text)

    # -- reading -----------------------------------------------------------------------

    def search(
        self, env: Env, model: str, domain: AllOf, *, order: str | None, limit: int | None, offset: int
    ) -> list[Key]:
        """Find keys, in order."""
        check_paths(model, domain, self.fields)
        check_order(model, order, self.fields(model))
        terms, context = to_list(domain), _context(env)
        return self._search(env, model, terms, order=order, limit=limit, offset=offset, context=context)

    def _search(
        self, env: Env, model: str, domain: list[Any], *, order: str | None, limit: int | None,
        offset: int = 0, context: Mapping[str, Any],
    ) -> list[Key]:  # fmt: skip
        env.external_call(f"search {model}")
        args = {"domain": domain, "order": order, "limit": limit, "offset": offset}
        found = self._call("search", model, args, context)
        return [self.key(model, key) for key in found]

    def search_count(self, env: Env, model: str, domain: AllOf) -> int:
        """Count what `search` would find."""
        check_paths(model, domain, self.fields)
        env.external_call(f"count {model}")
        return int(self._call("search_count", model, {"domain": to_list(domain)}, _context(env)))

    def read(self, env: Env, model: str, ids: Sequence[Key], fields: Sequence[str]) -> list[dict[str, Any]]:
        """Read values by one call, in the order of *ids*; missing records are left out."""
        if not ids:
            return []
        env.external_call(f"read {len(ids)} {model}" if len(ids) > 1 else f"read {model}({ids[0]!r})")
        rows = self._call("read", model, {"ids": list(ids), "fields": list(fields)})
        found = {row["id"]: row for row in self._rows(model, rows)}
        return [found[key] for key in ids if key in found]

    def _rows(self, model: str, rows: Iterable[dict[str, Any]]) -> list[Row]:
        described = self.fields(model)
        return [
            {"id": self.key(model, row.pop("id"))}
            | {name: self._value(described[name], row[name]) for name in row}
            for row in rows
        ]

    def _value(self, field: Field, value: Any) -> Any:
        value = from_wire(field, value)
        if field.relation not in self._models or value is None:
            return value
        if field.type in X2MANY:
            return [self.key(field.relation, key) for key in value]
        return self.key(field.relation, value)

    def get(self, record: Record, field: str) -> Any:
        """Read one field of one record, together with the records it was found with."""
        return self._prefetch.get(record, field)

    def _wanted(self, model: str, field: str) -> list[str]:
        """Tell what to read with a field: all plain ones, or just this one."""
        described = self.fields(model).values()
        usual = [f.name for f in described if f.type not in X2MANY and f.type != "binary"]
        return usual if field in usual else [field]

    # -- writing -----------------------------------------------------------------------

    def set(self, record: Record, field: str, value: Any) -> None:  # noqa: ARG002 - the seam's signature
        """Refuse an assignment: each would be a call of its own."""
        self._prefetch.set(record, field)

    def create(self, env: Env, model: str, values: Sequence[Mapping[str, Any]]) -> list[Key]:
        """Create records by one call."""
        return self._create(env, model, values, None)

    def create_keyed(
        self, env: Env, model: str, values: Sequence[Mapping[str, Any]], keys: Sequence[str]
    ) -> list[Key]:
        """Create records, each with a key of ours, as the create safety says.

        Raises:
            ValueError: When there is not one key per record.
        """
        if len(keys) != len(values):
            raise ValueError(f"{len(values)} records of {model} need as many keys, not {len(keys)}")
        return self._create(env, model, values, None if self.create_safety is CreateSafety.NONE else keys)

    def _create(
        self, env: Env, model: str, values: Sequence[Mapping[str, Any]], keys: Sequence[str] | None
    ) -> list[Key]:
        if not values:
            return []
        args: dict[str, Any] = {"values": list(values)}
        if keys is not None:
            args["keys"] = list(keys)
        env.external_call(f"create {len(values)} {model}" if len(values) > 1 else f"create {model}")
        made = self._call("create", model, args)
        return [self.key(model, key) for key in made]

    def write(self, env: Env, model: str, ids: Sequence[Key], values: Mapping[str, Any]) -> None:
        """Write the same values to records by one call."""
        self._change(env, "write", model, ids, {"values": dict(values)})

    def unlink(self, env: Env, model: str, ids: Sequence[Key]) -> None:
        """Delete records by one call."""
        self._change(env, "unlink", model, ids, {})

    def _change(self, env: Env, method: str, model: str, ids: Sequence[Key], args: dict[str, Any]) -> None:
        if not ids:
            return
        one = f"{model}({ids[0]!r})"
        env.external_call(f"{method} {len(ids)} {model}" if len(ids) > 1 else f"{method} {one}")
        try:
            self._call(method, model, {"ids": list(ids), **args})
        finally:
            # Also after an unknown outcome.
            self._prefetch.forget(env)

    # -- what a create of unknown outcome has made -------------------------------------

    def find_created(
        self, env: Env, model: str, key: str, values: Mapping[str, Any], since: datetime  # noqa: ARG002 - found by key
    ) -> list[Key]:  # fmt: skip
        """Look for what a create of unknown outcome has made.

        Raises:
            NotImplementedError: When the create safety is ``none``.
        """
        if self.create_safety is CreateSafety.NONE:
            raise NotImplementedError(f"store {self.name!r} cannot look for what a create has made")
        env.external_call(f"look for {model} created as {key}")
        found = self._call("find_keys", model, {"keys": [key]})
        return [self.key(model, i) for i in found.get(key, ())]

    def creation_keys(self, env: Env, model: str, ids: Sequence[Key]) -> dict[Key, str]:
        """Tell which of these records were made with a key of ours."""
        if self.create_safety is CreateSafety.NONE or not ids:
            return {}
        env.external_call(f"read the creation keys of {len(ids)} {model}")
        return {self.key(model, i): key for i, key in self._call("keys_of", model, {"ids": list(ids)})}

    # -- change feed -------------------------------------------------------------------

    def mark_now(self, env: Env, model: str) -> Any:
        """Give the mark from which on only later changes (and the lag window) are told."""
        return self._feed(env, model, ()).mark_now()

    def changes(
        self, env: Env, model: str, since: Any, limit: int, fields: Sequence[str]
    ) -> tuple[list[dict[str, Any]], Any]:
        """Read the next changes with their values, oldest first; fewer than *limit* end the walk."""
        return self._feed(env, model, fields).page(since, limit)

    def _feed(self, env: Env, model: str, fields: Sequence[str]) -> Feed:
        wanted = list(dict.fromkeys(("write_date", *fields)))

        def search(domain: list[Any], order: str, limit: int) -> list[Row]:
            env.external_call(f"look for changes of {model}")
            args = {"domain": domain, "order": order, "limit": limit, "fields": wanted}
            return self._rows(model, self._call("search_read", model, args, {"active_test": False}))

        return Feed(search, lag=self._lag, now=env.now)

    def ids(self, env: Env, model: str) -> list[Key]:
        """List the keys of all records, archived ones too."""
        return self._search(env, model, [], order="id", limit=None, context={"active_test": False})

    # -- wire --------------------------------------------------------------------------

    def _call(
        self, method: str, model: str, args: Mapping[str, Any], context: Mapping[str, Any] | None = None
    ) -> Any:
        """Make one call.

        Raises:
            UnknownModelError: When the server does not know the model.
            IsthmusError: What the server tells (see `_ERRORS`), and what becomes of a broken connection.
        """  # noqa: DOC502 - raised by what is called
        what = f"{method} {model}"
        body = {"model": model, "method": method, "args": _args(args), "context": dict(context or {})}
        answer = self._http.request_object(
            "POST", "/call", what=what, json=body, idempotent=method not in WRITES
        )
        if "error" not in answer:
            return answer.get("result")
        told = answer["error"]["data"]
        if told["name"] == "builtins.KeyError":
            raise UnknownModelError(model, ())
        error: IsthmusError = _ERRORS.get(told["name"], FailError)(f"cannot {what}: {told['message']}")
        raise error


def _args(args: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if value is None else to_wire(value) for name, value in args.items()}


def _context(env: Env) -> dict[str, Any]:
    return {name: env.ctx[name] for name in ("active_test", "lang", "tz") if name in env.ctx}
