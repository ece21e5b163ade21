"""Mapped records per second: 10 direct fields and 3 methods, from a payload to values."""

import statistics
import time
from types import SimpleNamespace
from typing import Any

from isthmus.component import ComponentRegistry, WorkContext, declared_components
from isthmus.mapping import ImportMapper, mapping

NAMES = tuple(f"f{number}" for number in range(10))
PAYLOAD: dict[str, Any] = {
    **{name: f"value of {name}" for name in NAMES},
    "first": "Ada",
    "last": "Byron",
    "closed": False,
    "due": "2026-01-02",
}


class BenchMapper(ImportMapper):
    _name = "bench.import.mapper"
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


def make_mapper() -> Any:
    """Make the mapper as a synchroniser finds it."""
    registry = ComponentRegistry.build([*declared_components("isthmus.mapping"), BenchMapper])
    env = SimpleNamespace(components=registry)
    work = WorkContext(env=env, registry=registry)
    return work.component(usage="import.mapper")


def handwritten_records_per_second(records: int = 100_000) -> float:
    """Do the same by a function that knows the fields, as the floor to compare with."""
    payload = PAYLOAD

    def translate(record: dict[str, Any]) -> dict[str, Any]:
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

    assert translate(payload) == make_mapper().map_record(payload).values()
    return _rate(lambda: translate(payload), records)


def mapped_records_per_second(records: int = 100_000) -> float:
    """Count ``map_record(payload).values()``."""
    mapper = make_mapper()
    payload = PAYLOAD
    assert len(mapper.map_record(payload).values()) == 13

    return _rate(lambda: mapper.map_record(payload).values(), records)


def _rate(action: Any, times: int, rounds: int = 5) -> float:
    rates = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(times):
            action()
        rates.append(times / (time.perf_counter() - begin))
    return statistics.median(rates)


if __name__ == "__main__":
    print(f"mapped       {mapped_records_per_second():>10,.0f} records/s")
    print(f"hand-written {handwritten_records_per_second():>10,.0f} records/s")
