"""Who acts, in which context and transaction: what every method of a model gets."""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.fields import Field, Row
from isthmus.simulators.odoo.release import Release
from isthmus.simulators.odoo.tables import Database, Table, Transaction

SUPERUSER = 1


class Environment:
    """One call's view of the world.

    Attributes:
        uid: Who calls.
        su: Whether access rights are left aside.
        context: The context that was given.
    """

    def __init__(
        self,
        release: Release,
        registry: Mapping[str, Any],
        database: Database,
        transaction: Transaction,
        uid: int,
        context: Mapping[str, Any],
        *,
        su: bool = False,
    ) -> None:
        self.release = release
        self.registry = registry
        self.database = database
        self.transaction = transaction
        self.uid = uid
        self.su = su or uid == SUPERUSER
        self.context = dict(context)

    def sudo(self) -> "Environment":
        """Give the same with all rights."""
        return self if self.su else self._superuser

    def with_context(self, **context: Any) -> "Environment":
        """Give the same with more context."""
        return self._with(self.context | context, su=self.su)

    def _with(self, context: Mapping[str, Any], *, su: bool) -> "Environment":
        return Environment(
            self.release, self.registry, self.database, self.transaction, self.uid, context, su=su
        )

    @cached_property
    def _superuser(self) -> "Environment":
        return self._with(self.context, su=True)

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """The context's defaults, by field."""
        prefix = "default_"
        return {
            key.removeprefix(prefix): value for key, value in self.context.items() if key.startswith(prefix)
        }

    # -- who ---------------------------------------------------------------------------

    @property
    def user(self) -> Row:
        """The row of who calls."""
        return self.rows("res.users").get(self.uid, {})

    @cached_property
    def groups(self) -> frozenset[str]:
        """The external names of all groups of who calls, implied ones too."""
        names = self.rows("res.groups")
        field = (
            self.registry["res.users"].fields.get("group_ids")
            or self.registry["res.users"].fields["groups_id"]
        )
        return frozenset(names[group]["xml_id"] for group in self.related(field, self.uid))

    @cached_property
    def companies(self) -> frozenset[int]:
        """The companies whose records may be seen.

        Raises:
            access_error: If the person may not.
        """
        field = self.registry["res.users"].fields["company_ids"]
        theirs = frozenset(self.related(field, self.uid))
        asked = self.context.get("allowed_company_ids")
        if not asked:
            return theirs
        if not theirs.issuperset(asked):
            raise errors.access_error("Access to unauthorized or invalid companies.")
        return frozenset(asked)

    @property
    def company(self) -> int | None:
        """The company that new records get."""
        asked = self.context.get("allowed_company_ids")
        return asked[0] if asked else self.user.get("company_id")

    @cached_property
    def timezone(self) -> tzinfo | None:
        """The zone of what people type."""
        name = self.context.get("tz") or self.person.get("tz")
        try:
            return ZoneInfo(name) if name else None
        except (KeyError, ValueError, OSError):
            return None

    @property
    def person(self) -> Row:
        """The partner of who calls."""
        return self.rows("res.partner").get(self.user.get("partner_id") or 0, {})

    @property
    def active_test(self) -> bool:
        """Whether archived records are left out."""
        return bool(self.context.get("active_test", True))

    # -- what --------------------------------------------------------------------------

    def table(self, model: str) -> Table:
        """Give a model's table."""
        return self.database.tables[model]

    def rows(self, model: str) -> dict[int, Row]:
        """Give a model's rows."""
        return self.database.tables[model].rows

    def related(self, field: Field, record: int) -> Iterable[int]:
        """Give the IDs in a list of a record, archived ones too, in no order."""
        if field.link:
            return self.database.links[field.link].of(record, flipped=field.flipped)
        if field.inverse and field.relation:
            return self.table(field.relation).by(field.inverse, record)
        return ()

    def name_of(self, model: str, record: int) -> str:
        """Name a record for people, whoever may see it."""
        row = self.rows(model).get(record)
        return str(self.registry[model].display_name(self.sudo(), row)) if row is not None else ""
