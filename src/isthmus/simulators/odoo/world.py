"""The world of the simulator: one database of one Odoo, and every call on it."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from isthmus.clock import Clock, SystemClock
from isthmus.simulators.odoo import errors, keys, methods, starting_data
from isthmus.simulators.odoo.environment import SUPERUSER, Environment
from isthmus.simulators.odoo.errors import OdooError
from isthmus.simulators.odoo.model import Model
from isthmus.simulators.odoo.models import registry_for
from isthmus.simulators.odoo.release import Release
from isthmus.simulators.odoo.tables import Change, Database, Link, Table, Transaction

PROJECT_USER = ("base.group_user", "project.group_project_user")
INTERNAL_USER = ("base.group_user",)
PORTAL_USER = ("base.group_portal",)

Watcher = Callable[[Sequence[Change]], None]


class OdooWorld:
    """One Odoo database. Every call is one transaction; all calls go one after the other.

    >>> world = OdooWorld("18.0")
    >>> uid = world.authenticate("admin", "admin")
    >>> world.execute(uid, "project.project", "create", [{"name": "House"}])
    1
    >>> world.execute(uid, "project.project", "read", [[1], ["name", "type_ids"]])
    [{'id': 1, 'name': 'House', 'type_ids': []}]

    Args:
        version: Odoo's version: "14.0" to "20.0", or "saas~17.2".
        clock: Where the time comes from.
        database: The name of the database.

    Attributes:
        clock_offset: How wrong this server's clock is.
        models: The names of its models.
        watchers: Called after each commit with what it changed, in the thread of the call.
    """

    def __init__(self, version: str = "18.0", clock: Clock | None = None, database: str = "odoo") -> None:
        self.release = Release.parse(version)
        self.database = database
        self.clock = clock or SystemClock()
        self.clock_offset = timedelta(0)
        self.registry: dict[str, Model] = registry_for(self.release)
        self.models = frozenset(self.registry)
        self._data = Database()
        self._lock = threading.RLock()
        self.watchers: list[Watcher] = []
        self._failures: list[tuple[OdooError, str | None, str | None]] = []
        for model in self.registry.values():
            indexed = [
                field.name
                for field in model.columns
                if field.relation in self.registry and field.name not in {"create_uid", "write_uid"}
            ]
            indexed += ["name", "res_id"] if model.name == "ir.model.data" else []
            self._data.tables[model.name] = Table(model.name, indexed)
            for field in model.fields.values():
                if field.link:
                    self._data.links.setdefault(field.link, Link())
        starting_data.fill(self.environment(SUPERUSER))

    @property
    def version(self) -> str:
        """The version as the server tells it."""
        return self.release.name

    def now(self) -> datetime:
        """Tell the time by this server's clock, aware, in UTC."""
        return self.clock.now() + self.clock_offset

    # -- calls -------------------------------------------------------------------------

    def execute(
        self,
        uid: int,
        model: str,
        method: str,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a method, as `execute_kw` does: the IDs of a record method are its first argument.

        Returns:
            What JSON can carry; None if Odoo answers nothing.
        """
        with self._lock:
            transaction = Transaction(self._moment())
            try:
                result = self._call(transaction, uid, model, method, args, kwargs or {})
            except BaseException:
                self._data.undo(transaction)
                raise
        self._committed(transaction)
        return result

    def execute_named(
        self, uid: int, model: str, method: str, ids: Sequence[int], params: dict[str, Any]
    ) -> Any:
        """Call a method, as JSON-2 does: by named parameters; IDs are for record methods only."""
        known = self.registry.get(model)
        records = known is not None and methods.kind_of(self.environment(uid), known, method) == "record"
        return self.execute(uid, model, method, [list(ids)] if records else [], params)

    def _call(
        self,
        transaction: Transaction,
        uid: int,
        model: str,
        method: str,
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        self._fail_if_planned(model, method)
        known = self.registry.get(model)
        if known is None:
            raise errors.user_error(f"Object {model} doesn't exist", kind="model")
        options = dict(kwargs)
        env = self.environment(uid, options.pop("context", None) or {}, transaction)
        language = env.context.get("lang")
        languages = self._data.tables["res.lang"].rows.values()
        if language and not any(row["code"] == language and row["active"] for row in languages):
            raise errors.user_error(f"Invalid language code: {language}")
        if env.context.get("allowed_company_ids"):
            _ = env.companies
        return methods.call(env, known, method, list(args), options)

    def _committed(self, transaction: Transaction) -> None:
        changes = list(transaction.changes.values())
        if changes:
            for watcher in tuple(self.watchers):
                watcher(changes)

    def _moment(self) -> datetime:
        return self.now().astimezone(UTC).replace(tzinfo=None)

    def environment(
        self, uid: int, context: dict[str, Any] | None = None, transaction: Transaction | None = None
    ) -> Environment:
        """Make what methods work in."""
        return Environment(
            self.release,
            self.registry,
            self._data,
            transaction or Transaction(self._moment()),
            uid,
            context or {},
        )

    # -- people ------------------------------------------------------------------------

    def authenticate(self, login: str, secret: str) -> int | None:
        """Check a login with its password or an API key of its user."""
        with self._lock:
            env = self.environment(SUPERUSER)
            for row in env.rows("res.users").values():
                if row["login"] == login:
                    return int(row["id"]) if keys.check_secret(env, row["id"], secret) else None
        return None

    def check(self, uid: int, secret: str) -> None:
        """Check what every call of `execute_kw` brings.

        Raises:
            access_denied: If the proof is wrong.
            missing: If a record is not there.
        """
        with self._lock:
            env = self.environment(SUPERUSER)
            if uid not in env.rows("res.users"):
                raise errors.missing("res.users", [uid], uid)
            if not keys.check_secret(env, uid, secret):
                raise errors.access_denied()

    def uid_of(self, login: str) -> int | None:
        """Find a user by their login."""
        rows = self._data.tables["res.users"].rows
        return next((uid for uid, row in tuple(rows.items()) if row["login"] == login), None)

    def login_of(self, uid: int) -> str | None:
        """Find the login of a user."""
        row = self._data.tables["res.users"].rows.get(uid)
        return None if row is None else str(row["login"])

    def user_of_key(self, key: str, scope: str = "rpc") -> int | None:
        """Find whose API key it is; None if it is wrong, ended or for something else."""
        with self._lock:
            return keys.owner(self.environment(SUPERUSER), key, scope)

    def make_key(
        self, uid: int, name: str = "key", scope: str | None = "rpc", *, days: float | None = None
    ) -> str:
        """Make an API key that ends after so many days, or never."""
        end = None if days is None else self._moment() + timedelta(days=days)
        with self._lock:
            return keys.make_key(self.environment(SUPERUSER), uid, name, scope, end)

    def add_user(self, login: str, password: str, groups: Iterable[str] = PROJECT_USER, **values: Any) -> int:
        """Add a person; *groups* are external names: PROJECT_USER, INTERNAL_USER, PORTAL_USER, others."""
        with self._lock:
            env = self.environment(SUPERUSER)
            company = min(env.rows("res.company"))
            return starting_data.make_user(
                env, login, groups, {"password": password, "company_id": company} | values
            )

    # -- tests' hooks ------------------------------------------------------------------

    def fail_next(
        self, error: OdooError | None = None, *, model: str | None = None, method: str | None = None
    ) -> None:
        """Let the next call fail; by default as two transactions that meet in one row do."""
        self._failures.append((error or errors.serialization_failure(), model, method))

    def _fail_if_planned(self, model: str, method: str) -> None:
        for failure in self._failures:
            error, wanted_model, wanted_method = failure
            if wanted_model in {None, model} and wanted_method in {None, method}:
                self._failures.remove(failure)
                raise error

    def begin(self) -> "LongTransaction":
        """Begin a transaction whose writes are seen only at its end, dated by its beginning."""
        return LongTransaction(self)


class LongTransaction:
    """A transaction of several calls, as a long job inside Odoo has; leaving the block commits.

    >>> world = OdooWorld("18.0")
    >>> with world.begin() as late:
    ...     made = late.execute(2, "project.project", "create", [{"name": "late"}])
    ...     before = world.execute(2, "project.project", "search_count", [[]])
    >>> before, world.execute(2, "project.project", "search_count", [[]])
    (0, 1)
    """

    def __init__(self, world: OdooWorld) -> None:
        self._world = world
        self._transaction = Transaction(world._moment())

    def __enter__(self) -> "LongTransaction":
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is None:
            self.commit()

    def execute(
        self,
        uid: int,
        model: str,
        method: str,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a method within the transaction; what it writes is not seen outside yet."""
        world = self._world
        with world._lock:
            self._redo()
            try:
                return world._call(self._transaction, uid, model, method, args, kwargs or {})
            finally:
                self._hide()

    def commit(self) -> None:
        """Let everybody see it."""
        with self._world._lock:
            self._redo()
        self._world._committed(self._transaction)

    def _redo(self) -> None:
        if not self._world._data.redo(self._transaction):
            raise errors.serialization_failure()

    def _hide(self) -> None:
        data, done = self._world._data, self._transaction
        kept = Transaction(done.start, list(done.rows), list(done.links), done.changes)
        data.undo(done)
        self._transaction = kept
