"""A model: its fields, and what it does beside keeping rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Field, Row
from isthmus.simulators.odoo.release import Release

Rule = Callable[[Row], bool]

AUTOMATIC = frozenset({"id", "create_uid", "create_date", "write_uid", "write_date"})
"""Odoo writes these itself and ignores what it is given."""


class Model:
    """Subclass it per model; one instance serves one world.

    Attributes:
        name: Odoo's name of the model.
        label: What people call it.
        order: How records come when nobody says otherwise.
        rec_name: The field that names a record.
        class_name: The name of Odoo's class, which its TypeErrors show.
        acl: Per group what its members may do, of "r" (read), "w" (write), "c" (create), "u" (unlink).
        logged: Whether it keeps who created and wrote a record, and when.
        inverted: Fields without a column that may be written all the same.
    """

    name = ""
    label = ""
    order = "id"
    rec_name = "name"
    search_names: tuple[str, ...] = ()
    parent_field = "parent_id"
    acl: Mapping[str, str] = {}
    logged = True
    inverted: frozenset[str] = frozenset()

    def __init__(self, release: Release) -> None:
        self.release = release
        self.fields: dict[str, Field] = {}
        for field in (*self.declared(), *self._automatic()):
            if field.since <= release.major < field.until:
                self.fields.setdefault(field.name, field)
        self.columns = [field for field in self.fields.values() if field.column]
        self.writable = frozenset(
            name
            for name, field in self.fields.items()
            if name not in AUTOMATIC and (field.stored or name in self.inverted)
        )
        self.defaulted = [field for field in self.fields.values() if field.default is not None]
        self.references = [
            field
            for field in self.columns
            if field.relation and field.type == "many2one" and field.name not in AUTOMATIC
        ]
        self.mandatory = [field for field in self.columns if field.required and field.name != "id"]
        self.has_active = "active" in self.fields

    # -- declaration -------------------------------------------------------------------

    def declared(self) -> Iterable[Field]:
        """List the fields beside those that every model has."""
        return ()

    def _automatic(self) -> Iterable[Field]:
        yield Field("integer", "id", "ID", readonly=True)
        yield Field(
            "char", "display_name", "Display Name", readonly=True, stored=False, compute=self.display_name
        )
        if self.logged:
            yield Field("many2one", "create_uid", "Created by", "res.users", readonly=True)
            yield Field("datetime", "create_date", "Created on", readonly=True)
            yield Field("many2one", "write_uid", "Last Updated by", "res.users", readonly=True)
            yield Field("datetime", "write_date", "Last Updated on", readonly=True)

    @property
    def class_name(self) -> str:
        """The name of Odoo's class."""
        return "".join(part.capitalize() for part in self.name.replace("_", ".").split("."))

    @property
    def table(self) -> str:
        """The name of its table, which constraints show."""
        return self.name.replace(".", "_")

    # -- behaviour ---------------------------------------------------------------------

    def display_name(self, env: Environment, row: Row) -> Any:  # noqa: ARG002 - models override it
        """Name a record for people."""
        return row.get(self.rec_name) or ""

    def name_domain(self, name: str, operator: str) -> list[Any]:
        """Find by name, as `name_search` does."""
        names = self.search_names or (self.rec_name,)
        return ["|"] * (len(names) - 1) + [[field, operator, name] for field in names]

    def rule(self, env: Environment, operation: str) -> Rule | None:  # noqa: ARG002
        """Make the record rule for a person, or None if there is none."""
        return None

    def before_create(self, env: Environment, values: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Complete the values of a record to be."""
        return values

    def before_write(self, env: Environment, rows: Sequence[Row], values: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Complete or refuse what is written."""
        return values

    def complete(self, env: Environment, row: Row, changed: Mapping[str, Any]) -> None:
        """Set the columns of a new or changed row that follow from others."""

    def check(self, env: Environment, row: Row, changed: Iterable[str]) -> None:
        """Refuse a row that breaks a constraint of the model."""

    def after_create(self, env: Environment, ids: Sequence[int]) -> None:
        """Do what follows from new records."""

    def after_write(self, env: Environment, ids: Sequence[int], values: Mapping[str, Any]) -> None:
        """Do what follows from a write."""

    def before_unlink(self, env: Environment, ids: Sequence[int]) -> None:
        """Refuse a deletion, or do what goes with it."""
