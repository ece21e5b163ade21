"""What sends our changes to Trello."""

from collections.abc import Iterable
from typing import Any

from isthmus.sync import ExportListener


class _TrelloListener(ExportListener):
    _name = "trello.listener"
    _inherit = "base.export.listener"
    _abstract = True
    _backend_model = "trello.backend"

    def _boards_of(self, projects: Iterable[Any], backend: Any) -> list[str]:
        """Give the boards of those projects that have one."""
        binder = self.work.work_on("trello.board", collection=backend).component(usage="binder")
        rows = [r for p in projects for r in binder.bindings_of(p)]
        return [r.external_id for r in rows if r.external_id is not None and r.is_linked]


class ProjectListener(_TrelloListener):
    """Projects: those that are bound, or that the backend's export domain takes."""

    _name = "trello.project.listener"
    _inherit = "trello.listener"
    _apply_on = "project.project"
    _binding_model = "trello.board"


class StageListener(_TrelloListener):
    """Stages: one list for each of their projects that has a board."""

    _name = "trello.stage.listener"
    _inherit = "trello.listener"
    _apply_on = "project.task.type"
    _binding_model = "trello.list"

    def _scopes(self, record: Any, backend: Any) -> Iterable[str]:
        return self._boards_of(record["project_ids"], backend)


class TaskListener(_TrelloListener):
    """Tasks: those whose project has a board, and those that the export domain takes."""

    _name = "trello.task.listener"
    _inherit = "trello.listener"
    _apply_on = "project.task"
    _binding_model = "trello.card"

    def _scopes(self, record: Any, backend: Any) -> Iterable[str]:
        project = record["project_id"]
        if project is not None and self._boards_of([project], backend):
            return [""]
        return super()._scopes(record, backend)
