"""Both sides converge: after one import and one export they agree, or a person is asked."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_connector import TwoSides, make_tables

from isthmus.testing.databases import Databases

PAIRS = {"title": "name", "text": "note", "qty": "amount"}
TEXTS = st.sampled_from(["a", "b", "c"])
THERE = st.fixed_dictionaries(
    {}, optional={"title": TEXTS, "text": st.none() | TEXTS, "qty": st.integers(0, 2)}
)
HERE = st.fixed_dictionaries(
    {}, optional={"name": TEXTS, "note": st.none() | TEXTS, "amount": st.integers(0, 2)}
)
ROUNDS = st.lists(st.tuples(THERE, HERE, st.booleans()), min_size=1, max_size=3)


def test_random_edits_end_in_agreement_or_in_the_inbox(databases: Databases, tmp_path: Path) -> None:
    """Whatever both sides edit and whoever goes first; a second pass then does nothing."""
    with databases.fresh("sqlite", make_tables) as url:
        sides = TwoSides(url, tmp_path)
        numbers = iter(range(1, 10_000))

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(ROUNDS)
        def check(rounds: list) -> None:  # type: ignore[type-arg]
            _check(sides, str(next(numbers)), rounds)

        check()
        sides.hub.close()


def _check(sides: TwoSides, external_id: str, rounds: list) -> None:  # type: ignore[type-arg]
    record = sides.linked(external_id, title="a", text=None, qty=0)["id"]
    binding = sides.binding(external_id)["id"]
    topics: set[str] = set()
    for there, here, import_first in rounds:
        before = (sides.server.shown(external_id), sides.one(id=record))
        sides.server.put("memory.thing", external_id, **there)
        sides.write(record, **here)
        edited = (sides.server.shown(external_id), sides.one(id=record))
        for run in (sides.imports, sides.exports) if import_first else (sides.exports, sides.imports):
            run(external_id if run == sides.imports else binding)
        topics = {i["topic"] for i in sides.inbox() if i["external_id"] == external_id}
        theirs, ours = sides.server.shown(external_id), sides.one(id=record)
        for field, own in PAIRS.items():
            # An edit is on both sides, or kept where it was made and told.
            if f"{own}~{field}" in topics:
                assert (theirs[field], ours[own]) == (edited[0][field], edited[1][own])
            else:
                assert theirs[field] == ours[own]
                assert theirs[field] in {edited[0][field], edited[1][own]}
                if edited[0][field] == before[0][field] and before[0][field] == before[1][own]:
                    assert theirs[field] == edited[1][own]

    sides.server.calls.clear()
    again = (sides.imports(external_id), sides.exports(binding))

    assert [report.changed for report in again] == [0, 0]
    assert sides.server.count("write") == 0
    assert {i["topic"] for i in sides.inbox() if i["external_id"] == external_id} == topics
