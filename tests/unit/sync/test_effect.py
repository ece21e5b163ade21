"""Effects, checkpoints and journal lines: what they keep, and what they never show."""

from datetime import timedelta
from typing import Any

import pytest
from memory_connector import TwoSides
from sqlalchemy import event, select, text

from isthmus.errors import RecordLockedError, SecretError
from isthmus.sync import Checkpoint, CheckpointKind, Effect, EffectLog, EffectState, Intent, add_checkpoint
from isthmus.sync.checkpoint import close_open, open_about, open_payload
from isthmus.sync.effect import EXTERNAL, wait_quiet


def intent(**values: object) -> Intent:
    """Make the intent of a create."""
    return Intent(
        **{"model": "memory.thing", "target": EXTERNAL, "kind": "create", "record_id": "1", **values}  # type: ignore[arg-type]
    )


def test_an_effect_comes_back_with_its_values(sides: TwoSides) -> None:
    """Encrypted in between."""
    with sides.hub.env() as env:
        log = EffectLog(env, sides.backend_id)
        made = intent(written={"title": "Jane Roe"}, source={"name": "Jane Roe"})
        log.record([made])
    with sides.hub.env() as env:
        (row,) = env.session.scalars(select(Effect))
        sealed, state = row.sealed_values, row.state
        (found,) = EffectLog(env, sides.backend_id).pending("memory.thing", target=EXTERNAL)

    assert (found.key, found.written, found.source) == (made.key, {"title": "Jane Roe"}, {"name": "Jane Roe"})
    assert ("Jane" in (sealed or ""), state) == (False, "open")


def test_an_effect_that_is_sent_again_keeps_its_key(sides: TwoSides) -> None:
    """The time of sending moves, so that the quiet time counts from it; there is one row."""
    with sides.hub.env() as env:
        log = EffectLog(env, sides.backend_id)
        made = intent(written={"title": "a"})
        log.record([made])
        key = made.key
        sides.clock.advance(timedelta(seconds=10))
        made.written = {"title": "b"}
        log.record([made])
        (row,) = env.session.scalars(select(Effect))
        found = log.get(key)
        moved = row.sent_at - row.created_at

    assert (made.key, found.written, moved) == (key, {"title": "b"}, timedelta(seconds=10))


@pytest.mark.parametrize(
    ("state", "listed", "kept"),
    [(EffectState.DONE, 0, False), (EffectState.DROPPED, 0, False), (EffectState.ASKED, 1, True)],
)
def test_a_settled_effect_loses_its_values(
    sides: TwoSides, state: EffectState, listed: int, kept: bool
) -> None:
    """While a person is asked they are kept."""
    with sides.hub.env() as env:
        log = EffectLog(env, sides.backend_id)
        made = intent(written={"title": "a"})
        log.record([made])
        log.close([made], state)
        pending = log.pending("memory.thing", target=EXTERNAL)
        (row,) = env.session.scalars(select(Effect))
        env.session.refresh(row)
        sealed = row.sealed_values is not None

    assert (len(pending), sealed) == (listed, kept)


def test_effects_are_found_by_what_they_are_about(sides: TwoSides) -> None:
    """Model, target, kind, record and ID."""
    with sides.hub.env() as env:
        log = EffectLog(env, sides.backend_id)
        log.record([
            intent(),
            intent(record_id="2"),
            intent(kind="write", external_id="7"),
            intent(target="remote"),
        ])
        log.record([intent(model="memory.kind")])
        counts = [
            len(log.pending("memory.thing", target=EXTERNAL)),
            len(log.pending("memory.thing", target=EXTERNAL, kind="create")),
            len(log.pending("memory.thing", target=EXTERNAL, record_ids=["2"])),
            len(log.pending("memory.thing", target=EXTERNAL, external_ids=["7"])),
            len(log.pending("memory.thing", target="remote")),
            len(EffectLog(env, sides.backend_id + 1).pending("memory.thing", target=EXTERNAL)),
        ]

    assert counts == [3, 2, 1, 1, 1, 0]


def test_the_quiet_time_is_waited_for(sides: TwoSides) -> None:
    """From the sending on, to the instant."""
    with sides.hub.env() as env:
        backend = sides.backend(env)
        made = intent()
        EffectLog(env, sides.backend_id).record([made])
        sides.clock.advance(timedelta(seconds=59))
        with pytest.raises(RecordLockedError) as early:
            wait_quiet(env, backend, made)
        sides.clock.advance(timedelta(seconds=1))
        wait_quiet(env, backend, made)

    assert early.value.retry_in == timedelta(seconds=1)


def checkpoint(env: object, sides: TwoSides, **values: object) -> Checkpoint:
    """Add a dead letter."""
    about = {"model": "memory.thing", "external_id": "7", "summary": "it is broken", **values}
    return add_checkpoint(env, CheckpointKind.DEAD_LETTER, backend_id=sides.backend_id, **about)  # type: ignore[arg-type]


def test_an_item_about_the_same_thing_is_renewed(sides: TwoSides) -> None:
    """Summary and payload are the latest; another topic is another item."""
    with sides.hub.env() as env:
        first = checkpoint(env, sides, payload={"a": 1})
        sides.clock.advance(timedelta(seconds=1))
        second = checkpoint(env, sides, summary="still broken", payload={"a": 2})
        third = checkpoint(env, sides, topic="other")
        shown = (
            second.summary,
            open_payload(env, second),
            second.times,
            second.renewed_at > second.created_at,
        )

    assert (first.id == second.id, third.id == first.id) == (True, False)
    assert shown == ("still broken", {"a": 2}, 2, True)


def test_a_closed_item_does_not_come_back(sides: TwoSides) -> None:
    """The same trouble later is a new one."""
    with sides.hub.env() as env:
        first = checkpoint(env, sides)
        kinds = (CheckpointKind.DEAD_LETTER,)
        closed = close_open(
            env, sides.backend_id, "memory.thing", external_ids=["7"], kinds=kinds, resolution="mended"
        )
        second = checkpoint(env, sides)

    assert (closed, first.id == second.id, second.times) == (1, False, 1)


def test_a_payload_opens_only_where_it_belongs(sides: TwoSides) -> None:
    """A sealed text that is copied to an item of another model is refused."""
    with sides.hub.env() as env:
        one = checkpoint(env, sides, payload={"a": 1})
        other = checkpoint(env, sides, model="memory.kind")
        other.sealed_payload = one.sealed_payload
        with pytest.raises(SecretError, match="was sealed for another place"):
            open_payload(env, other)


def test_a_long_reason_is_cut_to_a_sentence(sides: TwoSides) -> None:
    """The first line, without the values of a statement."""
    sides.lists({
        "id": "7",
        "title": "Jane Roe",
        "text": None,
        "qty": 2**70,
        "closed": False,
        "parent": None,
        "kind": None,
    })

    summary = sides.item()["summary"]
    assert "Jane" not in summary
    assert "INSERT" not in summary
    assert len(summary) < 400


def test_a_page_of_effects_is_sent_again_by_one_statement(sides: TwoSides) -> None:
    """After a crash in the middle of a call for many; each keeps its key and gets its own values."""
    with sides.hub.env() as env:
        log = EffectLog(env, sides.backend_id)
        made = [intent(record_id=str(n), written={"n": n}) for n in range(5)]
        log.record(made)
        keys = [one.key for one in made]
        for one in made:
            one.written = {"n": f"again {one.record_id}"}
        seen: list[str] = []
        event.listen(
            env.session.connection(), "before_cursor_execute", lambda *args: seen.append(args[2].split()[0])
        )
        log.record(made)
        found = log.pending("memory.thing", target=EXTERNAL)

    assert (seen.count("UPDATE"), seen.count("INSERT")) == (1, 0)
    assert {i.key: i.written for i in found} == {k: {"n": f"again {n}"} for n, k in enumerate(keys)}


def test_what_is_not_settled_is_found_without_looking_at_what_is(sides: TwoSides) -> None:
    """Settled effects and closed items stay for ever: each look goes by the index of the others."""
    plans: list[str] = []
    with sides.hub.env() as env:
        connection = env.session.connection()
        lite = connection.dialect.name == "sqlite"
        if not lite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # the tables are too small to mind

        @event.listens_for(connection, "before_cursor_execute", retval=True)
        def explain(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
            explained = f"EXPLAIN {'QUERY PLAN ' if lite else ''}{statement}"
            plans.append("\n".join(map(str, connection.connection.execute(explained, parameters).fetchall())))
            return statement, parameters

        log = EffectLog(env, sides.backend_id)
        log.pending("memory.thing", target=EXTERNAL, external_ids=["1", "2"])
        log.creates(["memory.thing"], target=EXTERNAL)
        open_about(env, sides.backend_id, "memory.thing", ["1"], (CheckpointKind.CONFLICT,))

    effects, creates, checkpoints = plans
    assert "ix_isthmus_effect_open" in effects
    assert "ix_isthmus_effect_open" in creates
    assert "uq_isthmus_checkpoint_open" in checkpoints
