"""Without a queue, delayed calls run at once: graphs in their order, with results and failures as usual."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.env import Env, ModelExtension
from isthmus.errors import JobArgumentError, SkipRecord
from isthmus.hub import Hub
from isthmus.job import State, job
from isthmus.job.graph.plan import chain, group
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel

NOTE = "unit.job.step"


class StepNote(SqlModel):
    """A record that jobs write."""

    __tablename__ = "unit_job_step"
    _name = NOTE

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Steps(ModelExtension):
    """Jobs that tell in which order they ran."""

    _inherit = NOTE

    @job
    def step(self, name: str) -> str:
        """Write the name, and what was seen of those before."""
        seen = ",".join(str(result) for result in self.env.parent_results)
        self.env[NOTE].create({"text": f"{name}({seen})" if seen else name})
        return name

    @job
    def lose(self, name: str) -> None:
        """Fail."""
        raise ValueError(f"{name} is lost")

    @job
    def skip(self) -> None:
        """Have nothing to do."""
        raise SkipRecord("nothing new")

    @job
    def tell(self) -> None:
        """Write what failed."""
        self.env[NOTE].create({"text": "; ".join(self.env.parent_errors)})

    @job
    def find(self) -> Any:
        """Give a record in a container."""
        return (self.env[NOTE].create({"text": "found"}), {"at": 1})

    @job
    def use(self) -> None:
        """Use the record."""
        ((record, _),) = self.env.parent_results
        record.write({"text": "used"})


@pytest.fixture
def step_hub(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Hub]:
    """A hub with these jobs, inline or not."""
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'inline.db'}", plugins=(), models=(),
        job={"no_delay": getattr(request, "param", True)},  # type: ignore[arg-type]
    )  # fmt: skip
    with Hub(settings, plugins=[], models={NOTE: StepNote}, extensions=[Steps]) as made:
        SqlModel.metadata.create_all(made.engine)
        yield made


@pytest.fixture
def step_env(step_hub: Hub) -> Iterator[Env]:
    """A unit of work."""
    with step_hub.env() as env:
        yield env


@pytest.fixture
def steps(step_env: Env) -> Any:
    """The model."""
    return step_env[NOTE]


def written(env: Env) -> list[str]:
    """Tell what the jobs wrote, in order."""
    return [note.text for note in env[NOTE].search([], order="id")]


def test_a_graph_runs_in_its_order_and_hands_results_on(step_env: Env, steps: Any) -> None:
    """
    Each call sees what those before it returned; the references hold it as well.
    """
    a, b, c, d = (steps.delayable().step(name) for name in "abcd")

    refs = chain(a, group(b, c), d).delay()

    assert written(step_env) == ["a", "b(a)", "c(a)", "d(b,c)"]
    assert [(ref.id, ref.result) for ref in refs] == [(None, "a"), (None, "b"), (None, "c"), (None, "d")]


def test_results_come_through_a_join(step_env: Env, steps: Any) -> None:
    """
    In the order in which the calls were prepared.
    """
    first, second = ([steps.delayable().step(name) for name in names] for names in ("abc", "xyz"))

    refs = chain(group(first), group(second)).delay()

    assert written(step_env)[3:] == ["x(a,b,c)", "y(a,b,c)", "z(a,b,c)"]
    assert len(refs) == 6


def test_a_context_key_does_the_same(step_hub: Hub, step_env: Env, steps: Any) -> None:
    """
    For one block; nothing is stored.
    """
    with step_env.context(job_no_delay=True):
        steps.delayable().step("a").on_done(steps.delayable().step("b")).delay()
        steps.with_delay().step.map([("c",), ("d",)])

    assert written(step_env) == ["a", "b(a)", "c", "d"]
    assert step_hub.queue.list() == []


def test_an_error_is_the_callers(step_env: Env, steps: Any) -> None:
    """
    What was to come is not run.
    """
    graph = chain(steps.delayable().step("a"), steps.delayable().lose("b"), steps.delayable().step("c"))

    with pytest.raises(ValueError, match="b is lost"):
        graph.delay()
    assert written(step_env) == ["a"]


def test_what_watches_for_a_failure_runs_instead(step_env: Env, steps: Any) -> None:
    """
    And hears what went wrong; otherwise it is left out.
    """
    bad = chain(steps.delayable().lose("b"), steps.delayable().step("c")).on_failure(steps.delayable().tell())
    good = steps.delayable().step("d").on_failure(steps.delayable().tell())

    group(bad, good).delay()

    assert written(step_env) == ["b is lost", "d"]


def test_a_skipped_call_counts_as_done(step_env: Env, steps: Any) -> None:
    """
    Its reason is the result.
    """
    ref = steps.delayable().skip().on_done(steps.delayable().step("a")).delay()

    assert ref.result == "nothing new"
    assert written(step_env) == ["a(nothing new)"]


def test_results_are_records_again(step_env: Env, steps: Any) -> None:
    """
    As they are for a worker.
    """
    steps.delayable().find().on_done(steps.delayable().use()).delay()

    assert written(step_env) == ["used"]


def test_results_that_are_not_waited_for_are_given_as_they_are(steps: Any) -> None:
    """
    Also what could not be stored.
    """
    assert type(steps.with_delay().find().result) is tuple


@pytest.mark.parametrize("step_hub", [False], indirect=True)
class TestStored:
    """The same graphs through the queue."""

    def test_a_worker_hands_results_on(self, step_hub: Hub) -> None:
        """
        Through a join, in the order in which the calls were prepared.
        """
        with step_hub.env() as env:
            call = env[NOTE].delayable
            refs = chain(group(call().step(n) for n in "abc"), group(call().step(n) for n in "xyz")).delay()
        waiting = step_hub.queue.counts()[State.WAIT_DEPENDENCIES]
        step_hub.queue.run_pending()

        with step_hub.env() as env:
            assert written(env) == ["a", "b", "c", "x(a,b,c)", "y(a,b,c)", "z(a,b,c)"]
        assert waiting == 4
        assert [step_hub.queue.show(ref.id or 0).state for ref in refs] == ["done"] * 6

    def test_a_worker_runs_what_watches_for_failures(self, step_hub: Hub) -> None:
        """
        What waits for success goes on waiting; a person's retry lets it run.
        """
        with step_hub.env() as env:
            call = env[NOTE].delayable
            graph = chain(call().lose("b"), call().step("c")).on_failure(call().tell())
            lost, last, told = graph.delay()
        step_hub.queue.run_pending()
        states = [step_hub.queue.show(ref.id or 0).state for ref in (lost, last, told)]
        step_hub.queue.done([lost.id or 0], by="anna")
        step_hub.queue.run_pending()

        with step_hub.env() as env:
            assert written(env) == ["b is lost", "c(None)"]
        assert states == ["failed", "wait_dependencies", "done"]

    def test_many_calls_at_once(self, step_hub: Hub) -> None:
        """
        Each element is the arguments of one call.
        """
        with step_hub.env() as env:
            refs = env[NOTE].with_delay(priority=2).step.map((name,) for name in "abc")
            none = env[NOTE].with_delay().step.map([])
        step_hub.queue.run_pending()

        with step_hub.env() as env:
            assert written(env) == ["a", "b", "c"]
        assert [step_hub.queue.show(ref.id or 0).priority for ref in refs] == [2, 2, 2]
        assert list(none) == []

    def test_many_calls_with_identity_keys(self, step_hub: Hub) -> None:
        """
        The key is made of each call.
        """
        with step_hub.env() as env:
            delayed = env[NOTE].with_delay(identity_key=lambda call: call.args[0])
            refs = list(delayed.step.map([("a",), ("b",), ("a",)]))

        assert [ref.is_duplicate for ref in refs] == [False, False, True]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                ["ab"],
                r"map of job unit.job.step.step takes a tuple of arguments for each call, such as \(7,\)",
            ),
            ([("a",), ("b", "c")], "step cannot be called like this: too many positional arguments"),
            ([("a",), (object(),)], "argument 'name' of job unit.job.step.step cannot be stored"),
        ],
    )
    def test_one_wrong_call_among_many(self, step_hub: Hub, arguments: list[Any], message: str) -> None:
        """
        Refuses all.
        """
        with step_hub.env() as env, pytest.raises(JobArgumentError, match=message):
            env[NOTE].with_delay().step.map(arguments)
        assert step_hub.queue.list() == []
