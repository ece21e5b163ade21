"""A set that both sides change merges by additions and removals."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.adapter import CRUDAdapter
from isthmus.backend import Backend, create_key_file
from isthmus.binding import Binding
from isthmus.hub import Hub
from isthmus.mapping import ExportMapper, ImportMapper, mapping
from isthmus.plugin import Plugin
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel


class TagBackend(Backend):
    _name = "tag.backend"
    _extends = ("connector.backend",)
    _options = {"on_external_delete": "forget", "on_record_delete": "forget"}
    __mapper_args__ = {"polymorphic_identity": "tag.backend"}


class Page(SqlModel):
    __tablename__ = "test_set_page"
    _name = "tag.page"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    tags: Mapped[list[Any]]


class PageBinding(Binding):
    __tablename__ = "test_set_page_binding"
    _name = "tag.page.binding"
    _binds = "tag.page"


PAGE: dict[str, Any] = {}


class PageAdapter(CRUDAdapter):
    _name = "tag.adapter"
    _collection = "tag.backend"

    def read(self, external_id: str, fields: Any = None) -> dict[str, Any]:
        return {**PAGE, "labels": list(PAGE["labels"])}

    def write(self, external_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        PAGE.update(values)
        return self.read(external_id)


class PageImportMapper(ImportMapper):
    """Their labels in lower case are our tags; ours that begin with "_" they never see."""

    _name = "tag.import.mapper"
    _inherit = "base.import.mapper"
    _collection = "tag.backend"
    direct = [("title", "title")]

    @mapping(reads=("labels",), writes=("tags",))
    def tags(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        return {"tags": [label.lower() for label in payload["labels"]]}


class PageExportMapper(ExportMapper):
    _name = "tag.export.mapper"
    _inherit = "base.export.mapper"
    _collection = "tag.backend"
    direct = [("title", "title")]

    @mapping(reads=("tags",), writes=("labels",))
    def labels(self, page: Any) -> dict[str, Any]:
        return {"labels": [tag.upper() for tag in page["tags"] if not tag.startswith("_")]}


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub with one page bound, as it was on both sides."""
    create_key_file(tmp_path / "key")
    settings = Settings.load(database_url=database_url, key_file=tmp_path / "key", models=())
    made = Hub(
        settings,
        plugins=[Plugin(name="tag", package=__name__)],
        components=[PageAdapter, PageImportMapper, PageExportMapper],
    )
    made.upgrade()
    SqlModel.metadata.create_all(made.engine, tables=[Page.__table__, PageBinding.__table__])
    PAGE.clear()
    PAGE.update({"id": "p", "title": "Page", "labels": ["RED", "BLUE"]})
    with made.env() as env:
        env["tag.backend"].create({"name": "tag"})
    bring(made)
    yield made
    made.close()


def bring(hub: Hub) -> Any:
    """Import the page."""
    with hub.env() as env, env["tag.backend"].search([])[0].work_on("tag.page.binding") as work:
        return work.component(usage="record.importer").run("p")


def send(hub: Hub) -> Any:
    """Export the page."""
    with hub.env() as env, env["tag.backend"].search([])[0].work_on("tag.page.binding") as work:
        (binding,) = env["tag.page.binding"].search([])
        return work.component(usage="record.exporter").run(binding)


def tags(hub: Hub) -> set[str]:
    """Give our tags."""
    with hub.env() as env:
        return set(env["tag.page"].search([])[0].tags)


def edit(hub: Hub, new: list[str]) -> None:
    """Change our tags."""
    with hub.env() as env:
        env["tag.page"].search([])[0].write({"tags": new})


@pytest.mark.parametrize("import_first", [True, False])
def test_what_both_sides_add_and_remove_ends_on_both(hub: Hub, import_first: bool) -> None:
    """
    Theirs adds GREEN and drops RED, ours adds pink: in either order of runs both end with the same.
    """
    PAGE["labels"] = ["BLUE", "GREEN"]
    edit(hub, ["red", "blue", "pink"])

    runs = [bring, send] if import_first else [send, bring]
    reports = [run(hub) for run in runs]
    again = [bring(hub), send(hub)]

    assert tags(hub) == {"blue", "green", "pink"}
    assert set(PAGE["labels"]) == {"BLUE", "GREEN", "PINK"}
    assert [r.done["conflict"] for r in (*reports, *again)] == [0, 0, 0, 0]
    assert [r.changed for r in again] == [0, 0]


def test_an_element_that_the_other_side_cannot_have_stays(hub: Hub) -> None:
    """
    A tag that is never exported survives an import that changes the others.
    """
    edit(hub, ["red", "blue", "_internal"])
    send(hub)
    PAGE["labels"] = ["BLUE"]

    bring(hub)

    assert tags(hub) == {"blue", "_internal"}
    assert PAGE["labels"] == ["BLUE"]


def test_another_order_is_no_change(hub: Hub) -> None:
    """
    A set has no order, so a server that gives it in another one has changed nothing.
    """
    PAGE["labels"] = ["BLUE", "RED"]

    report = bring(hub)

    assert report.changed == 0
    assert tags(hub) == {"red", "blue"}
