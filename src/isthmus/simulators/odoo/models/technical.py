"""What Odoo keeps about itself: languages, countries, external IDs, models, fields, automation."""

from collections.abc import Iterable
from typing import Any

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Field, Row
from isthmus.simulators.odoo.model import Model

_EVERYBODY = {"base.group_user": "r", "base.group_portal": "r"}
_SYSTEM = "base.group_system"
_MANAGER = "base.group_erp_manager"


class Lang(Model):
    """res.lang."""

    name = "res.lang"
    label = "Languages"
    order = "active desc, name"
    acl = {**_EVERYBODY, _SYSTEM: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "name", "Name", required=True),
            Field("char", "code", "Locale Code", required=True),
            Field("char", "iso_code", "ISO code"),
            Field("char", "url_code", "URL Code", required=True),
            Field("boolean", "active", "Active"),
            Field("char", "date_format", "Date Format", required=True, default="%m/%d/%Y"),
            Field("char", "time_format", "Time Format", required=True, default="%H:%M:%S"),
        )


class Country(Model):
    """res.country, with some of the world's."""

    name = "res.country"
    label = "Country"
    order = "name"
    search_names = ("name",)
    acl = {**_EVERYBODY, "base.group_partner_manager": "rwcu", _SYSTEM: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "name", "Country Name", required=True),
            Field("char", "code", "Country Code", required=self.release.major >= 16),
            Field("integer", "phone_code", "Country Calling Code"),
        )


class ModelData(Model):
    """ir.model.data: external IDs."""

    name = "ir.model.data"
    label = "Model Data"
    order = "module, model, name"
    acl = {_MANAGER: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "module", "Module", required=True, default=""),
            Field("char", "name", "External Identifier", required=True),
            Field("char", "model", "Model Name", required=True),
            # Not a many2one, and yet looked up like one.
            Field("integer", "res_id", "Record ID"),
            Field("boolean", "noupdate", "Non Updatable"),
            Field("char", "complete_name", "Complete ID", readonly=True, stored=False,
                  compute=_complete_name),
            Field("char", "reference", "Reference", readonly=True, stored=False,
                  compute=_reference),
        )  # fmt: skip

    def display_name(self, env: Environment, row: Row) -> Any:
        """Name an external ID after its record."""
        known = row["model"] in env.registry
        name = env.name_of(row["model"], row["res_id"]) if known else ""
        return name or f"{row['module']}.{row['name']}"

    def check(self, env: Environment, row: Row, changed: Iterable[str]) -> None:
        """Refuse spaces, and a name that is taken.

        Raises:
            constraint: A ValidationError of the database.
        """
        if " " in row["name"]:
            error = errors.constraint("External IDs cannot contain spaces")
            error.loading = {
                "message": 'new row for relation "ir_model_data" violates check constraint '
                '"ir_model_data_name_nospaces"\n'
            }
            raise error
        if "name" in changed or "module" in changed:
            taken = [
                i
                for i in env.table(self.name).by("name", row["name"])
                if i != row["id"] and env.rows(self.name)[i]["module"] == row["module"]
            ]
            if taken:
                raise errors.constraint(
                    "You cannot have multiple records with the same external ID in the same module!"
                )


class IrModel(Model):
    """ir.model."""

    name = "ir.model"
    label = "Models"
    order = "model"
    acl = {_MANAGER: "r", _SYSTEM: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "name", "Model Description", required=True),
            Field("char", "model", "Model", required=True),
            Field("boolean", "transient", "Transient Model"),
            Field("one2many", "field_id", "Fields", "ir.model.fields", inverse="model_id"),
        )


class IrModelFields(Model):
    """ir.model.fields."""

    name = "ir.model.fields"
    label = "Fields"
    order = "name, id"
    rec_name = "field_description"
    acl = {_MANAGER: "r", _SYSTEM: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "name", "Field Name", required=True),
            Field("char", "model", "Model Name", required=True),
            Field("many2one", "model_id", "Model", "ir.model", required=True, ondelete="cascade"),
            Field("char", "field_description", "Field Label", required=True),
            Field("char", "ttype", "Field Type", required=True),
            Field("char", "relation", "Related Model"),
            Field("boolean", "required", "Required"),
            Field("boolean", "readonly", "Readonly"),
            Field("boolean", "store", "Stored"),
        )


class ConfigParameter(Model):
    """ir.config_parameter."""

    name = "ir.config_parameter"
    label = "System Parameter"
    order = "key"
    rec_name = "key"
    acl = {_SYSTEM: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "key", "Key", required=True),
            Field("text", "value", "Value", required=True),
        )


class ModelAccess(Model):
    """ir.model.access: there to be refused."""

    name = "ir.model.access"
    label = "Model Access"
    acl = {_MANAGER: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "name", "Name", required=True),
            Field("many2one", "model_id", "Model", "ir.model", required=True, ondelete="cascade"),
        )


class Automation(Model):
    """base.automation: rules that are kept; who listens to commits acts on them."""

    name = "base.automation"
    label = "Automation Rule"
    order = "sequence"
    acl = {_SYSTEM: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        triggers = (
            ("on_create_or_write", "On create and edit"),
            ("on_create", "On creation"),
            ("on_write", "On update"),
            ("on_unlink", "On deletion"),
            ("on_archive", "On archived"),
            ("on_unarchive", "On unarchived"),
            ("on_webhook", "On webhook"),
        )
        return (
            Field("char", "name", "Automation Rule Name", required=True),
            Field("integer", "sequence", "Sequence"),
            Field("boolean", "active", "Active", default=True),
            Field("many2one", "model_id", "Model", "ir.model", required=True, ondelete="cascade"),
            Field("selection", "trigger", "Trigger", required=True, selection=triggers),
            Field("char", "filter_domain", "Apply on"),
            Field("many2many", "trigger_field_ids", "Trigger Fields", "ir.model.fields",
                  link="base_automation_ir_model_fields_rel"),
            Field("one2many", "action_server_ids", "Actions", "ir.actions.server",
                  inverse="base_automation_id", since=17),
        )  # fmt: skip


class ServerAction(Model):
    """ir.actions.server: kept, not run."""

    name = "ir.actions.server"
    label = "Server Action"
    order = "sequence, name, id"
    acl = {_SYSTEM: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        states = (
            ("object_write", "Update Record"),
            ("object_create", "Create Record"),
            ("code", "Execute Code"),
            ("webhook", "Send Webhook Notification"),
            ("multi", "Execute Existing Actions"),
        )
        return (
            Field("char", "name", "Name", required=True),
            Field("integer", "sequence", "Sequence", default=5),
            Field("many2one", "model_id", "Model", "ir.model", required=True, ondelete="cascade"),
            Field("selection", "state", "Type", required=True, selection=states, default="object_write"),
            Field("char", "usage", "Usage", default="ir_actions_server"),
            Field("many2one", "base_automation_id", "Automation Rule", "base.automation", since=17,
                  ondelete="cascade"),
            Field("char", "webhook_url", "Webhook URL", since=17),
            Field("many2many", "webhook_field_ids", "Webhook Fields", "ir.model.fields", since=17,
                  link="ir_act_server_webhook_field_rel", far_column="field_id"),
        )  # fmt: skip


def _complete_name(env: Environment, row: Row) -> str:  # noqa: ARG001 - computes a field
    return f"{row['module']}.{row['name']}"


def _reference(env: Environment, row: Row) -> str:  # noqa: ARG001 - computes a field
    return f"{row['model']},{row['res_id']}"
