"""Users, groups, companies, API keys."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isthmus.simulators.odoo import errors, orm
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Field, Row
from isthmus.simulators.odoo.model import Model, Rule

GROUPS = "res_groups_users_rel"
COMPANIES = "res_company_users_rel"
_OF_PARTNER = (
    ("char", "name", "Name"),
    ("char", "email", "Email"),
    ("selection", "lang", "Language"),
    ("selection", "tz", "Timezone"),
)


_OWN = tuple(name for _, name, _ in _OF_PARTNER)


def _from_partner(name: str) -> Any:
    return lambda env, row: env.rows("res.partner").get(row.get("partner_id") or 0, {}).get(name)


class Users(Model):
    """res.users. Who they are is kept in their partner, as in Odoo."""

    name = "res.users"
    label = "User"
    order = "login"
    acl = {"base.group_user": "r", "base.group_portal": "r", "base.group_erp_manager": "rwcu"}
    inverted = frozenset({"name", "email", "lang", "tz", "password"})
    search_names = ("name", "login")

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        groups = "group_ids" if self.release.major >= 19 else "groups_id"
        return (
            Field("many2one", "partner_id", "Related Partner", "res.partner", required=True),
            Field("char", "login", "Login", required=True),
            Field("char", "password", "Password", stored=False),
            Field("boolean", "active", "Active", default=True),
            Field("many2many", groups, "Groups", "res.groups", link=GROUPS, far_column="gid"),
            Field("boolean", "share", "Share User", readonly=True, stored=False,
                  compute=lambda env, row: not _is_internal(self, env, row)),
            Field("many2one", "company_id", "Company", "res.company", required=True),
            Field("many2many", "company_ids", "Companies", "res.company", link=COMPANIES, far_column="cid"),
            Field("one2many", "api_key_ids", "API Keys", "res.users.apikeys", inverse="user_id"),
            *(Field(kind, name, label, stored=False, compute=_from_partner(name),
                    path=f"partner_id.{name}")
              for kind, name, label in _OF_PARTNER),
        )  # fmt: skip

    def display_name(self, env: Environment, row: Row) -> Any:
        """Name a user as their partner."""
        return _from_partner("name")(env, row) or row.get("login") or ""

    def rule(self, env: Environment, operation: str) -> Rule | None:  # noqa: ARG002 - the same for all
        """Portal users see themselves."""
        uid = env.uid
        return None if "base.group_user" in env.groups else lambda row: row["id"] == uid

    def before_create(self, env: Environment, values: dict[str, Any]) -> dict[str, Any]:
        """Make the partner of a new user."""
        own: dict[str, Any] = {key: values.pop(key) for key in _OWN if key in values}
        if not values.get("partner_id"):
            own["name"] = own.get("name") or values.get("login")
            values["partner_id"] = orm.create(env.sudo(), env.registry["res.partner"], [own])[0]
        if not values.get("company_id"):
            values["company_id"] = env.company or min(env.rows("res.company"), default=False)
        values.setdefault("company_ids", [[6, 0, [values["company_id"]]]])
        return values

    def before_write(self, env: Environment, rows: Sequence[Row], values: dict[str, Any]) -> dict[str, Any]:
        """Write what belongs to the partner there."""
        own: dict[str, Any] = {key: values.pop(key) for key in _OWN if key in values}
        if own:
            partners = [row["partner_id"] for row in rows]
            orm.write(env.sudo(), env.registry["res.partner"], partners, own)
        return values

    def complete(self, env: Environment, row: Row, changed: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Keep the hash of a new password."""
        if changed.get("password"):
            row["secret"] = hashlib.sha256(str(changed["password"]).encode()).hexdigest()

    def check(self, env: Environment, row: Row, changed: Iterable[str]) -> None:
        """Refuse a login that another has.

        Raises:
            constraint: A ValidationError of the database.
        """
        others = (other for other in env.rows(self.name).values() if other["id"] != row["id"])
        if "login" in changed and any(other["login"] == row["login"] for other in others):
            raise errors.constraint("You can not have two users with the same login!")


def _is_internal(model: Model, env: Environment, row: Row) -> bool:
    field = model.fields.get("group_ids") or model.fields["groups_id"]
    groups = env.rows("res.groups")
    return any(groups[i]["xml_id"] == "base.group_user" for i in env.related(field, row["id"]))


class Groups(Model):
    """res.groups, with those that the simulator knows."""

    name = "res.groups"
    label = "Access Groups"
    order = "name"
    rec_name = "full_name"
    acl = {"base.group_user": "r", "base.group_erp_manager": "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        users = "user_ids" if self.release.major >= 19 else "users"
        return (
            Field("char", "name", "Name", required=True),
            Field("char", "full_name", "Group Name", readonly=True),
            Field("many2many", users, "Users", "res.users", link=GROUPS, flipped=True, far_column="uid"),
        )


class Company(Model):
    """res.company."""

    name = "res.company"
    label = "Companies"
    order = "sequence, name"
    acl = {"base.group_user": "r", "base.group_portal": "r", "base.group_erp_manager": "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "name", "Company Name", required=True),
            Field("boolean", "active", "Active", default=True, since=16),
            Field("integer", "sequence", "Sequence", default=10),
            Field("many2one", "partner_id", "Partner", "res.partner", required=True),
            Field("many2one", "parent_id", "Parent Company", "res.company"),
            Field("one2many", "child_ids", "Branches" if self.release.major >= 17 else "Child Companies",
                  "res.company", inverse="parent_id"),
            Field("many2many", "user_ids", "Accepted Users", "res.users", link=COMPANIES, flipped=True,
                  far_column="user_id"),
        )  # fmt: skip

    def rule(self, env: Environment, operation: str) -> Rule | None:  # noqa: ARG002 - the same for all
        """People see the companies they belong to."""
        companies = env.companies
        return None if "base.group_erp_manager" in env.groups else lambda row: row["id"] in companies

    def before_create(self, env: Environment, values: dict[str, Any]) -> dict[str, Any]:
        """Make the partner of a new company."""
        if not values.get("partner_id") and values.get("name"):
            own = {"name": values["name"], "is_company": True}
            values["partner_id"] = orm.create(env.sudo(), env.registry["res.partner"], [own])[0]
        return values

    def after_create(self, env: Environment, ids: Sequence[int]) -> None:
        """Let who makes a company be of it."""
        users = self.fields["user_ids"]
        for company in ids:
            env.database.link(env.transaction, users.link or "", env.uid, company, add=True)
        env.__dict__.pop("companies", None)


class ApiKeys(Model):
    """res.users.apikeys: names and ends of keys; the keys themselves cannot be read."""

    name = "res.users.apikeys"
    label = "Users API Keys"
    acl = {"base.group_user": "r", "base.group_portal": "r"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "name", "Description", required=True, readonly=True),
            Field("many2one", "user_id", "User", "res.users", required=True, readonly=True,
                  ondelete="cascade"),
            Field("char", "scope", "Scope", readonly=True),
            Field("datetime", "expiration_date", "Expiration Date", readonly=True, since=18),
        )  # fmt: skip

    def rule(self, env: Environment, operation: str) -> Rule | None:  # noqa: ARG002 - the same for all
        """People see their own keys."""
        uid = env.uid
        return lambda row: row.get("user_id") == uid
