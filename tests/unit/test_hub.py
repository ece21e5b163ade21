"""The hub: made from settings, embedded in an application, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from isthmus.env import ModelExtension
from isthmus.errors import (
    ConfigurationError,
    ReadonlyError,
    SchemaError,
    SettingsError,
    UnknownFieldError,
    UnknownModelError,
)
from isthmus.event import EventListener
from isthmus.hub import Hub
from isthmus.job import job
from isthmus.settings import Settings
from isthmus.store.sql import make_engine


@pytest.fixture
def settings(migrated_database_url: str, tmp_path: Path) -> Settings:
    """Settings of a database with the whole schema."""
    return Settings(database_url=migrated_database_url, key_file=tmp_path / "isthmus.key")


@pytest.fixture
def hub(settings: Settings) -> Iterator[Hub]:
    """A hub over that database."""
    with Hub(settings) as made:
        yield made


# --- settings --------------------------------------------------------------------------


def test_an_unknown_group_of_models_is_named() -> None:
    """With the near names."""
    with pytest.raises(SettingsError, match=r"^setting 'models' names 'projects'; did you mean 'project'\?$"):
        Hub(Settings(database_url="sqlite://", models=("projects",)))


def test_an_extension_of_an_unknown_model_is_named() -> None:
    """It would never be reached."""
    stray = type("Stray", (ModelExtension,), {"_inherit": "project.tsak"})

    with pytest.raises(
        ConfigurationError, match=r"extends 'project.tsak', which no store has; did you mean 'project.task'"
    ):
        Hub(Settings(database_url="sqlite://"), extensions=[stray])


def test_an_empty_database_names_the_command(database_url: str, tmp_path: Path) -> None:
    """A hub from settings checks it."""
    (tmp_path / "isthmus.toml").write_text("page_size = 7")

    with pytest.raises(SchemaError, match=r"^the database is empty: run `isthmus db upgrade`"):
        Hub.from_settings(tmp_path / "isthmus.toml", database_url=database_url)


def test_a_hub_from_settings_reads_the_file(migrated_database_url: str, tmp_path: Path) -> None:
    """And what is given wins over it."""
    (tmp_path / "isthmus.toml").write_text("page_size = 7\npoll_s = 5")

    with Hub.from_settings(tmp_path / "isthmus.toml", database_url=migrated_database_url, poll_s=9) as hub:
        assert (hub.settings.page_size, hub.settings.poll_s) == (7, 9)


# --- envs ------------------------------------------------------------------------------


def _fail_in(hub: Hub) -> None:
    with hub.env() as env:
        env["project.project"].create({"name": "Lost"})
        raise ZeroDivisionError


def test_an_env_commits_at_its_end(hub: Hub) -> None:
    """And rolls back on an error."""
    with hub.env() as env:
        env["project.project"].create({"name": "Kept"})
    with pytest.raises(ZeroDivisionError):
        _fail_in(hub)

    with hub.env(readonly=True) as env:
        assert [p.name for p in env["project.project"].search()] == ["Kept"]


def test_a_readonly_env_refuses_every_write(hub: Hub) -> None:
    """Create, write, unlink and assignment."""
    with hub.env() as env:
        key = env["project.project"].create({"name": "Kept"}).id
    with hub.env(readonly=True) as env:
        model = env["project.project"]
        project = model.browse(key)
        for write in (
            lambda: model.create({"name": "no"}),
            lambda: project.write({"name": "no"}),
            lambda: setattr(project, "name", "no"),
            project.unlink,
        ):
            with pytest.raises(ReadonlyError, match=r"this env is readonly"):
                write()

    with hub.env(readonly=True) as env:
        assert [p.name for p in env["project.project"].search()] == ["Kept"]


def test_an_unknown_model_is_named(hub: Hub) -> None:
    """With the near names."""
    with (
        hub.env() as env,
        pytest.raises(
            UnknownModelError, match=r"unknown model 'project\.tasks'; did you mean 'project\.task"
        ),
    ):
        env["project.tasks"].search()


def test_an_unknown_field_of_a_domain_is_named(hub: Hub) -> None:
    """Also at the end of a dotted path."""
    with hub.env() as env:
        with pytest.raises(
            UnknownFieldError, match=r"model 'project\.task' has no field 'nmae'; did you mean 'name'"
        ):
            env["project.task"].search([("nmae", "=", "x")])
        with pytest.raises(UnknownFieldError, match=r"model 'project\.project' has no field 'nmae'"):
            env["project.task"].search([("project_id.nmae", "=", "x")])


# --- an application's own parts --------------------------------------------------------


class Base(DeclarativeBase):
    """An application's own base."""


class Invoice(Base):
    """An application's own table."""

    __tablename__ = "unit_hub_invoice"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str]
    state: Mapped[str] = mapped_column(default="draft")


class InvoiceJobs(ModelExtension):
    _inherit = "app.invoice"

    @job
    def post(self) -> str:
        self.write({"state": "posted"})  # type: ignore[attr-defined]
        return "posted"


class Application:
    """An application with an engine, mapped classes and sessions of its own."""

    def __init__(self, url: str, key_file: Path) -> None:
        self.heard: list[tuple[str, Any]] = []
        heard = self.heard
        self.engine = make_engine(url)
        Base.metadata.create_all(self.engine)
        self.sessions = sessionmaker(self.engine)

        class Listener(EventListener):
            _name = "app.listener"
            _apply_on = "app.invoice"

            def on_record_create(self, record: Any, fields: Any = None) -> None:
                heard.append(("create", record.number))
                record.with_delay().post()

            def on_record_write(self, record: Any, fields: Any = None) -> None:
                heard.append(("write", sorted(fields)))

        self.hub = Hub(
            Settings(database_url=url, key_file=key_file, plugins=()),
            plugins=[],
            models={"app.invoice": Invoice},
            components=[Listener],
            extensions=[InvoiceJobs],
            engine=self.engine,
        )


@pytest.fixture
def application(migrated_database_url: str, tmp_path: Path) -> Iterator[Application]:
    """The application with Isthmus inside; its tables lie beside ours."""
    made = Application(migrated_database_url, tmp_path / "isthmus.key")
    yield made
    made.hub.close()
    in_use = made.engine.pool.checkedout()  # type: ignore[attr-defined]
    Base.metadata.drop_all(made.engine)
    made.engine.dispose()
    assert in_use == 0


def test_own_classes_are_models(application: Application) -> None:
    """By their name or by the class."""
    with application.hub.env() as env:
        key = env[Invoice].create({"number": "R1"}).id
        same = env["app.invoice"].browse(key).number

    assert (same, application.heard) == ("R1", [("create", "R1")])


def test_an_own_session_keeps_its_transaction(application: Application) -> None:
    """What the env does is in it: nothing is committed by Isthmus, and a rollback takes the job as well."""
    with application.sessions() as session:
        session.add(Invoice(number="R1"))
        with application.hub.env(session=session) as env:
            env["app.invoice"].create({"number": "R2"})
        session.rollback()
    with application.sessions() as session:
        assert session.scalars(select(Invoice)).all() == []
    assert application.hub.queue.run_pending() == 0


def test_an_own_session_commits_what_the_env_did(application: Application) -> None:
    """Records, events and jobs together."""
    with application.sessions() as session:
        with application.hub.env(session=session, user="anna") as env:
            env["app.invoice"].create({"number": "R2"})
        session.commit()

    assert application.hub.queue.run_pending() == 1
    with application.sessions() as session:
        assert session.scalars(select(Invoice.state)).all() == ["posted"]


def test_watched_sessions_deliver_by_themselves(application: Application) -> None:
    """The application writes as it always did; events are delivered before its commit."""
    sessions = application.hub.watch(application.sessions, user="app")

    with sessions() as session:
        invoice = Invoice(number="R3")
        session.add(invoice)
        session.commit()
        invoice.number = "R4"
        session.commit()

    assert application.heard == [("create", "R3"), ("write", ["number"])]
    assert application.hub.queue.counts()["pending"] == 1


def test_a_watched_session_that_is_rolled_back_leaves_nothing(application: Application) -> None:
    """Neither record nor job."""
    sessions = application.hub.watch(application.sessions)

    with sessions() as session:
        session.add(Invoice(number="R3"))
        session.flush()
        session.rollback()
        session.commit()

    assert application.hub.queue.counts()["pending"] == 0


def test_the_engine_of_the_application_stays_open(application: Application) -> None:
    """The hub gives back only what it opened itself."""
    application.hub.close()

    with application.sessions() as session:
        assert session.scalars(select(Invoice)).all() == []


def test_two_hubs_over_one_database_share_everything(settings: Settings) -> None:
    """Classes are watched once, however many hubs there are: each change is told once."""
    heard: list[str] = []

    class Listener(EventListener):
        _name = "unit.hub.listener"
        _apply_on = "project.project"

        def on_record_create(self, record: Any, fields: Any = None) -> None:
            heard.append(record.name)

    with Hub(settings, components=[Listener]) as one, Hub(settings, components=[Listener]) as two:
        for number, hub in enumerate((one, two, one)):
            with hub.env() as env:
                env["project.project"].create({"name": str(number)})

    assert heard == ["0", "1", "2"]
