"""What of ours goes to Trello, and what does not."""

import pytest
from installation import Installation

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
"""Nothing here depends on the database."""


@pytest.fixture
def linked(site: Installation) -> Installation:
    """A board of two lists with a card each, on both sides."""
    site.connect(lists=2, cards=1)
    site.imports()
    return site


def waiting(site: Installation) -> list[str]:
    """List the waiting jobs by what they are about."""
    return sorted(f"{job.model}.{job.method}" for job in site.hub.queue.list(state="pending"))


def test_an_import_delays_nothing(linked: Installation) -> None:
    """Imports never echo."""
    assert waiting(linked) == []


def test_a_task_of_a_linked_project_goes_out(linked: Installation) -> None:
    """It is bound in the transaction that made it."""
    key = linked.create("project.task", name="New", **linked.place())

    assert waiting(linked) == ["trello.card.export_record"]
    assert [b["external_id"] for b in linked.bindings("trello.card", record_id=str(key))] == [None]


def test_a_private_task_stays_here(linked: Installation) -> None:
    """A task without project, and one of a project without board."""
    linked.create("project.task", name="Private")
    other = linked.create("project.project", name="Here only")
    linked.create("project.task", name="Also here", project_id=other)

    assert waiting(linked) == []


def test_a_task_that_joins_a_linked_project_goes_out(linked: Installation) -> None:
    """When it is given its place."""
    key = linked.create("project.task", name="Private")
    linked.write("project.task", key, **linked.place())

    assert linked.jobs() == []
    assert linked.card("Private")


def test_several_writes_are_one_export(linked: Installation) -> None:
    """A job that waits already serves for all."""
    task = linked.ours()[0]
    for number in range(3):
        linked.write("project.task", task["id"], name=f"Version {number}")

    assert waiting(linked) == ["trello.card.export_record"]


def test_a_write_that_changes_nothing_delays_nothing(linked: Installation) -> None:
    """The same values again."""
    task = linked.ours()[0]
    linked.write("project.task", task["id"], name=task["name"], sequence=task["sequence"])

    assert waiting(linked) == []


def test_a_stage_gets_a_list_when_a_linked_project_uses_it(linked: Installation) -> None:
    """Not before."""
    stage = linked.create("project.task.type", name="Later")
    before = waiting(linked)
    linked.write("project.task.type", stage, project_ids=[linked.ours("project.project")[0]["id"]])

    assert (before, waiting(linked)) == ([], ["trello.list.export_record"])


def test_a_change_that_is_rolled_back_delays_nothing(linked: Installation) -> None:
    """The job is in the same transaction."""
    task = linked.ours()[0]
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(linked, task["id"])

    assert waiting(linked) == []


def _write_and_fail(site: Installation, key: int) -> None:
    with site.hub.env() as env:
        env["project.task"].write([key], {"name": "Never"})
        raise ZeroDivisionError


def test_a_disabled_backend_hears_nothing(linked: Installation) -> None:
    """And what changed meanwhile is exported by a run after it is enabled again."""
    from isthmus.sync import service

    task = linked.ours()[0]
    with linked.hub.env() as env:
        linked.backend(env).write({"active": False})
    linked.write("project.task", task["id"], name="Meanwhile")
    quiet = waiting(linked)
    with linked.hub.env() as env:
        linked.backend(env).write({"active": True})
    with linked.hub.env() as env:
        report = service.export_backend(env, linked.backend(env))

    assert (quiet, report.sentence()) == ([], "1 updated")
    assert linked.card("Meanwhile")
