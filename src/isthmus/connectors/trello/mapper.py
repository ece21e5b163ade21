"""How boards, lists and cards translate into projects, stages and tasks, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from isthmus.connectors.trello.markup import html_to_markdown, markdown_to_html
from isthmus.errors import MappingError
from isthmus.mapping import ExportMapper, ImportMapper, mapping, only_create

_STEP: Final = 65536
"""Distance between neighbours that Trello leaves when it appends."""
_MOST: Final = 2**31 - 1
"""The greatest sequence that Odoo's integers hold."""


class _Import(ImportMapper):
    _name = "trello.import.mapper"
    _inherit = "base.import.mapper"
    _collection = "trello.backend"
    _abstract = True

    def named(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Give the name.

        Raises:
            MappingError: When there is none.
        """
        name = payload["name"]
        if not isinstance(name, str) or not name.strip():
            raise MappingError(f"{self.model.name} {payload.get('id')} has no name: give it one on Trello")
        return {"name": name}


class BoardImportMapper(_Import):
    """Boards."""

    _name = "trello.board.import.mapper"
    _inherit = "trello.import.mapper"
    _apply_on = "trello.board"

    @mapping(reads=("name",), writes=("name",))
    def name(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Take the name; blank ones are refused."""
        return self.named(payload)

    @mapping(reads=("closed",), writes=("active",))
    def active(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Archived there is archived here."""
        return {"active": not payload["closed"]}


class ListImportMapper(_Import):
    """Lists."""

    _name = "trello.list.import.mapper"
    _inherit = "trello.import.mapper"
    _apply_on = "trello.list"

    @mapping(reads=("name",), writes=("name",))
    def name(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Take the name; blank ones are refused."""
        return self.named(payload)

    @mapping(reads=("closed",), writes=("active", "project_ids"))
    def presence(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """A list is on its board while its stage is active and used by the board's project.

        Archiving the list of a stage that other projects use takes it from this project only.

        Raises:
            MappingError: When the board is not here.
        """
        project = self.binder_for("trello.board").to_internal(payload["idBoard"], unwrap=True)
        if project is None:
            raise MappingError(f"the board {payload['idBoard']} of list {payload.get('id')} is not here")
        stage = self.options.existing
        if stage is None:
            return {"active": not payload["closed"], "project_ids": [project.id]}
        others = [p.id for p in stage["project_ids"] if p.id != project.id]
        if not payload["closed"]:
            return {"active": True, "project_ids": sorted([*others, project.id])}
        if others:
            return {"active": stage["active"], "project_ids": others}
        return {"active": False, "project_ids": [p.id for p in stage["project_ids"]]}

    @only_create
    @mapping
    def sequence(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Order by the position."""
        return {"sequence": _sequence(payload["pos"])} if "pos" in payload else {}


class CardImportMapper(_Import):
    """Cards."""

    _name = "trello.card.import.mapper"
    _inherit = "trello.import.mapper"
    _apply_on = "trello.card"

    @mapping(reads=("name",), writes=("name",))
    def name(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Take the name; blank ones are refused."""
        return self.named(payload)

    @mapping(reads=("desc",), writes=("description",))
    def description(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Markdown becomes HTML."""
        return {"description": markdown_to_html(payload["desc"]) or None}

    @mapping(reads=("idList", "idBoard"), writes=("stage_id", "project_id"))
    def place(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The list tells the stage, the board the project, and the other way round.

        Raises:
            MappingError: When one of them is not on the other side.
        """
        stage = self.binder_for("trello.list").to_internal(payload["idList"], unwrap=True)
        project = self.binder_for("trello.board").to_internal(payload["idBoard"], unwrap=True)
        if stage is None or project is None:
            missing = f"list {payload['idList']}" if stage is None else f"board {payload['idBoard']}"
            raise MappingError(f"the {missing} of card {payload.get('id')} is not here")
        return {"stage_id": stage.id, "project_id": project.id}

    @mapping(reads=("pos",), writes=("sequence",))
    def sequence(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Order by the position."""
        return {"sequence": _sequence(payload["pos"])}

    @mapping(reads=("due",), writes=("date_deadline",))
    def deadline(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The due date, in UTC."""
        due = payload["due"]
        return {"date_deadline": None if not due else datetime.fromisoformat(due).astimezone(UTC)}

    @mapping(reads=("closed",), writes=("active",))
    def active(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Archived there is archived here."""
        return {"active": not payload["closed"]}


class _Export(ExportMapper):
    _name = "trello.export.mapper"
    _inherit = "base.export.mapper"
    _collection = "trello.backend"
    _abstract = True

    def named(self, record: Any) -> dict[str, Any]:
        """Give the name as Trello keeps it.

        Raises:
            MappingError: When there is none: it would come back as a record without a name.
        """
        name = (record["name"] or "").strip()
        if not name:
            raise MappingError(f"{record._name} {record.id} has no name: Trello needs one")
        return {"name": name}


class BoardExportMapper(_Export):
    """Projects."""

    _name = "trello.board.export.mapper"
    _inherit = "trello.export.mapper"
    _apply_on = "trello.board"

    @mapping(reads=("name",), writes=("name",))
    def name(self, project: Any) -> dict[str, Any]:
        """Take the name; blank ones are refused."""
        return self.named(project)

    @mapping(reads=("active",), writes=("closed",))
    def closed(self, project: Any) -> dict[str, Any]:
        """Archived here is archived there."""
        return {"closed": not project["active"]}


class ListExportMapper(_Export):
    """Stages, on the board that is the binding's scope."""

    _name = "trello.list.export.mapper"
    _inherit = "trello.export.mapper"
    _apply_on = "trello.list"

    @mapping(reads=("name",), writes=("name",))
    def name(self, stage: Any) -> dict[str, Any]:
        """Take the name; blank ones are refused."""
        return self.named(stage)

    @mapping(reads=("active", "project_ids"), writes=("closed",))
    def closed(self, stage: Any) -> dict[str, Any]:
        """Archived here is archived there."""
        project = self.binder_for("trello.board").to_internal(self.options.scope, unwrap=True)
        # An archived project shows in no list of an Odoo, and its board is closed as a whole.
        used = project is not None and (
            project.id in [p.id for p in stage["project_ids"]] or not project["active"]
        )
        return {"closed": not (stage["active"] and used)}

    @only_create
    @mapping
    def board(self, stage: Any) -> dict[str, Any]:  # noqa: ARG002 - the mapper's signature
        """The list belongs to the board of its scope."""
        return {"idBoard": self.options.scope}

    @only_create
    @mapping
    def position(self, stage: Any) -> dict[str, Any]:
        """Order by the sequence."""
        return {"pos": float(max(stage["sequence"], 1) * _STEP)}


class CardExportMapper(_Export):
    """Tasks."""

    _name = "trello.card.export.mapper"
    _inherit = "trello.export.mapper"
    _apply_on = "trello.card"

    @mapping(reads=("name",), writes=("name",))
    def name(self, task: Any) -> dict[str, Any]:
        """Take the name; blank ones are refused."""
        return self.named(task)

    @mapping(reads=("description",), writes=("desc",))
    def description(self, task: Any) -> dict[str, Any]:
        """Markdown becomes HTML."""
        return {"desc": html_to_markdown(task["description"])}

    @mapping(reads=("stage_id", "project_id"), writes=("idList", "idBoard"))
    def place(self, task: Any) -> dict[str, Any]:
        """The list tells the stage, the board the project, and the other way round.

        Raises:
            MappingError: When one of them is not on the other side.
        """
        project, stage = task["project_id"], task["stage_id"]
        if project is None or stage is None:
            raise MappingError(
                f"task {task.id} has no {'project' if project is None else 'stage'}: a card needs a list"
            )
        board_id = self.binder_for("trello.board").to_external(project, wrap=True)
        list_id = self.binder_for("trello.list").to_external(stage, wrap=True, scope=board_id)
        if board_id is None or list_id is None:
            raise MappingError(
                f"task {task.id}: its {'project' if board_id is None else 'stage'} is not on Trello"
            )
        return {"idList": list_id, "idBoard": board_id}

    @mapping(reads=("sequence",), writes=("pos",))
    def position(self, task: Any) -> dict[str, Any]:
        """Order by the sequence."""
        return {"pos": float(max(task["sequence"], 1))}

    @mapping(reads=("date_deadline",), writes=("due",))
    def due(self, task: Any) -> dict[str, Any]:
        """The deadline, with milliseconds, as Trello writes it."""
        deadline = task["date_deadline"]
        if deadline is None:
            return {"due": None}
        return {"due": deadline.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}

    @mapping(reads=("active",), writes=("closed",))
    def closed(self, task: Any) -> dict[str, Any]:
        """Archived here is archived there."""
        return {"closed": not task["active"]}


def _sequence(pos: Any) -> int:
    """Round a position to the integer that orders on our side.

    Raises:
        MappingError: When it is no number.
    """
    if isinstance(pos, bool) or not isinstance(pos, (int, float)):
        raise MappingError(f"pos must be a number, not {type(pos).__name__}")
    return min(max(round(pos), 0), _MOST)
