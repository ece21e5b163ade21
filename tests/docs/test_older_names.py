"""Whoever knows an older name finds ours, and what is written there works."""

import ast
import importlib
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from isthmus.component import AbstractComponent, ComponentRegistry, declared_components
from isthmus.hub import Hub
from isthmus.testing import Databases
from isthmus.testing.hubs import HubMaker

PAGE = (Path(__file__).parents[2] / "docs/reference/older-names.md").read_text()
ROWS = re.findall(r"(?m)^\| (?!older name)(.+?) \| ([^|`]+) \| `(.+?)` \|(.*)\|$", PAGE)
OPEN = ("component", "event", "env", "adapter", "mapping", "binding", "backend", "job", "sync", "errors")
ACTS = re.compile(r"\b(notify|bind|save|add_checkpoint)\(")
"""What is done for its effect and answers nothing."""
ASKED = [
    "ConnectorUnit", "Environment", "ConnectorEnvironment", "ConnectorSession", "ConnectorSessionHandler",
    "MetaConnectorUnit", "to_openerp", "to_backend", "get_connector_unit_for_model", "unit_for",
    "get_binder_for_model", "match", "replacing", "install_in_connector", "is_module_installed", "set_lang",
    "_inherits", "BaseBinder", "browse=", "last_sync_date", "get_last_order_date", "generic.exporter",
    "openerp_id", "odoo_id", "ExportSynchronizer", "ImportSynchronizer", "DeleteSynchronizer",
    "m2o_to_backend", "backend_to_m2o", "an item to review", "a progress marker", "connector_no_export",
    "with_delay", "@job", "related_action", "RetryableJobError", "work_on", "_model_name", "on_record_create",
    "queue.job.function", "channels = root", "jobrunner", "QUEUE_JOB__NO_DELAY", "queue_job_cron",
    "queue_job_batch", "on_fail_method", "allow_commit", "button_done", "button_cancelled", "requeue()",
    "removal_interval", "enqueued", "JobFoundDead", "ChannelNotFound", "_patch_job_auto_delay", "trap_jobs",
]  # fmt: skip


@pytest.fixture(scope="module")
def hub(isthmus_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with a Trello backend, a task, its binding and a cursor."""
    maker = HubMaker(isthmus_databases, tmp_path_factory.mktemp("older_names"))
    made = maker()
    with made.env(connector_no_export=True) as env:
        backend = env["trello.backend"].create({"name": "trello", "url": "http://127.0.0.1:9"})
        backend.set_credentials({"key": "0" * 32, "token": "0" * 64})
        task = env["project.task"].create({"name": "Call back"})
        linked = {"backend_id": backend.id, "record_id": str(task.id), "external_id": "card-1"}
        env["trello.card"].create(linked)
        cursors = importlib.import_module("isthmus.sync").CursorBook(env, backend.id)
        cursors.save("trello.actions/board-1", {"since": "a1"})
    yield made
    maker.close()


@pytest.fixture
def names(hub: Hub) -> Iterator[dict[str, Any]]:
    """The names that the page says there are; whatever a row writes is undone."""
    found: dict[str, Any] = {"__name__": "older_names_of_the_page", "hub": hub, "timedelta": timedelta}
    for package in OPEN:
        found |= vars(importlib.import_module(f"isthmus.{package}"))
    with hub.env(user="anna") as env:
        backend = env["trello.backend"].search([])[0]
        with backend.work_on("trello.card") as work:
            found |= {
                "env": env,
                "backend": backend,
                "task": env["project.task"].search([])[0],
                "binding": env["trello.card"].search([])[0],
                "work": work,
                "self": work.component(usage="record.importer"),
                "binder": work.component(usage="binder"),
            }
            yield found
        env.transaction.rollback()


@pytest.mark.parametrize(("older", "code"), [(row[0], row[2]) for row in ROWS])
def test_what_stands_beside_an_older_name_works(older: str, code: str, names: dict[str, Any]) -> None:
    """
    The third column runs as it stands, and an expression in it gives something.
    """
    *first, last = ast.parse(code).body
    exec(compile(ast.Module(first, []), "older-names.md", "exec"), names)

    if isinstance(last, ast.Expr):
        found = eval(compile(ast.Expression(last.value), "older-names.md", "eval"), names)
        assert found is not False
        assert found is not None or ACTS.search(ast.unparse(last))
    else:
        exec(compile(ast.Module([last], []), "older-names.md", "exec"), names)
    declared = [c for c in names.values() if getattr(c, "__module__", "") == names["__name__"]]
    components = [c for c in declared if isinstance(c, type) and issubclass(c, AbstractComponent)]
    built = ComponentRegistry.build([*declared_components("isthmus"), *components])
    assert all((c._name or c._inherit) in built for c in components)


@pytest.mark.parametrize("name", ASKED)
def test_a_name_of_the_field_is_in_the_table(name: str) -> None:
    """
    No name that people come with is missing.
    """
    assert any(name in older for older, *_ in ROWS)


def test_every_row_is_read() -> None:
    """
    The table has no row whose form the tests pass over.
    """
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| older")]

    assert len(ROWS) == len(lines)
