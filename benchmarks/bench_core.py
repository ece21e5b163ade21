"""Component lookups, mapped records and notifications in a second, on one thread.

Each stands beside a hand-written loop that does the least one could do instead, and, where
``ISTHMUS_BENCH_REFERENCE`` names a checkout of OCA/connector 18.0, beside the field's reference
implementation.
"""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from contest import Loop, Row, arguments, medians, publish
from isthmus.component import Component, ComponentRegistry, WorkContext, declared_components
from isthmus.env import Record
from isthmus.event import EventListener
from isthmus.mapping import ImportMapper, mapping
from reference import BACKEND, MODEL, Reference

MODELS, USAGES, LISTENERS = 10, 20, 5
WANTED = 2.0
"""How much faster than the reference we want to be."""

NAMES = tuple(f"f{number}" for number in range(10))
PAYLOAD: dict[str, Any] = {
    **{name: f"value of {name}" for name in NAMES},
    "first": "Ada",
    "last": "Byron",
    "closed": False,
    "due": "2026-01-02",
}


class _Env:
    def __init__(self, components: ComponentRegistry) -> None:
        self.components = components
        self.collected_events: dict[Any, Any] = {}


def lookups(reference: Reference | None) -> dict[str, Loop]:
    """Look up one of 200 components from a work context, with a warm cache."""
    declared = [
        {"_name": f"bench.{model}.{usage}", "_usage": f"usage.{usage}", "_apply_on": f"model.{model}",
         "_collection": BACKEND}
        for model in range(MODELS)
        for usage in range(USAGES)
    ]  # fmt: skip
    classes = [type(f"Bench{number}", (Component,), names) for number, names in enumerate(declared)]
    env = _Env(ComponentRegistry.build(classes))
    work = WorkContext(MODEL, SimpleNamespace(_name=BACKEND, env=env, version_chain=("1.7-acme", "1.7")))
    by_usage = {cls._usage: cls for cls in classes}
    found: dict[str, Loop] = {"hand-written": lambda turns: [by_usage["usage.5"](work) for _ in range(turns)]}
    found["isthmus"] = lambda turns: [work.component(usage="usage.5") for _ in range(turns)]
    if reference is not None:
        for names in declared:
            reference.declare("base", names)
        other = reference.work()
        found["reference"] = lambda turns: [other.component(usage="usage.5") for _ in range(turns)]
    return found


class BenchMapper(ImportMapper):
    _name = "bench.import.mapper"
    _inherit = "base.import.mapper"
    direct = [(name, f"our_{name}") for name in NAMES]

    @mapping(reads=("first", "last"), writes=("name",))
    def name(self, record: Any) -> dict[str, Any]:
        return {"name": record["first"] + " " + record["last"]}

    @mapping(reads="closed", writes="active")
    def active(self, record: Any) -> dict[str, Any]:
        return {"active": not record["closed"]}

    @mapping(reads="due", writes="deadline")
    def deadline(self, record: Any) -> dict[str, Any]:
        return {"deadline": record["due"] or None}


def by_hand(record: dict[str, Any]) -> dict[str, Any]:
    """Map as somebody would who knows the fields."""
    return {
        "our_f0": record["f0"],
        "our_f1": record["f1"],
        "our_f2": record["f2"],
        "our_f3": record["f3"],
        "our_f4": record["f4"],
        "our_f5": record["f5"],
        "our_f6": record["f6"],
        "our_f7": record["f7"],
        "our_f8": record["f8"],
        "our_f9": record["f9"],
        "name": record["first"] + " " + record["last"],
        "active": not record["closed"],
        "deadline": record["due"] or None,
    }


def mapped_records(reference: Reference | None) -> dict[str, Loop]:
    """Map a record of 10 direct fields and 3 methods: ``map_record(payload).values()``."""
    registry = ComponentRegistry.build([*declared_components("isthmus.mapping"), BenchMapper])
    ours = WorkContext(env=SimpleNamespace(components=registry), registry=registry).component(
        usage="import.mapper"
    )
    found: dict[str, Loop] = {"hand-written": lambda turns: [by_hand(PAYLOAD) for _ in range(turns)]}
    found["isthmus"] = lambda turns: [ours.map_record(PAYLOAD).values() for _ in range(turns)]
    mappers = [ours]
    if reference is not None:
        # The very same functions: a mark of one is nothing to the other.
        methods = {
            name: reference.mapping(vars(BenchMapper)[name]) for name in ("name", "active", "deadline")
        }
        said = {"_name": "bench.import.mapper", "_apply_on": MODEL, "direct": BenchMapper.direct}
        reference.declare("base.import.mapper", {**said, **methods})
        theirs = reference.work().component(usage="import.mapper")
        found["reference"] = lambda turns: [theirs.map_record(PAYLOAD).values() for _ in range(turns)]
        mappers.append(theirs)
    if any(mapper.map_record(PAYLOAD).values() != by_hand(PAYLOAD) for mapper in mappers):
        raise RuntimeError("the mappers do not do the same")
    return found


def notifications(reference: Reference | None) -> dict[str, Loop]:
    """Notify five listeners of a record, collecting them each time as a write does."""

    def on_record_write(self: Any, record: Any, fields: Any = None) -> None: ...

    declared = [
        {"_name": f"bench.listener.{number}", "_apply_on": MODEL, "on_record_write": on_record_write}
        for number in range(LISTENERS)
    ]
    classes = [
        type(f"BenchListener{number}", (EventListener,), names) for number, names in enumerate(declared)
    ]
    env = _Env(ComponentRegistry.build(classes))
    record = Record(SimpleNamespace(env=env, _name=MODEL, fields={}), 1)
    methods = list(record.event("on_record_write"))

    def by_hand(turns: int) -> None:
        for _ in range(turns):
            for method in methods:
                method(record, fields=None)

    def notify(turns: int) -> None:
        for _ in range(turns):
            record.event("on_record_write").notify(record, fields=None)

    found: dict[str, Loop] = {"hand-written": by_hand, "isthmus": notify}
    if reference is not None:
        for names in declared:
            reference.declare("base.event.listener", names)
        other = reference.record()

        def notify_there(turns: int) -> None:
            for _ in range(turns):
                other._event("on_record_write").notify(other, fields=None)

        found["reference"] = notify_there
    return found


def main() -> None:
    """Measure and publish the table."""
    options = arguments(__doc__.splitlines()[0])
    checkout = os.environ.get("ISTHMUS_BENCH_REFERENCE")
    try:
        reference = Reference(Path(checkout)) if checkout else None
    except ImportError as error:
        raise SystemExit(f"the reference cannot be imported: {error}") from error
    turns, rounds = (50, 1) if options.tiny else (20_000, 15)
    rows = []
    for contest in (lookups, mapped_records, notifications):
        rates = medians(contest(reference), turns, rounds)
        what = contest.__name__.replace("_", " ")
        ours = rates["isthmus"]
        rows.append(Row(what, ours, "hand-written loop", rates["hand-written"]))
        if "reference" in rates:
            rows.append(Row(what, ours, "OCA/connector 18.0", rates["reference"], WANTED))
    publish("core", "200 components; 10 direct fields and 3 methods; 5 listeners", rows, options.results)


if __name__ == "__main__":
    main()
