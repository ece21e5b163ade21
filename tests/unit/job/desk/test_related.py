"""A job tells where a person finds what it is about."""

from collections.abc import Callable
from typing import Any

import pytest

from isthmus.env import ModelExtension
from isthmus.errors import JobDefinitionError
from isthmus.hub import Hub
from isthmus.job import Job, job
from isthmus.job.desk.related import related_action


class TaskJobs(ModelExtension):
    """Jobs that tell in different ways."""

    _inherit = "project.task"

    @job
    def plain(self) -> None:
        """Say nothing of it."""

    @job(related_action="open_online")
    def told(self) -> None:
        """Name a method."""

    @job(related_action="tell_nonsense")
    def nonsense(self) -> None:
        """Name one that returns something else."""

    def open_online(self) -> dict[str, Any]:
        """Say where it is."""
        task: Any = self
        return {"name": task.name, "url": f"https://tasks.example/{task.id}"}

    def tell_nonsense(self) -> int:
        """Return what is no mapping."""
        return 17


@pytest.fixture
def hub(isthmus_hub: Callable[..., Hub]) -> Hub:
    """A hub with the jobs."""
    return isthmus_hub(extensions=[TaskJobs])


def delayed(hub: Hub, method: str, *, on_model: bool = False) -> tuple[Any, Job]:
    """Delay a call on a task; gives the task's key and the job."""
    with hub.env() as env:
        task = env["project.task"].create({"name": "Call back"})
        target = env["project.task"] if on_model else task
        ref = getattr(target.with_delay(), method)()
    return task.id, hub.queue.show(ref.id)


def test_the_method_that_is_named_tells(hub: Hub) -> None:
    """
    What it returns is given as it is.
    """
    key, made = delayed(hub, "told")

    with hub.env(readonly=True) as env:
        assert related_action(env, made) == {"name": "Call back", "url": f"https://tasks.example/{key}"}


def test_otherwise_the_record_is_named(hub: Hub) -> None:
    """
    A record that was deleted meanwhile is said to be gone; a job on a model has none.
    """
    key, made = delayed(hub, "plain")
    _, modelled = delayed(hub, "plain", on_model=True)
    with hub.env(readonly=True) as env:
        there = related_action(env, made)
        on_model = related_action(env, modelled)
    with hub.env() as env:
        env["project.task"].unlink([key])
    with hub.env(readonly=True) as env:
        gone = related_action(env, made)

    assert there == {"name": f"project.task {key} (Call back)", "model": "project.task", "id": key}
    assert gone is not None
    assert gone["name"] == f"project.task {key}, which is gone"
    assert on_model is None


def test_a_method_that_does_not_fit_is_named(hub: Hub) -> None:
    """
    With the job that names it.
    """
    _, made = delayed(hub, "nonsense")

    with hub.env(readonly=True) as env, pytest.raises(JobDefinitionError) as caught:
        related_action(env, made)

    assert str(caught.value) == (
        "project.task.tell_nonsense is the related_action of a job: it returns a mapping, not int"
    )
