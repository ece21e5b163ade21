"""How many component lookups and notifications one thread makes in a second.

Each figure stands beside that of a hand-written loop that does the least one could do instead, from the
same run: figures of two machines, or of two days, cannot be compared, their ratios can.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any

from isthmus.component import Component, ComponentRegistry, WorkContext
from isthmus.event import EventListener, collect

MODELS = 10
USAGES = 20
LISTENERS = 5
ROUNDS = 5


class _Env:
    def __init__(self, components: ComponentRegistry) -> None:
        self.components = components


class _Backend:
    _name = "bench.backend"
    version_chain = ("1.7-acme", "1.7")

    def __init__(self, env: Any) -> None:
        self.env = env


def per_second(loop: Callable[[int], None], count: int = 200_000) -> float:
    """Run *loop* for *count* turns, several times, and give the best rate: noise only ever slows."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = perf_counter()
        loop(count)
        best = min(best, perf_counter() - start)
    return count / best


def lookups_per_second() -> dict[str, float]:
    """Look up one of 200 components, warm: from a work context, and from a component.

    Returns:
        Rates: ``hand_written`` (a dictionary of classes), ``work``, ``component``.
    """
    classes = [_declare_component(usage, model) for model in range(MODELS) for usage in range(USAGES)]
    work = WorkContext("model.3", _Backend(_Env(ComponentRegistry.build(classes))))
    component = work.component(usage="usage.5")
    by_usage = {f"usage.{number}": cls for number, cls in enumerate(classes)}

    def hand_written(count: int) -> None:
        for _ in range(count):
            by_usage["usage.5"](work)

    def from_work(count: int) -> None:
        for _ in range(count):
            work.component(usage="usage.5")

    def from_component(count: int) -> None:
        for _ in range(count):
            component.component(usage="usage.5")

    return {
        "hand_written": per_second(hand_written),
        "work": per_second(from_work),
        "component": per_second(from_component),
    }


def notifications_per_second() -> dict[str, float]:
    """Notify five listeners of a record.

    Returns:
        Rates: ``hand_written`` (a list of bound methods), ``collect_and_notify``, with a collection too,
        ``notify`` (collected once), and ``nobody`` (collect and notify with no listener).
    """
    env = _Env(ComponentRegistry.build([_declare_listener(number) for number in range(LISTENERS)]))
    registry, backend, record = env.components, _Backend(env), object()
    collected = collect(env, registry, "model.3", "on_record_write")
    methods = list(collected)

    def hand_written(count: int) -> None:
        for _ in range(count):
            for method in methods:
                method(record, fields=None)

    def collect_and_notify(count: int) -> None:
        for _ in range(count):
            collect(env, registry, "model.3", "on_record_write").notify(record, fields=None)

    def with_collection(count: int) -> None:
        for _ in range(count):
            collect(env, registry, "model.3", "on_record_write", backend).notify(record, fields=None)

    def notify(count: int) -> None:
        for _ in range(count):
            collected.notify(record, fields=None)

    def nobody(count: int) -> None:
        for _ in range(count):
            collect(env, registry, "model.4", "on_record_write").notify(record, fields=None)

    return {
        loop.__name__: per_second(loop, 50_000)
        for loop in (hand_written, collect_and_notify, with_collection, notify, nobody)
    }


def _declare_component(usage: int, model: int) -> type[Component]:
    said = {
        "_name": f"bench.{model}.{usage}",
        "_usage": f"usage.{usage}",
        "_apply_on": f"model.{model}",
        "_collection": "bench.backend",
    }
    return type(f"Bench{model}x{usage}", (Component,), said)


def _declare_listener(number: int) -> type[EventListener]:
    def on_record_write(self: EventListener, record: object, fields: object = None) -> None: ...

    said = {
        "_name": f"bench.listener.{number}",
        "_apply_on": "model.3",
        "on_record_write": on_record_write,
    }
    return type(f"BenchListener{number}", (EventListener,), said)


if __name__ == "__main__":
    for measure in (lookups_per_second, notifications_per_second):
        rates = measure()
        print(measure.__name__)
        for name, rate in rates.items():
            print(f"  {name:20} {rate:12,.0f} /s  {rate / rates['hand_written']:5.2f} of hand-written")
