"""Chains, groups and what follows them become jobs and edges between them."""

import gc
import logging
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from isthmus.env import Env
from isthmus.errors import JobArgumentError, JobDefinitionError
from isthmus.hub import Hub
from isthmus.job import State
from isthmus.job.graph.layout import lay_out
from isthmus.job.graph.part import Part, use
from isthmus.job.graph.plan import chain, group

Call = Callable[[str], Any]
DONE, FAILED = State.DONE, State.FAILED


@pytest.fixture
def call(notes: Any) -> Call:
    """Prepares a call: ``call("a")``."""
    return lambda text: notes.delayable().copy(text)


def shown(top: Part) -> list[str]:
    """Show the edges of a graph by its calls' texts: ``a > b``, ``a ! b`` for a failure, + for a join."""
    layout = lay_out(top)
    names = ["+" if part is None else part._prepared().args[0] for part in layout.calls]
    for part in layout.parts:
        use(part)
    signs = {DONE: ">", FAILED: "!"}
    return sorted(f"{names[parent]} {signs[on]} {names[child]}" for parent, child, on in layout.edges)


def texts(top: Part) -> list[str]:
    """Show the calls in their order."""
    layout = lay_out(top)
    return ["+" if part is None else part._prepared().args[0] for part in layout.calls]


class TestShapes:
    """What leads to what."""

    def test_a_chain_runs_one_after_the_other(self, call: Call) -> None:
        """
        Each waits for the one before it only.
        """
        assert shown(chain(call("a"), call("b"), call("c"))) == ["a > b", "b > c"]

    def test_a_group_runs_beside_each_other(self, call: Call) -> None:
        """
        What follows a group follows all of it.
        """
        assert shown(group(call("a"), call("b")).on_done(call("c"))) == ["a > c", "b > c"]

    def test_a_chain_that_begins_with_a_chain(self, call: Call) -> None:
        """
        What comes before it leads to its very first job, and its very last one to what comes after.
        """
        inner = chain(chain(call("a"), call("b")), chain(call("c"), call("d")))

        assert shown(call("x").on_done(inner.on_done(call("y")))) == [
            "a > b",
            "b > c",
            "c > d",
            "d > y",
            "x > a",
        ]

    def test_groups_in_chains_in_groups(self, call: Call) -> None:
        """
        Any nesting.
        """
        deep = group(chain(call("a"), group(call("b"), call("c")), call("d")), call("e"))

        assert shown(deep.on_done(call("f"))) == ["a > b", "a > c", "b > d", "c > d", "d > f", "e > f"]

    def test_what_follows_an_item_is_no_item(self, call: Call) -> None:
        """
        The rest of a chain does not wait for what hangs on one of its items.
        """
        assert shown(chain(call("a").on_done(call("x")), call("b"))) == ["a > b", "a > x"]

    def test_one_call_that_stands_twice_is_one_job(self, call: Call) -> None:
        """
        So a diamond is written with names.
        """
        top, bottom = call("a"), call("d")
        diamond = group(chain(top, call("b"), bottom), chain(top, call("c"), bottom))

        assert texts(diamond) == ["a", "b", "c", "d"]
        assert shown(diamond) == ["a > b", "a > c", "b > d", "c > d"]

    def test_two_that_are_followed_by_the_same(self, call: Call) -> None:
        """
        It waits for both, and stands after both although it was written before one of them.
        """
        first, second, last = call("a"), call("b"), call("c")
        first.on_done(last)
        second.on_done(last)
        both = group(first, second)

        assert texts(both) == ["a", "b", "c"]
        assert shown(both) == ["a > c", "b > c"]

    @pytest.mark.parametrize("empty", [chain, group, lambda: group(chain(), group(chain()))])
    def test_empty_structures_are_as_if_absent(self, call: Call, empty: Callable[[], Any]) -> None:
        """
        What comes before them leads to what comes after.
        """
        assert shown(chain(empty(), call("a"), empty(), empty(), call("b"), empty())) == ["a > b"]
        assert shown(chain(call("a"), group(empty(), call("b")), call("c"))) == ["a > b", "b > c"]
        assert shown(chain(call("a"), empty().on_done(call("x")), call("b"))) == ["a > b", "a > x"]
        assert shown(call("a").on_done(empty())) == []
        assert empty().delay() == []

    def test_lists_and_generators_are_taken(self, call: Call) -> None:
        """
        As one argument.
        """
        assert shown(chain([call("a"), call("b")])) == ["a > b"]
        assert shown(group(call(name) for name in "ab").on_done(call("c"))) == ["a > c", "b > c"]

    def test_many_before_many_meet_in_a_join(self, call: Call) -> None:
        """
        It takes as many edges as there are jobs, not their product.
        """
        meet = chain(group(map(call, "abc")), group(map(call, "def")))
        inside = group(meet, call("g")).on_done(call("z"))

        assert texts(inside) == ["a", "b", "c", "+", "d", "e", "f", "g", "z"]
        assert shown(inside) == [
            "+ > d", "+ > e", "+ > f", "a > +", "b > +", "c > +", "d > z", "e > z", "f > z", "g > z",
        ]  # fmt: skip

    def test_groups_that_follow_a_group_share_its_join(self, call: Call) -> None:
        """
        Whether it is followed by one thing or by several.
        """
        many = group(map(call, "abc")).on_done(call("d"), call("e")).on_done(call("f"))

        assert shown(group(many)) == ["+ > d", "+ > e", "+ > f", "a > +", "b > +", "c > +"]


class TestFailures:
    """What runs when something fails."""

    def test_a_call_s_failure(self, call: Call) -> None:
        """
        Of one call.
        """
        assert shown(call("a").on_done(call("b")).on_failure(call("h"))) == ["a ! h", "a > b"]

    def test_any_failure_in_a_structure(self, call: Call) -> None:
        """
        Of all items, but not of what follows them.
        """
        whole = chain(call("a").on_done(call("x")), group(call("b"), call("c"))).on_failure(call("h"))

        assert shown(whole) == ["a ! h", "a > b", "a > c", "a > x", "b ! h", "c ! h"]

    def test_failures_on_several_levels(self, call: Call) -> None:
        """
        Each watches its own.
        """
        inner = group(call("a"), call("b")).on_failure(call("h"))

        assert shown(chain(inner, call("c")).on_failure(call("i"))) == [
            "a ! h", "a ! i", "a > c", "b ! h", "b ! i", "b > c", "c ! i",
        ]  # fmt: skip

    def test_many_that_watch_many_share_a_join(self, call: Call) -> None:
        """
        The first failure lets it, and so all of them, begin.
        """
        watched = group(map(call, "abc")).on_failure(group(map(call, "hij")))

        assert shown(watched) == ["+ > h", "+ > i", "+ > j", "a ! +", "b ! +", "c ! +"]

    def test_a_join_beside_other_failures_is_looked_through(self, call: Call) -> None:
        """
        Since the first of all failures is what counts.
        """
        one = call("h")
        watched = group(map(call, "abc")).on_failure(one, call("i"), call("j"))

        assert [e for e in shown(group(watched, call("d").on_failure(one))) if e.endswith("h")] == [
            "a ! h", "b ! h", "c ! h", "d ! h",
        ]  # fmt: skip

    def test_success_and_failure_cannot_both_be_waited_for(self, call: Call) -> None:
        """
        It would never run.
        """
        last = call("c")

        with pytest.raises(JobDefinitionError) as caught:
            call("a").on_done(last).on_failure(last).delay()
        assert str(caught.value) == (
            "<delayable <model unit.job.note>.copy> waits for the success and for the failure of others, "
            "which does not happen together: prepare one call for on_done and another one for on_failure"
        )
        use(last)


class TestRefusals:
    """What is no graph."""

    def test_a_circle_is_refused_with_its_jobs(self, notes: Any) -> None:
        """
        In the order of waiting.
        """
        first, second = notes.delayable().copy("a"), notes.delayable().copy_later("b")
        first.on_done(second)
        second.on_done(first)

        with pytest.raises(JobDefinitionError) as caught:
            group(first, second).delay()
        assert str(caught.value) == (
            "jobs wait for each other in a circle: <delayable <model unit.job.note>.copy> -> "
            "<delayable <model unit.job.note>.copy_later> -> <delayable <model unit.job.note>.copy>"
        )

    @pytest.mark.parametrize("empty", [True, False])
    def test_a_structure_that_follows_itself(self, call: Call, empty: bool) -> None:
        """
        Also when it is empty, and when it goes through a join.
        """
        top = group(() if empty else map(call, "abc"))
        top.on_done(chain(group(), top))

        with pytest.raises(JobDefinitionError, match="in a circle"):
            group(top).delay()

    def test_the_same_twice_in_a_chain_is_a_circle(self, call: Call) -> None:
        """
        It cannot run after itself.
        """
        one = call("a")

        with pytest.raises(JobDefinitionError, match="in a circle"):
            chain(one, one).delay()

    def test_a_part_is_delayed_with_its_whole(self, call: Call) -> None:
        """
        Not by itself: one would not know whether the rest is meant.
        """
        one = call("a")
        whole = chain(one, call("b"))

        with pytest.raises(JobDefinitionError) as caught:
            one.delay()
        assert str(caught.value) == (
            "<delayable <model unit.job.note>.copy> is part of <chain of <delayable <model "
            "unit.job.note>.copy>, <delayable <model unit.job.note>.copy>>: "
            "delay that, and all of it is delayed"
        )
        use(whole)

    def test_all_that_is_waited_for_must_be_there(self, call: Call) -> None:
        """
        What is missing is named.
        """
        first, second, last = call("a"), call("b"), call("c")
        first.on_done(last)
        second.on_done(last)

        with pytest.raises(JobDefinitionError, match=r"is part of .* too, .*put both into one group\(\)"):
            first.delay()
        use(first)
        use(second)

    def test_only_prepared_calls_are_parts(self, call: Call, notes: Any) -> None:
        """
        Neither other things nor calls without a method.
        """
        with pytest.raises(JobDefinitionError, match="'a' cannot be part of a graph"):
            group("a")
        with pytest.raises(JobDefinitionError, match="has nothing to delay: call a method on it first"):
            chain(notes.delayable(), notes.delayable()).delay()

    def test_a_graph_has_one_unit_of_work(self, hub: Hub, call: Call) -> None:
        """
        Its jobs are stored together or not at all.
        """
        with hub.env() as other:
            both = group(call("a"), other["unit.job.note"].delayable().copy("b"))
            with pytest.raises(JobDefinitionError, match="belongs to another unit of work"):
                both.delay()
            use(both)

    def test_what_was_delayed_is_used_up(self, call: Call) -> None:
        """
        A second job of it, or a graph around it, would not be what it looks like.
        """
        one = call("a")
        one.delay()

        for again in (one.delay, lambda: chain(one), lambda: one.on_done(call("b")), lambda: one.split(2)):
            with pytest.raises(JobDefinitionError, match="was delayed already: prepare it once more"):
                again()


class TestForgetting:
    """What was prepared and is gone."""

    def test_a_forgotten_structure_is_told_of_once(
        self, call: Call, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Not once for each of its calls.
        """
        forgotten = chain(group(map(call, "abcdefg")), call("x")).on_done(call("y"))

        gc.collect()  # what other tests have left

        with caplog.at_level(logging.WARNING, "isthmus.job"):
            caplog.clear()
            del forgotten
            gc.collect()

        assert caplog.messages == [
            "<chain of <group of 7>, <delayable <model unit.job.note>.copy>> was prepared but never delayed"
        ]

    def test_what_was_delayed_or_is_empty_is_not_told_of(
        self, call: Call, env: Env, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Silence is the rule.
        """
        gc.collect()  # what other tests have left
        caplog.clear()

        with caplog.at_level(logging.WARNING, "isthmus.job"), env.context(job_no_delay=True):
            chain(call("a"), group(call("b"))).on_done(call("c")).delay()
            group()
            gc.collect()

        assert caplog.messages == []


class TestLarge:
    """Graphs of many jobs."""

    def test_memory_is_bounded(self, notes: Any, call: Call) -> None:
        """
        Less than a kilobyte for each job, also while edges are found.
        """
        jobs = 4_000
        call("a").delay()  # what is made once
        tracemalloc.start()
        whole = chain(group(notes.delayable().copy(n) for n in range(half)) for half in (jobs // 2,) * 2)
        held, _ = tracemalloc.get_traced_memory()
        layout = lay_out(whole)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        use(whole)

        assert len(layout.edges) == jobs
        assert held / jobs < 600
        assert peak / jobs < 1_500

    def test_depth_is_not_bounded_by_recursion(self, call: Call) -> None:
        """
        Neither inwards nor onwards, nor for what is shown and let go of.
        """
        depth = 10_000
        inwards = onwards = call("a")
        for _ in range(depth):
            inwards = chain(group(inwards))
        for _ in range(depth):
            onwards = call("b").on_done(onwards)
        whole = group(inwards.on_failure(call("h")), onwards)

        layout = lay_out(whole)
        shown = repr(whole), repr(inwards)
        use(whole)

        assert len(layout.edges) == depth + 1
        assert shown[1] == "<chain of <group of 1>>"


class TestSplit:
    """One call with a list becomes several."""

    def test_slices_run_beside_each_other(self, notes: Any) -> None:
        """
        Each has its part of the list, the other arguments, and a number in its description.
        """
        whole = notes.delayable(priority=3).copy([1, 2, 3, 4, 5], times=2).split(2)
        calls = [part._prepared() for part in lay_out(whole).calls if part]
        use(whole)

        assert [(c.args, c.kwargs, c.priority) for c in calls] == [
            (([1, 2],), {"times": 2}, 3), (([3, 4],), {"times": 2}, 3), (([5],), {"times": 2}, 3),
        ]  # fmt: skip
        assert [c.description for c in calls] == [
            f"Write the text once more. (split {n}/3)" for n in (1, 2, 3)
        ]

    def test_or_one_after_the_other(self, notes: Any) -> None:
        """
        And what followed the call follows the last of them; the list may be given by name.
        """
        last = notes.delayable().copy("z")
        whole = notes.delayable().copy(text=["a", "b"]).on_done(last).split(1, chain=True)

        layout = lay_out(whole)
        use(whole)

        assert [part._prepared().args[0] for part in layout.calls if part] == [["a"], ["b"], "z"]
        assert list(layout.edges) == [(0, 1, DONE), (1, 2, DONE)]

    def test_identity_keys_stay_apart(self, notes: Any) -> None:
        """
        Else all slices but the first would be taken for it.
        """
        whole = notes.delayable(identity_key="k").copy([1, 2]).split(1)
        keys = [part._prepared().identity_key() for part in lay_out(whole).calls if part]
        use(whole)

        assert keys == ["k (split 1/2)", "k (split 2/2)"]

    def test_an_empty_list_gives_nothing(self, notes: Any) -> None:
        """
        Which is legal in a graph.
        """
        assert notes.delayable().copy([]).split(10).delay() == []

    def test_what_cannot_be_split(self, notes: Any, call: Call) -> None:
        """
        Says why.
        """
        one = call("a")
        with pytest.raises(JobArgumentError, match="is to be a list of ids or records, not str"):
            one.split(2)
        with pytest.raises(JobArgumentError, match="takes a size from 1 on, not 0"):
            one.split(0)
        with pytest.raises(JobDefinitionError, match="has nothing to delay"):
            notes.delayable().split(2)
        many = notes.delayable().copy([1, 2])
        whole = chain(many)
        with pytest.raises(JobDefinitionError, match=r"is part of .* already: split it before that"):
            many.split(1)
        use(one)
        use(whole)
