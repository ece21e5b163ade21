"""Writing to our side: in one transaction where our store has them, by effects where it has not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import Any

from isthmus.component import WorkContext
from isthmus.env import Env
from isthmus.errors import (
    AmbiguousOutcomeError,
    FailError,
    HiddenRecordError,
    ParkError,
    PhaseError,
    TransactionError,
)
from isthmus.store.sql import DATA_ERRORS
from isthmus.sync.claims import Claims
from isthmus.sync.ending import Ending, is_plain
from isthmus.sync.item import WRITE, Item, Operation, Ref
from isthmus.sync.park import ask, park
from isthmus.sync.remote import RemoteCalls, resolved
from isthmus.sync.report import Report
from isthmus.sync.sibling import wake_siblings
from isthmus.sync.sight import read_visible


class OurSide:
    """Carries out the operations of one import page.

    Args:
        work: The page's work.
        importer: Gives the record importer of a binding model.
        claims: The leases that must hold until the commit.
        report: Counts.
    """

    def __init__(
        self, work: WorkContext, importer: Callable[[str], Any], claims: Claims, report: Report
    ) -> None:
        self._work = work
        self._env: Env = work.env
        self._backend = work.collection
        self._backend_id: int = self._backend.id
        self._importer = importer
        self._claims = claims
        self._report = report
        self._remote = RemoteCalls(work, importer, claims)
        self._ending = Ending(self._env, self._backend_id, importer, report)

    # -- reading -----------------------------------------------------------------------

    @staticmethod
    def read(
        env: Env, records: Any, ids: Sequence[Any], fields: Sequence[str]
    ) -> tuple[list[dict[str, Any]], dict[Any, HiddenRecordError]]:
        """Read values to merge with; rows of a transactional store are locked until its end.

        Returns:
            The rows, and for each record that is hidden from us the error that says so.
        """
        if ids and records.store.transactional:
            return records.store.read(env, records.name, ids, fields, lock=True), {}
        return read_visible(records, ids, fields)

    # -- writing -----------------------------------------------------------------------

    def carry_out(
        self,
        operations: list[Operation],
        *,
        parked: list[tuple[Item, Exception]],
        late: list[Item],
        seen: Sequence[Item] = (),
        cursor: Callable[[], None] | None,
    ) -> None:
        """Write a page, with its bindings, images, journal, checkpoints and cursor, and commit it."""
        made: dict[Ref, Any] = {}
        operations = sorted(operations, key=_batch)
        here = {m for m in {o.item.model for o in operations} if self._store(m).transactional}
        local = [o for o in operations if o.item.model in here]
        remote = self._remote.call([o for o in operations if o.item.model not in here], made, parked, late)
        with self._env.context(connector_no_export=True), self._env.in_phase(WRITE):
            done = self._write(local, lambda some: self._apply(some, made), parked)
            # Those that cannot be written down keep their effects open: they have been done.
            done += self._write(remote, self._ending.finish, parked)
            self._wake(done)
            for item, error in parked:
                self._park(item, error)
            for item in late:
                self._delay(item)
            self._ending.settle_seen(seen)
            if cursor is not None and self._remote.failure is None:
                cursor()
            self._claims.settle()
        with self._env.outside():  # the page is committed here, before anything slow happens again
            if self._remote.failure is not None:
                raise self._remote.failure

    def _store(self, model: str) -> Any:
        return self._env[self._importer(model).record_model].store

    def _park(self, item: Item, error: Exception) -> None:
        self._report.done["parked"] += 1
        if isinstance(error, AmbiguousOutcomeError):
            ask(self._env, self._backend_id, next(i for i in item.pending if i.kind == "create"), error)
        else:
            park(self._env, self._backend_id, item, error, direction="import")

    def _delay(self, item: Item) -> None:
        self._report.done["delayed"] += 1
        model = self._env[item.model]
        wait = max(self._backend.lease_time / 4, timedelta(milliseconds=10))
        if item.pending:
            wait = max(wait, self._backend.quiet_time)
        model.with_delay(
            identity_key=f"import/{item.model}/{self._backend_id}/{item.external_id}", eta=wait
        ).import_record(self._backend, item.external_id)

    def _wake(self, done: Sequence[Operation]) -> None:
        written = (o for o in done if o.kind in {"write", "archive"})
        for model, same in groupby(written, key=lambda o: o.item.model):
            operations = list(same)
            but = {(model, o.item.binding.id) for o in operations if o.item.binding}
            record_model = self._importer(model).record_model
            wake_siblings(self._env, record_model, [o.record_id for o in operations], but)

    # -- our own database --------------------------------------------------------------

    def _write(
        self,
        operations: list[Operation],
        apply: Callable[[list[Operation]], object],
        parked: list[tuple[Item, Exception]],
    ) -> list[Operation]:
        """Write under one savepoint; halve when it fails, until the bad record is alone.

        Args:
            operations: What to write.
            apply: Writes some of them.
            parked: Gets the bad ones.

        Raises:
            TransactionError: When the transaction itself is at fault.
            PhaseError: When a step is.
        """
        if not operations:
            return []
        before, counted = [_Before(o) for o in operations], self._report.done.copy()
        try:
            with self._env.savepoint():
                apply(operations)
        except (TransactionError, PhaseError):
            raise
        except (ParkError, FailError, *DATA_ERRORS) as error:
            # What is undone in the database must not be left in memory: keys may go to other records now.
            self._report.done = counted
            for state in before:
                state.restore()
            if len(operations) == 1:
                parked.append((operations[0].item, error))
                return []
            middle = len(operations) // 2
            return [
                *self._write(operations[:middle], apply, parked),
                *self._write(operations[middle:], apply, parked),
            ]
        return operations

    def _apply(self, operations: list[Operation], made: dict[Ref, Any]) -> None:
        new = dict(made)
        for (_level, model, kind), same in groupby(operations, key=_batch):
            importer, batch = self._importer(model), list(same)
            for operation in batch:
                operation.values = resolved(operation, new)
                importer._before_import(operation)
            if kind == "create":
                self._create(importer, batch)
                new.update({Ref(model, str(o.item.external_id)): o.record_id for o in batch})
            elif kind in {"write", "archive"}:
                self._update(importer, batch)
            elif kind == "delete":
                self._env[importer.record_model].unlink([o.record_id for o in batch])
        self._ending.finish(operations)
        self._env.flush()
        made.update(new)

    def _create(self, importer: Any, batch: list[Operation]) -> None:
        records = self._env[importer.record_model]
        if is_plain(importer, "_create"):
            for operation, record in zip(batch, records.create([o.values for o in batch]), strict=True):
                operation.record_id = record.id
        else:
            for operation in batch:
                operation.record_id = importer._create(operation)

    def _update(self, importer: Any, batch: list[Operation]) -> None:
        records = self._env[importer.record_model]
        loaded = records.store.load(self._env, records.name, [o.record_id for o in batch])
        for operation in batch:
            importer._update(operation)
        self._env.flush()
        del loaded  # kept until here so that each write finds its instance


class _Before:
    """What an operation and its binding were before a try to write them."""

    __slots__ = ("_binding", "_operation", "_record_id", "_values")

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._values, self._record_id = operation.values, operation.record_id
        row = operation.item.binding
        self._binding = None if row is None else replace(row)

    def restore(self) -> None:
        """Put it back."""
        self._operation.values, self._operation.record_id = self._values, self._record_id
        self._operation.item.binding = self._binding


def _batch(operation: Operation) -> tuple[int, str, str]:
    """Tell what may be written together: what needs nothing of each other, in the same way."""
    return (operation.item.level, operation.item.model, operation.kind)
