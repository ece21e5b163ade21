"""Tasks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.environment import SUPERUSER, Environment
from isthmus.simulators.odoo.fields import Field, Row
from isthmus.simulators.odoo.model import Model, Rule
from isthmus.simulators.odoo.models.hierarchy import check_no_cycle
from isthmus.simulators.odoo.models.project import TASK_TAGS
from isthmus.simulators.odoo.order import in_order

ASSIGNEES = "project_task_user_rel"
_STATES = (
    ("01_in_progress", "In Progress"),
    ("02_changes_requested", "Changes Requested"),
    ("03_approved", "Approved"),
    ("1_done", "Done"),
    ("1_canceled", "Cancelled"),
    ("04_waiting_normal", "Waiting"),
)
_KANBAN_STATES = (("normal", "In Progress"), ("done", "Ready"), ("blocked", "Blocked"))
_CLOSED = frozenset({"1_done", "1_canceled"})


class Task(Model):
    """project.task."""

    name = "project.task"
    label = "Task"
    acl = {
        "base.group_user": "rwcu",
        "base.group_portal": "r",
        "project.group_project_user": "rwcu",
    }
    search_names = ()

    @property
    def order(self) -> str:  # type: ignore[override]
        """The order, which has the deadline from 17.0 on."""
        if self.release.major >= 17:
            return "priority desc, sequence, date_deadline asc, id desc"
        return "priority desc, sequence, id desc"

    @property
    def class_name(self) -> str:
        """The name of Odoo's class."""
        return "ProjectTask" if self.release.major >= 18 else "Task"

    def declared(self) -> Iterable[Field]:
        """List the fields."""
        old = self.release.major <= 16
        levels = (("0", "Low"), ("1", "Medium"), ("2", "High"), ("3", "Urgent"))
        priorities = (
            levels
            if self.release.major >= 19
            else (("0", "Normal" if old else "Low"), ("1", "Important" if old else "High"))
        )
        return (
            Field("boolean", "active", "Active", default=True),
            Field("char", "name", "Title", required=True),
            Field("html", "description", "Description"),
            Field("selection", "priority", "Priority", selection=priorities, default="0"),
            Field("integer", "sequence", "Sequence", default=10),
            Field("many2one", "stage_id", "Stage", "project.task.type", ondelete="restrict"),
            Field("many2many", "tag_ids", "Tags", "project.tags", link=TASK_TAGS),
            Field("selection", "kanban_state", "Kanban State" if self.release.major < 15 else "Status",
                  selection=_KANBAN_STATES, required=True, default="normal", until=17),
            Field("selection", "state", "State", selection=_states(self.release.major), required=True,
                  default="01_in_progress", since=17),
            Field("boolean", "is_closed", "Closed state", readonly=True, stored=False, since=18,
                  compute=_is_closed),
            Field("datetime", "date_end", "Ending Date"),
            Field("date" if old else "datetime", "date_deadline", "Deadline"),
            Field("datetime", "date_last_stage_update", "Last Stage Update", readonly=True),
            Field("many2one", "project_id", "Project", "project.project"),
            Field("float", "planned_hours", "Initially Planned Hours", until=17),
            Field("float", "allocated_hours", "Allocated Time", since=17),
            Field("many2one", "user_id", "Assigned to", "res.users", until=15,
                  default=lambda env: env.uid),
            Field("many2many", "user_ids", "Assignees", "res.users", link=ASSIGNEES, since=15,
                  far_column="user_id", all_records=True, default=_assignees),
            Field("many2one", "partner_id", "Customer", "res.partner"),
            Field("many2one", "company_id", "Company", "res.company", required=old,
                  default=(lambda env: env.company) if old else None),
            Field("integer", "color", "Color Index"),
            Field("many2one", "parent_id", "Parent Task", "project.task"),
            Field("one2many", "child_ids", "Sub-tasks", "project.task", inverse="parent_id",
                  all_records=self.release.major == 14),
            Field("integer", "subtask_count", "Sub-task Count", readonly=True, stored=False,
                  compute=lambda env, row: len(env.related(self.fields["child_ids"], row["id"]))),
        )  # fmt: skip

    def rule(self, env: Environment, operation: str) -> Rule | None:
        """Project users work on the tasks of visible projects, and on their own; others on their own."""
        if "base.group_user" not in env.groups:
            return lambda row: False  # noqa: ARG005
        worker = "project.group_project_user" in env.groups
        project_rule = env.registry["project.project"].rule(env, "read")
        projects, companies, uid = env.rows("project.project"), env.companies, env.uid
        assigned = self.fields.get("user_ids")
        verdicts: dict[int, bool] = {}

        def own(row: Row) -> bool:
            people = env.related(assigned, row["id"]) if assigned else {row.get("user_id")} - {None}
            # Who made a task follows it, so it stays theirs when nobody is assigned.
            return uid in people or (not people and row.get("create_uid") == uid)

        def allowed(row: Row) -> bool:
            company = row.get("company_id")
            if company is not None and company not in companies:
                return False
            project = row.get("project_id")
            if project is None:
                # 14.0 has no private tasks.
                return own(row) or (worker and assigned is None)
            if worker or operation == "read":
                if project not in verdicts:
                    verdicts[project] = project_rule is None or project_rule(projects[project])
                return verdicts[project] or own(row)
            return False

        return allowed

    def before_create(self, env: Environment, values: dict[str, Any]) -> dict[str, Any]:
        """Find project, stage and name of a new task.

        Raises:
            missing: If a record is not there.
            _private_child: As Odoo refuses.
        """
        parent = env.rows(self.name).get(_id(values.get("parent_id")) or 0)
        nobody = not values.get("user_ids")
        project = _id(values.get("project_id"))
        if project is None and parent is not None and self.release.major != 18:
            project = values["project_id"] = parent.get("project_id")
        if project is None:
            # A private task has no stage of its own. project_todo, which comes with project, names it.
            values["stage_id"] = False
            if values.get("parent_id") and self.release.major >= 17:
                if parent is None and self.release.major != 18:
                    raise errors.missing(self.name, [_id(values["parent_id"]) or 0], env.uid)
                raise _private_child(self.release.major)
            if nobody and "user_ids" in self.fields and self.release.major >= 16 and env.uid != SUPERUSER:
                values["user_ids"] = [[4, env.uid, 0]]
            if self.release.major >= 17 and not values.get("name") and parent is None:
                values["name"] = "Untitled to-do"
            return values
        found = env.rows("project.project").get(project)
        if found is None:
            raise errors.missing("project.project", [project], env.uid)
        stage = _id(values.get("stage_id"))
        if stage and stage not in env.rows("project.task.type"):
            raise errors.missing("project.task.type", [stage], env.uid)
        if not stage:
            values["stage_id"] = first_stage(env, project) or False
        if not values.get("company_id"):
            values["company_id"] = found.get("company_id") or False
        if "partner_id" not in values and found.get("partner_id"):
            values["partner_id"] = found["partner_id"]
        return values

    def before_write(self, env: Environment, rows: Sequence[Row], values: dict[str, Any]) -> dict[str, Any]:
        """Find the stage that a move to another project brings.

        Raises:
            missing: If a record is not there.
            user_error: If Odoo refuses it in a person's words.
        """
        parent = _id(values.get("parent_id"))
        if parent is not None and any(row["id"] == parent for row in rows):
            raise errors.user_error("Sorry. You can't set a task as its parent task.")
        project = _id(values.get("project_id"))
        if project is not None and project not in env.rows("project.project"):
            raise errors.missing("project.project", [project], env.uid)
        return values

    def complete(self, env: Environment, row: Row, changed: Mapping[str, Any]) -> None:
        """Let stage and dates follow from what changed."""
        project = row.get("project_id")
        if "project_id" in changed and "stage_id" not in changed:
            lists = env.registry["project.project"].fields["type_ids"]
            stages = tuple(env.related(lists, project)) if project else ()
            if row.get("stage_id") not in stages:
                row["stage_id"] = first_stage(env, project) if project else None
        if "stage_id" in changed or "project_id" in changed:
            row["date_last_stage_update"] = env.transaction.start

    def check(self, env: Environment, row: Row, changed: Iterable[str]) -> None:
        """Refuse a task that is its own ancestor, and a private one below another.

        Raises:
            _private_child: As Odoo refuses.
        """
        if self.release.major >= 17 and row.get("parent_id") and not row.get("project_id"):
            raise _private_child(self.release.major)
        if "parent_id" in changed:
            check_no_cycle(env, self, row, "Error! You cannot create a recursive hierarchy of tasks.")


def _private_child(major: int) -> errors.OdooError:
    message = "A private task cannot have a parent."
    error = errors.constraint(message)
    error.loading = {"message": f"'{message}'" if major < 19 else message}
    return error


def first_stage(env: Environment, project: int) -> int | None:
    """Find the stage that a new task of a project gets."""
    model = env.registry["project.task.type"]
    rows = env.rows(model.name)
    stages = [rows[i] for i in env.related(env.registry["project.project"].fields["type_ids"], project)]
    open_ones = in_order(env, model, [r for r in stages if r.get("active") and not r.get("fold")], None)
    return int(open_ones[0]["id"]) if open_ones else None


def _states(major: int) -> tuple[tuple[str, str], ...]:
    if major >= 18:
        return _STATES
    return tuple((key, "Canceled" if label == "Cancelled" else label) for key, label in _STATES)


def _is_closed(env: Environment, row: Row) -> bool:  # noqa: ARG001 - computes a field
    return row.get("state") in _CLOSED


def _assignees(env: Environment) -> list[Any]:
    # A task made over RPC is its maker's, unless it is made within a project (recorded at 18.0).
    within = env.release.major >= 16 and ("default_project_id" in env.context or "import_file" in env.context)
    return [] if within or env.uid == SUPERUSER else [[4, env.uid, 0]]


def _id(value: Any) -> int | None:
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
