"""The commands that change a list of records."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Field
from isthmus.simulators.odoo.model import Model

_LINK_MODELS = {"project_task_user_rel": ("Personal Task Stage", "project.task.stage.personal")}
"""Links that are models too, which error texts then name."""

CREATE, UPDATE, DELETE, UNLINK, LINK, CLEAR, SET = range(7)


class Records(Protocol):
    """What commands do to other records: the module that runs them, which they cannot import."""

    def create(self, env: Environment, model: Model, many: Sequence[Any]) -> list[int]:
        """Create records."""
        ...

    def write(self, env: Environment, model: Model, ids: Sequence[int], given: Any) -> bool:
        """Write records."""
        ...

    def unlink(self, env: Environment, model: Model, ids: Sequence[int]) -> bool:
        """Delete records."""
        ...


def apply_commands(
    env: Environment, model: Model, record: int, field: Field, value: Any, records: Records
) -> None:
    """Change the list of one record.

    Raises:
        value_error: A ValueError, as Odoo's.
    """
    if value is None or value is False:
        commands: list[Any] = [[CLEAR]]
    elif isinstance(value, (list, tuple)):
        commands = list(value)
    else:
        raise errors.value_error(f"Wrong value for {model.name}.{field.name}: {value}")
    if commands and all(isinstance(c, int) and not isinstance(c, bool) for c in commands):
        commands = [[SET, 0, commands]]
    kind = _Many2many if field.link else _One2many
    changing = kind(env, record, field, records)
    for command in commands:
        if not isinstance(command, (list, tuple)) or not command:
            raise errors.value_error(f"Wrong value for {model.name}.{field.name}: {value}")
        padded = [*command, 0, 0]
        changing.apply(padded[0], padded[1], padded[2])


class _List:
    def __init__(self, env: Environment, record: int, field: Field, records: Records) -> None:
        self.env = env
        self.record = record
        self.field = field
        self.records = records
        self.comodel: Model = env.registry[field.relation or ""]

    def apply(self, code: int, other: Any, value: Any) -> None:
        """Do one command; Odoo leaves aside those it does not know."""
        if code == CREATE:
            self.create(value)
        elif code == UPDATE:
            self.records.write(self.env, self.comodel, [other], value)
        elif code == DELETE:
            self.records.unlink(self.env, self.comodel, [other])
        elif code == UNLINK:
            self.remove([other])
        elif code == LINK:
            self.add([other])
        elif code == CLEAR:
            self.remove(self.current())
        elif code == SET:
            wanted = list(value or ())
            self.remove([i for i in self.current() if i not in wanted])
            self.add(wanted)

    def current(self) -> Iterable[int]:
        """Give what is in the list, archived ones too."""
        return self.env.related(self.field, self.record)

    def create(self, values: Any) -> None:
        """Create a record in the list."""
        raise NotImplementedError

    def add(self, ids: Iterable[int]) -> None:
        """Put records into the list."""
        raise NotImplementedError

    def remove(self, ids: Iterable[int]) -> None:
        """Take records out of the list."""
        raise NotImplementedError


class _Many2many(_List):
    def create(self, values: Any) -> None:
        self.add(self.records.create(self.env, self.comodel, [values]))

    def add(self, ids: Iterable[int]) -> None:
        rows = self.env.rows(self.comodel.name)
        for other in ids:
            if other not in rows:
                column = self.field.far_column or f"{self.comodel.table}_id"
                label, model = _LINK_MODELS.get(self.field.link or "", ("Unknown", "unknown"))
                constraint = f"{self.field.link}_{column}_fkey"
                raise errors.foreign_key(label, model, constraint, self.env.release.major)
            self._pair(other, add=True)

    def remove(self, ids: Iterable[int]) -> None:
        for other in ids:
            self._pair(other, add=False)

    def _pair(self, other: int, *, add: bool) -> None:
        left, right = (other, self.record) if self.field.flipped else (self.record, other)
        self.env.database.link(self.env.transaction, self.field.link or "", left, right, add=add)


class _One2many(_List):
    @property
    def inverse(self) -> str:
        return self.field.inverse or ""

    def create(self, values: Any) -> None:
        self.records.create(self.env, self.comodel, [{**values, self.inverse: self.record}])

    def add(self, ids: Iterable[int]) -> None:
        there = set(self.current())
        self._write([i for i in ids if i not in there], self.record)

    def remove(self, ids: Iterable[int]) -> None:
        there = set(self.current())
        leaving = [i for i in ids if i in there]
        if self.comodel.fields[self.inverse].on_delete == "cascade":
            if leaving:
                self.records.unlink(self.env, self.comodel, leaving)
        else:
            self._write(leaving, False)

    def _write(self, ids: list[int], value: int | bool) -> None:
        if ids:
            self.records.write(self.env, self.comodel, ids, {self.inverse: value})
