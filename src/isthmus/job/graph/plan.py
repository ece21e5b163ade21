"""Calls that wait for each other: chains and groups of prepared calls."""

from collections.abc import Iterable
from typing import Any

from isthmus.env import Env
from isthmus.errors import JobDefinitionError
from isthmus.job.call import Call, JobRef
from isthmus.job.graph.join import join_call
from isthmus.job.graph.layout import lay_out
from isthmus.job.graph.part import Part, Prepared, Structure, use


class Plan(Structure):
    """A chain or a group: a structure that can be delayed as a whole."""

    __slots__ = ()

    def delay(self) -> list[JobRef]:
        """Make the jobs, all in the transaction of their env.

        Returns:
            The jobs, in the order in which they stand in it; what stands in it twice is one job.

        Raises:
            JobDefinitionError: When jobs wait for each other in a circle, and when this is part of
                something larger: that is to be delayed.
        """  # noqa: DOC502 - raised by what is called
        return [ref for _, ref in delay_all(self)]


class Chain(Plan):
    """Parts that run one after the other; made by `chain`."""

    __slots__ = ()
    in_line = True
    word = "chain"


class Group(Plan):
    """Parts that run beside each other; made by `group`."""

    __slots__ = ()
    in_line = False
    word = "group"


def chain(*items: Part | Iterable[Part]) -> Chain:
    """Let calls run one after the other, each when the one before it is done.

    ``chain(board.delayable().fetch(), group(a.delayable().load(), b.delayable().load())).delay()``

    Args:
        *items: Prepared calls, chains and groups, or one iterable of them; none is legal.

    Raises:
        JobDefinitionError: When one is something else, or was delayed already.
    """  # noqa: DOC502 - raised by what is called
    return Chain(_listed(items))


def group(*items: Part | Iterable[Part]) -> Group:
    """Let calls run beside each other.

    ``group(card.delayable().load() for card in cards).on_done(board.delayable().sum_up()).delay()``

    Args:
        *items: Prepared calls, chains and groups, or one iterable of them; none is legal.

    Raises:
        JobDefinitionError: When one is something else, or was delayed already.
    """  # noqa: DOC502 - raised by what is called
    return Group(_listed(items))


def _listed(items: tuple[Any, ...]) -> Iterable[Part]:
    if len(items) == 1 and isinstance(items[0], Iterable) and not isinstance(items[0], (Part, str)):
        return items[0]
    return items


def delay_all(top: Part) -> list[tuple[Prepared, JobRef]]:
    """Make jobs of a prepared call, chain or group and of all that follows it.

    Args:
        top: The whole of it.

    Returns:
        The prepared calls with their jobs, in order.

    Raises:
        JobDefinitionError: When it cannot be laid out, was delayed before, has a call without a method,
            or calls of several units of work.
    """  # noqa: DOC502 - raised by what is called
    top._check_unused()
    layout = lay_out(top)
    prepared = [part for part in layout.calls if part is not None]
    if prepared:
        env = prepared[0]._prepared().env
        calls = [join_call(env) if part is None else part._prepared() for part in layout.calls]
        _refuse_two_envs(env, calls)
        queue = prepared[0]._queue
        refs = queue.put_graph(env, calls, layout.edges) if layout.edges else queue.put_many(calls)
    else:
        refs = []
    for part in layout.parts:
        use(part)
    return [(part, ref) for part, ref in zip(layout.calls, refs, strict=True) if part is not None]


def _refuse_two_envs(env: Env, calls: list[Call]) -> None:
    for call in calls:
        if call.env is not env:
            raise JobDefinitionError(
                f"{call.label} belongs to another unit of work than the first job of the graph: "
                f"prepare all of a graph's jobs in one env"
            )
