"""Exports to Trello, and what happens there when a record of ours is deleted."""

from collections.abc import Iterable
from typing import Any

from isthmus.sync import Deleter, Dependency, Item, Operation, RecordExporter
from isthmus.sync.sibling import delay_export
from isthmus.sync.theirs import bind_for_export


class BoardExporter(RecordExporter):
    """Projects. A project that comes to Trello brings its stages and tasks."""

    _name = "trello.board.exporter"
    _inherit = "base.record.exporter"
    _collection = "trello.backend"
    _apply_on = "trello.board"

    def _after_export(self, operation: Operation) -> None:
        if operation.kind != "create" or operation.item.external_id is None:
            return
        board_id = operation.item.external_id
        boards = [*self.backend_record.option("boards"), board_id]
        self.backend_record.set_options({"boards": list(dict.fromkeys(boards))})
        project = operation.item.record.id
        for model, record_model, domain, scope in (
            ("trello.list", "project.task.type", [("project_ids", "=", project)], board_id),
            ("trello.card", "project.task", [("project_id", "=", project)], ""),
        ):
            binder = self.binder_for(model)
            for record in self.env[record_model].search(domain):
                row = bind_for_export(self.env, binder, record.id, scope)
                if row.id is not None:
                    delay_export(self.env, model, row.id)


class ListExporter(RecordExporter):
    """Stages, one list on each board."""

    _name = "trello.list.exporter"
    _inherit = "base.record.exporter"
    _collection = "trello.backend"
    _apply_on = "trello.list"


class CardExporter(RecordExporter):
    """Tasks."""

    _name = "trello.card.exporter"
    _inherit = "base.record.exporter"
    _collection = "trello.backend"
    _apply_on = "trello.card"

    def _export_dependencies(self, item: Item) -> Iterable[Dependency]:
        task: Any = item.record
        project, stage = task["project_id"], task["stage_id"]
        yield from self._export_dependency(project, "trello.board")
        board_id = self.binder_for("trello.board").to_external(project, wrap=True) if project else None
        if board_id is not None:
            yield from self._export_dependency(stage, "trello.list", board_id)


class _TrelloDeleter(Deleter):
    _name = "trello.deleter"
    _inherit = "base.deleter"
    _collection = "trello.backend"
    _archived = {"closed": True}
