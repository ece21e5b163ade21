"""Imports from Trello: single records, whole boards, and what changed on a board since the cursor."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from isthmus.connectors.trello.adapter import TrelloBoardAdapter
from isthmus.connectors.trello.client import PAGE
from isthmus.sync import BatchImporter, CursorBook, Dependency, Item, NewestFirst, RecordImporter, Report
from isthmus.sync.synchronizer import VERSION

STREAM: Final = "trello.actions/"
"""Cursor stream of a board's actions; the board's ID follows."""


class BoardImporter(RecordImporter):
    """Boards: only those that were selected."""

    _name = "trello.board.importer"
    _inherit = "base.record.importer"
    _collection = "trello.backend"
    _apply_on = "trello.board"

    def _should_import(self, item: Item) -> bool:
        return item.external_id in self.backend_record.option("boards")


class ListImporter(RecordImporter):
    """Lists, each within the scope of its board."""

    _name = "trello.list.importer"
    _inherit = "base.record.importer"
    _collection = "trello.backend"
    _apply_on = "trello.list"

    def _scope(self, item: Item) -> str:
        return str((item.payload or {}).get("idBoard") or "")

    def _should_import(self, item: Item) -> bool:
        return self._scope(item) in self.backend_record.option("boards")

    def _import_dependencies(self, item: Item) -> Iterable[Dependency]:
        yield Dependency("trello.board", (item.payload or {}).get("idBoard"))


class CardImporter(RecordImporter):
    """Cards."""

    _name = "trello.card.importer"
    _inherit = "base.record.importer"
    _collection = "trello.backend"
    _apply_on = "trello.card"

    def _should_import(self, item: Item) -> bool:
        return (item.payload or {}).get("idBoard") in self.backend_record.option("boards")

    def _import_dependencies(self, item: Item) -> Iterable[Dependency]:
        payload = item.payload or {}
        yield Dependency("trello.board", payload.get("idBoard"))
        yield Dependency("trello.list", payload.get("idList"))


class BoardBatchImporter(BatchImporter):
    """Brings the selected boards up to date: whole at first and on request, by their actions afterwards.

    Filters: ``full`` walks everything again, ``boards`` names some of the selected boards.
    """

    _name = "trello.board.batch.importer"
    _inherit = "base.batch.importer"
    _collection = "trello.backend"
    _apply_on = "trello.board"

    @property
    def _boards(self) -> TrelloBoardAdapter:
        return self.component(TrelloBoardAdapter)

    @property
    def _cursors(self) -> CursorBook:
        return CursorBook(self.env, self.backend_record.id)

    def run(self, filters: Mapping[str, Any] | None = None) -> Report:
        """Import the selected boards."""
        filters = filters or {}
        report = Report()
        selected = list(self.backend_record.option("boards"))
        wanted = [b for b in selected if b in (filters.get("boards") or selected)]
        if not wanted:
            name = self.backend_record["name"]
            report.notes.append(f"no board is selected: `isthmus backend set {name} boards=ID,ID`")
        for board_id in wanted:
            walk = NewestFirst.load(self._cursors.load(STREAM + board_id))
            if filters.get("full") or (walk.since is None and walk.low is None):
                report.add(self._full(board_id))
            else:
                report.add(self._since(board_id, walk))
        return report

    def _importer(self, model: str) -> RecordImporter:
        found: RecordImporter = self.component(usage="record.importer", model_name=model)
        return found

    def _frame(self, board_id: str) -> Report:
        """Bring the board and its lists up to date, by one request."""
        read_at = self.env.locks.now()
        board = self._boards.read(board_id)
        lists = board.get("lists") or []
        report = self._importer("trello.board").run_page([board], read_at=read_at)
        report.add(self._importer("trello.list").run_page(lists, read_at=read_at))
        return report

    # -- whole ---------------------------------------------------------------------------

    def _full(self, board_id: str) -> Report:
        newest = self._boards.actions(board_id, limit=1)
        report = self._frame(board_id)
        seen: set[str] = set()
        before: str | None = None
        while True:
            read_at = self.env.locks.now()
            cards = self._boards.cards(board_id, before=before)
            report.add(self._pages(cards, read_at))
            ids = [str(c["id"]) for c in cards if isinstance(c, Mapping) and c.get("id")]
            seen.update(ids)
            self._progress("cards", len(seen))
            if len(cards) < PAGE or not ids:
                break
            before = min(ids)
        gone = self._bound_on(board_id) - seen
        for chunk in _chunks(sorted(gone), self._size):
            report.add(self._importer("trello.card").run_ids(chunk))
        # What happened since the first request is found by the next run from here.
        mark = NewestFirst(since=str(newest[0]["id"]) if newest else board_id)
        self._cursors.save(STREAM + board_id, mark.mark())
        with self.env.outside():
            pass
        return report

    def _pages(self, cards: Sequence[Any], read_at: datetime) -> Report:
        report = Report()
        for chunk in _chunks(cards, self._size):
            report.add(self._importer("trello.card").run_page(chunk, read_at=read_at))
        return report

    @property
    def _size(self) -> int:
        return int(self.env.services.settings.page_size)

    def _bound_on(self, board_id: str) -> set[str]:
        binder = self.binder_for("trello.card")
        found: set[str] = binder.table.external_ids(self.env.session, seen={"idBoard": board_id})
        return found

    def _progress(self, what: str, done: int, total: int | None = None) -> None:
        progress = getattr(self.work, "progress", None)
        if progress is not None:
            progress(what, done, total)

    # -- since the cursor ----------------------------------------------------------------

    def _since(self, board_id: str, walk: NewestFirst) -> Report:
        report = self._frame(board_id)
        done = False
        while not done:
            actions = self._boards.actions(board_id, since=walk.since, before=walk.before)
            ids = [str(a["id"]) for a in actions]
            walk = walk.after_page(ids, full=len(actions) == PAGE)
            report.add(self._page(board_id, actions, walk))
            done = walk.done
            if not actions and not report.changed:
                report.notes.append("no changes since the cursor")
        return report

    def _page(self, board_id: str, actions: Sequence[Mapping[str, Any]], walk: NewestFirst) -> Report:
        """Import the cards that a page of actions touched; the cursor moves with the last of them."""
        report = Report()
        checker = self.component(usage="replaced.values", model_name="trello.card")
        replaced = checker.find(actions)
        chunks = list(_chunks(self._touched(actions, report), self._size))

        def move() -> None:
            checker.tell(replaced)
            self._cursors.save(STREAM + board_id, walk.mark())

        for number, chunk in enumerate(chunks, start=1):
            last = move if number == len(chunks) else None
            report.add(self._importer("trello.card").run_ids(chunk, cursor=last))
            self._progress("changed cards", sum(map(len, chunks[:number])), sum(map(len, chunks)))
        if not chunks:
            move()
            with self.env.outside():
                pass
        return report

    def _touched(self, actions: Sequence[Mapping[str, Any]], report: Report) -> list[str]:
        """List the cards whose latest action is younger than what we have seen of them."""
        latest: dict[str, str] = {}
        for action in actions:
            card = (action.get("data") or {}).get("card") or {}
            if card.get("id"):
                latest.setdefault(str(card["id"]), str(action.get("date") or ""))
        table = self.binder_for("trello.card").table
        bound = table.by_external(self.env.session, latest) if latest else {}
        touched = []
        for card_id, date in latest.items():
            row = bound.get(card_id)
            version = (row.seen_external or {}).get(VERSION) if row is not None else None
            if version is not None and date and _instant(version) >= _instant(date):
                report.done["unchanged"] += 1
            else:
                touched.append(card_id)
        return touched


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
