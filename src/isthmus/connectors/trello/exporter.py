"""Exports to Trello, and what happens there when a record of ours is deleted."""

from collections.abc import Iterable
from typing import Any

from isthmus.env import ModelExtension
from isthmus.job import job
from isthmus.sync import Deleter, Dependency, Item, Operation, RecordExporter
from isthmus.sync.sibling import delay_export
from isthmus.sync.theirs import bind_for_export


class BoardExporter(RecordExporter):
    """Projects. A project that comes to Trello brings its stages and tasks."""

    _name = "trello.board.exporter"
    _inherit = "base.record.exporter"
    _collection = "trello.backend"
    _apply_on = "trello.board"

    def _lock(self, item: Item) -> Iterable[str]:
        if item.external_id is None:
            # The list of selected boards is read and written as a whole: one new board at a time.
            yield f"{self.backend_record.id}/boards"

    def _after_export(self, operation: Operation) -> None:
        row = operation.item.binding
        is_new = operation.kind == "create" or operation.item.adopted is not None
        if not is_new or operation.item.external_id is None or row is None:
            return
        boards = [*self.backend_record.option("boards"), operation.item.external_id]
        self.backend_record.set_options({"boards": list(dict.fromkeys(boards))})
        # A job, since our stages and tasks may lie in a store that can only be called.
        self.model.browse(row.id).with_delay(identity_key=f"export_content/{row.id}").export_content()


class BoardContent(ModelExtension):
    """What a board brings along."""

    _inherit = "trello.board"

    @job(max_retries=20)
    def export_content(self) -> str:
        """Bind the stages and tasks of the board's project, and delay their export."""
        binding: Any = self
        env, backend, project = binding.env, binding.backend, binding.record
        if project is None or binding.external_id is None:
            return "the board is no longer bound"
        wanted = [
            ("trello.list", "project.task.type", [("project_ids", "=", project.id)], binding.external_id),
            ("trello.card", "project.task", [("project_id", "=", project.id)], ""),
        ]
        found = [
            (model, scope, [r.id for r in env[records].search(domain)])
            for model, records, domain, scope in wanted
        ]
        for model, scope, ids in found:
            with backend.work_on(model) as work:
                binder = work.component(usage="binder")
                for record_id in ids:
                    row = bind_for_export(env, binder, record_id, scope)
                    if row.id is not None:
                        delay_export(env, model, row.id)
        return ", ".join(f"{len(ids)} of {model}" for model, _, ids in found)


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
