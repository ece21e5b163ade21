"""A model that carries its external ID itself is its own binding."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.adapter import CRUDAdapter
from isthmus.backend import Backend, create_key_file
from isthmus.binding import Binding
from isthmus.hub import Hub
from isthmus.mapping import ExportMapper, ImportMapper
from isthmus.plugin import Plugin
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel


class ShelfBackend(Backend):
    _name = "shelf.backend"
    _extends = ("connector.backend",)
    _options = {"on_external_delete": "forget", "on_record_delete": "forget"}
    __mapper_args__ = {"polymorphic_identity": "shelf.backend"}


class ShelfBook(Binding):
    __tablename__ = "test_shelf_book"
    _name = "shelf.book"
    _binds = "shelf.book"

    title: Mapped[str] = mapped_column(default="")


class BookAdapter(CRUDAdapter):
    _name = "shelf.book.adapter"
    _collection = "shelf.backend"
    _apply_on = "shelf.book"

    books: dict[str, dict[str, Any]] = {}

    def read(self, external_id: str, fields: Any = None) -> dict[str, Any]:
        return dict(self.books[external_id])

    def create(self, values: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
        made = {"id": str(len(self.books)), **values}
        self.books[made["id"]] = made
        return made

    def write(self, external_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        self.books[external_id].update(values)
        return dict(self.books[external_id])


class BookImportMapper(ImportMapper):
    _name = "shelf.book.import.mapper"
    _inherit = "base.import.mapper"
    _collection = "shelf.backend"
    direct = [("name", "title")]


class BookExportMapper(ExportMapper):
    _name = "shelf.book.export.mapper"
    _inherit = "base.export.mapper"
    _collection = "shelf.backend"
    direct = [("title", "name")]


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub with one shelf."""
    create_key_file(tmp_path / "key")
    settings = Settings.load(database_url=database_url, key_file=tmp_path / "key", models=())
    made = Hub(
        settings,
        plugins=[Plugin(name="shelf", package=__name__)],
        components=[BookAdapter, BookImportMapper, BookExportMapper],
    )
    BookAdapter.books = {}
    made.upgrade()
    SqlModel.metadata.create_all(made.engine, tables=[ShelfBook.__table__])
    yield made
    made.close()


def test_a_direct_binding_is_imported_written_and_exported_as_one_row(hub: Hub) -> None:
    """
    Import makes one row that is record and binding; a change of it is exported under the same ID.
    """
    BookAdapter.books["0"] = {"id": 0, "name": "Dune"}
    with hub.env() as env:
        backend = env["shelf.backend"].create({"name": "shelf"})
    with hub.env() as env:
        backend = env["shelf.backend"].browse(backend.id)
        with backend.work_on("shelf.book") as work:
            work.component(usage="record.importer").run(0)
    with hub.env() as env:
        (book,) = env["shelf.book"].search([])
        read = (book.title, book.external_id, book.record == book, book.state)
        book.write({"title": "Dune Messiah"})
    with hub.env() as env:
        (book,) = env["shelf.book"].search([])
        with book.backend.work_on("shelf.book") as work:
            report = work.component(usage="record.exporter").run(book)
    with hub.env() as env:
        new = env["shelf.book"].create({"title": "Emma", "backend_id": backend.id})
    with hub.env() as env:
        book = env["shelf.book"].browse(new.id)
        with book.backend.work_on("shelf.book") as work:
            work.component(usage="record.exporter").run(book)
    with hub.env() as env:
        keys = [b.external_id for b in env["shelf.book"].search([], order="id")]

    assert read == ("Dune", "0", True, "linked")
    assert report.done["updated"] == 1
    assert BookAdapter.books["0"]["name"] == "Dune Messiah"
    assert BookAdapter.books["1"]["name"] == "Emma"
    assert keys == ["0", "1"]
