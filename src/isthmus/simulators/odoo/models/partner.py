"""Partners and their categories."""

from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import available_timezones

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Field, Row
from isthmus.simulators.odoo.model import Model, Rule
from isthmus.simulators.odoo.models.hierarchy import check_no_cycle

CATEGORIES = "res_partner_res_partner_category_rel"
_TYPES = (
    ("contact", "Contact"),
    ("invoice", "Invoice Address"),
    ("delivery", "Delivery Address"),
    ("other", "Other Address"),
)
_INTERNAL = {"base.group_user": "r", "base.group_portal": "r"}


class Partner(Model):
    """res.partner."""

    name = "res.partner"
    label = "Contact"
    search_names = ("complete_name", "email", "ref", "vat")
    acl = {**_INTERNAL, "base.group_partner_manager": "rwcu"}
    inverted = frozenset({"company_type"})

    @property
    def order(self) -> str:  # type: ignore[override]
        """The order: by the name with its company's."""
        return "complete_name ASC, id DESC" if self.release.major >= 17 else "display_name"

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        zones = tuple((zone, zone) for zone in sorted(available_timezones()) if "/" in zone or zone == "UTC")
        fields = [
            Field("char", "name", "Name"),
            Field("char", "complete_name", "Complete Name", readonly=True, since=17),
            Field("many2one", "parent_id", "Related Company", "res.partner"),
            Field("one2many", "child_ids", "Contact", "res.partner", inverse="parent_id"),
            Field("char", "ref", "Reference"),
            Field("selection", "lang", "Language", default=lambda env: env.context.get("lang") or "en_US"),
            Field("selection", "tz", "Timezone", selection=zones,
                  default=lambda env: env.context.get("tz") or None),
            Field("many2one", "user_id", "Salesperson", "res.users"),
            Field("char", "vat", "Tax ID"),
            Field("char", "website", "Website Link"),
            Field("html", "comment", "Notes"),
            Field("many2many", "category_id", "Tags", "res.partner.category", link=CATEGORIES,
                  far_column="category_id"),
            Field("boolean", "active", "Active", default=True),
            Field("char", "function", "Job Position"),
            Field("selection", "type", "Address Type", selection=_TYPES, default="contact"),
            Field("char", "street", "Street"),
            Field("char", "street2", "Street2"),
            Field("char", "zip", "Zip"),
            Field("char", "city", "City"),
            Field("many2one", "country_id", "Country", "res.country", ondelete="restrict"),
            Field("float", "partner_latitude", "Geo Latitude"),
            Field("float", "partner_longitude", "Geo Longitude"),
            Field("char", "email", "Email"),
            Field("char", "phone", "Phone"),
            Field("char", "mobile", "Mobile", until=19),
            Field("boolean", "is_company", "Is a Company"),
            Field("selection", "company_type", "Company Type", stored=False,
                  selection=(("person", "Individual"), ("company", "Company")),
                  compute=_kind),
            Field("many2one", "company_id", "Company", "res.company"),
            Field("integer", "color", "Color Index"),
            Field("one2many", "user_ids", "Users", "res.users", inverse="partner_id"),
            Field("many2one", "commercial_partner_id", "Commercial Entity", "res.partner", readonly=True),
            Field("char", "company_name", "Company Name"),
            Field("char", "barcode", "Barcode"),
            # Of the module account, which the recorded samples had.
            Field("float", "credit_limit", "Credit Limit"),
            Field("binary", "image_1920", "Image", extra=(("attachment", True),)),
        ]  # fmt: skip
        fields.extend(
            Field("binary", f"image_{size}", f"Image {size}", readonly=True, stored=False, compute=_image)
            for size in (1024, 512, 256, 128)
        )
        return fields

    def display_name(self, env: Environment, row: Row) -> Any:
        """Name a contact after its company."""
        name = row.get("name") or ""
        if not name and row.get("type") in {"invoice", "delivery", "other"}:
            name = dict(_TYPES)[row["type"]]
        parent = row.get("parent_id")
        if parent and not row.get("is_company"):
            company = env.rows(self.name).get(parent, {}).get("name")
            return f"{company}, {name}" if company else name
        return name

    def rule(self, env: Environment, operation: str) -> Rule | None:  # noqa: ARG002 - the same for all
        """Keep to the companies; portal users see themselves."""
        companies, own = env.companies, env.user.get("partner_id")
        if "base.group_user" not in env.groups:
            return lambda row: row["id"] == own
        return lambda row: row.get("company_id") is None or row["company_id"] in companies

    def before_create(self, env: Environment, values: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Read the company type as what it stands for."""
        return _company_type(values)

    def before_write(self, env: Environment, rows: Any, values: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Read the company type as what it stands for."""
        return _company_type(values)

    def complete(self, env: Environment, row: Row, changed: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Compute the columns that follow from others."""
        if "complete_name" in self.fields:
            row["complete_name"] = self.display_name(env, row) or None
        parent = env.rows(self.name).get(row.get("parent_id") or 0)
        if parent is None or row.get("is_company"):
            row["commercial_partner_id"] = None
        else:
            row["commercial_partner_id"] = parent.get("commercial_partner_id") or parent["id"]

    def check(self, env: Environment, row: Row, changed: Iterable[str]) -> None:
        """Refuse a circle, a contact without a name, and a barcode that another has.

        Raises:
            validation_error: A ValidationError.
        """
        if "parent_id" in changed:
            check_no_cycle(env, self, row, "You cannot create recursive Partner hierarchies.")
        if row.get("type") == "contact" and row.get("name") is None:
            error = errors.constraint("Contacts require a name")
            error.loading = {"message": "'Contacts require a name'"}
            raise error
        code = row.get("barcode")
        if code and "barcode" in changed:
            others = (r for r in env.rows(self.name).values() if r["id"] != row["id"])
            if any(other.get("barcode") == code for other in others):
                raise errors.validation_error("Another partner already has this barcode")
        if row["commercial_partner_id"] is None:
            env.database.put(
                env.transaction, self.name, row["id"], row | {"commercial_partner_id": row["id"]}
            )


class Category(Model):
    """res.partner.category."""

    name = "res.partner.category"
    label = "Partner Tags"
    order = "name, id"
    acl = {**_INTERNAL, "base.group_partner_manager": "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "name", "Name" if self.release.major >= 17 else "Tag Name", required=True),
            Field("integer", "color", "Color"),
            Field("many2one", "parent_id", "Parent Category", "res.partner.category", ondelete="cascade"),
            Field("one2many", "child_ids", "Child Tags", "res.partner.category", inverse="parent_id"),
            Field("boolean", "active", "Active", default=True),
            Field("many2many", "partner_ids", "Partners", "res.partner", link=CATEGORIES, flipped=True,
                  far_column="partner_id"),
        )  # fmt: skip

    def display_name(self, env: Environment, row: Row) -> Any:
        """Name a category with its parents."""
        names, rows, current = [row.get("name") or ""], env.rows(self.name), row
        while current.get("parent_id"):
            current = rows[current["parent_id"]]
            names.append(current.get("name") or "")
        return " / ".join(reversed(names))

    def check(self, env: Environment, row: Row, changed: Iterable[str]) -> None:
        """Refuse a circle."""
        if "parent_id" in changed:
            check_no_cycle(env, self, row, "You can not create recursive tags.")


def _kind(env: Environment, row: Row) -> str:  # noqa: ARG001 - computes a field
    return "company" if row.get("is_company") else "person"


def _image(env: Environment, row: Row) -> Any:  # noqa: ARG001 - computes a field
    # Odoo shrinks it; here each size is the image itself.
    return row.get("image_1920")


def _company_type(values: dict[str, Any]) -> dict[str, Any]:
    if "company_type" in values:
        values["is_company"] = values.pop("company_type") == "company"
    return values
