"""Projects, their stages and their tags."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isthmus.simulators.odoo import errors, orm
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Field, Row
from isthmus.simulators.odoo.model import Model, Rule

STAGES = "project_task_type_rel"
PROJECT_TAGS = "project_project_project_tags_rel"
TASK_TAGS = "project_tags_project_task_rel"

_MANAGER = "project.group_project_manager"
_USER = "project.group_project_user"


class Project(Model):
    """project.project."""

    name = "project.project"
    label = "Project"
    order = "sequence, name, id"
    acl = {
        "base.group_user": "r",
        "base.group_portal": "r",
        _USER: "r",
        _MANAGER: "rwcu",
        "base.group_partner_manager": "",
    }

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        visibility = (
            ("followers", "Invited internal users (private)"),
            ("employees", "All internal users"),
            ("portal", "Invited portal users and all internal users (public)"),
        )
        company_required = self.release.major <= 16
        return (
            Field("char", "name", "Name", required=True),
            Field("html", "description", "Description"),
            Field("boolean", "active", "Active", default=True),
            Field("integer", "sequence", "Sequence", default=10),
            Field("many2one", "partner_id", "Customer", "res.partner"),
            Field(
                "many2one",
                "company_id",
                "Company",
                "res.company",
                required=company_required,
                default=(lambda env: env.company) if company_required else None,
            ),
            Field("many2one", "user_id", "Project Manager", "res.users", default=lambda env: env.uid),
            Field("selection", "privacy_visibility", "Visibility", required=True, selection=visibility,
                  default="portal"),
            Field("char", "label_tasks", "Use Tasks as", default="Tasks"),
            Field("integer", "color", "Color Index"),
            Field("date", "date_start", "Start Date"),
            Field("date", "date", "Expiration Date"),
            Field("many2many", "type_ids", "Tasks Stages", "project.task.type", link=STAGES,
                  far_column="type_id"),
            Field("many2many", "tag_ids", "Tags", "project.tags", link=PROJECT_TAGS, since=15),
            Field("one2many", "tasks", "Task Activities", "project.task", inverse="project_id"),
            Field("one2many", "task_ids", "Tasks", "project.task", inverse="project_id"),
            Field("integer", "task_count", "Task Count", readonly=True, stored=False,
                  compute=lambda env, row: len(env.related(self.fields["tasks"], row["id"]))),
        )  # fmt: skip

    def rule(self, env: Environment, operation: str) -> Rule | None:  # noqa: ARG002 - the same for all
        """Keep to the companies; portal users see only what they are invited to, here nothing."""
        companies = env.companies
        if "base.group_user" not in env.groups:
            return lambda row: False  # noqa: ARG005
        if _MANAGER in env.groups:
            return lambda row: row.get("company_id") is None or row["company_id"] in companies
        return lambda row: (
            (row.get("company_id") is None or row["company_id"] in companies)
            and (row.get("privacy_visibility") != "followers" or row.get("user_id") == env.uid)
        )

    def after_write(self, env: Environment, ids: Sequence[int], values: Mapping[str, Any]) -> None:
        """Archive and revive the tasks together with their project."""
        if "active" in values:
            tasks = [t for project in ids for t in env.related(self.fields["tasks"], project)]
            if tasks:
                orm.write(env, env.registry["project.task"], tasks, {"active": values["active"]})

    def before_unlink(self, env: Environment, ids: Sequence[int]) -> None:
        """Delete the tasks with their project; up to 15.0 Odoo refuses.

        Raises:
            user_error: If Odoo refuses it in a person's words.
        """
        tasks = [t for project in ids for t in env.related(self.fields["tasks"], project)]
        if tasks and self.release.major <= 15:
            raise errors.user_error(
                "You cannot delete a project containing tasks. "
                "You can either archive it or first delete all of its tasks."
            )
        if tasks:
            orm.unlink(env, env.registry["project.task"], tasks)


class TaskType(Model):
    """project.task.type: the stages of tasks."""

    name = "project.task.type"
    label = "Task Stage"
    order = "sequence, id"
    acl = {"base.group_user": "rwcu", "base.group_portal": "r", _USER: "rwcu", _MANAGER: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("boolean", "active", "Active", default=True),
            Field("char", "name", "Name" if self.release.major >= 17 else "Stage Name", required=True),
            Field("text", "description", "Description", until=17),
            Field("integer", "sequence", "Sequence", default=1),
            Field("many2many", "project_ids", "Projects", "project.project", link=STAGES, flipped=True,
                  far_column="project_id"),
            Field("boolean", "fold", "Folded in Kanban"),
            Field("boolean", "is_closed", "Closing Stage", until=16),
            Field("many2one", "user_id", "Stage Owner", "res.users", readonly=True, since=15,
                  default=lambda env: env.uid),
        )  # fmt: skip

    def rule(self, env: Environment, operation: str) -> Rule | None:  # noqa: ARG002 - the same for all
        """Keep personal stages to their owners."""
        if self.release.major < 15:
            return None
        mine = (None, env.uid)
        return lambda row: row.get("user_id") in mine

    def before_create(self, env: Environment, values: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """A stage of a project has no owner."""
        if values.get("project_ids") and "user_id" in values:
            values["user_id"] = False
        return values

    def check(self, env: Environment, row: Row, changed: Iterable[str]) -> None:  # noqa: ARG002
        """A stage of a project has no owner."""
        if row.get("user_id") and env.related(self.fields["project_ids"], row["id"]):
            env.database.put(env.transaction, self.name, row["id"], row | {"user_id": None})


class Tags(Model):
    """project.tags."""

    name = "project.tags"
    label = "Project Tags"
    order = "name"
    acl = {"base.group_user": "r", "base.group_portal": "r", _USER: "rwcu", _MANAGER: "rwcu"}

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        return (
            Field("char", "name", "Name", required=True),
            Field("integer", "color", "Color"),
            Field("many2many", "project_ids", "Projects", "project.project", link=PROJECT_TAGS,
                  flipped=True, since=15),
            Field("many2many", "task_ids", "Tasks", "project.task", link=TASK_TAGS, flipped=True, since=16),
        )  # fmt: skip

    def check(self, env: Environment, row: Row, changed: Iterable[str]) -> None:
        """Two tags may not have the same name.

        Raises:
            constraint: A ValidationError of the database.
        """
        if "name" in changed and any(
            other["name"] == row["name"] for other in env.rows(self.name).values() if other["id"] != row["id"]
        ):
            raise errors.constraint("A tag with the same name already exists.")
