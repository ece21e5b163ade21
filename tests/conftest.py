"""Fixtures for every test: real databases of both kinds."""

import logging
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isthmus.testing.databases import KINDS, Databases, Kind


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave helper modules to those who import them: looking for doctests would import them twice."""
    name = collection_path.name
    helper = name.endswith(".py") and not name.startswith("test_") and name != "conftest.py"
    return True if helper else None


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """A command that runs in this process sets up its log; the next test has the one of before."""
    loggers = [logging.getLogger(name) for name in (None, "isthmus", "httpx2")]
    handlers, levels = loggers[0].handlers[:], [logger.level for logger in loggers]
    yield
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="session")
def databases(isthmus_databases: Databases) -> Databases:
    """Makes databases of both kinds."""
    return isthmus_databases


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> Kind:
    """Runs the test once for each kind of database."""
    return request.param


@pytest.fixture
def database_url(databases: Databases, database_kind: Kind) -> Iterator[str]:
    """An empty database, once of each kind."""
    with databases.fresh(database_kind) as url:
        yield url


def migrate(url: str) -> None:
    """Bring a database to the schema that a hub needs."""
    # Here, because most tests need no hub.
    from isthmus.hub import Hub
    from isthmus.settings import Settings

    with Hub(Settings(database_url=url)) as hub:
        hub.upgrade()


@pytest.fixture
def migrated_database_url(databases: Databases, database_kind: Kind) -> Iterator[str]:
    """A database with the schema of the core, the Trello plugin and the bundled models, once of each kind."""
    with databases.fresh(database_kind, migrate) as url:
        yield url


@pytest.fixture
def high_file_numbers() -> Iterator[None]:
    """Files that are opened have numbers beyond 1,024, as in a program with many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4_096)), hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    while taken[-1] < 1_024:
        taken.append(os.dup(taken[0]))
    yield
    for file in taken:
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what tests have counted (``record_property("told", ...)``), also those of other processes."""
    reports = [
        r for reports in terminalreporter.stats.values() for r in reports if hasattr(r, "user_properties")
    ]
    told = [
        line
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, line in report.user_properties
        if name == "told"
    ]
    if told:
        terminalreporter.section("counted")
        for line in sorted(told):
            terminalreporter.write_line(line)
