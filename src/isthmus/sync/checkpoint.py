"""Checkpoints: what a person must look at. One open item per thing, renewed and not doubled."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import or_, select

from isthmus.env import Env
from isthmus.sync.table import IS_OPEN, Checkpoint, CheckpointKind, CheckpointState


def add_checkpoint(
    env: Env,
    kind: CheckpointKind,
    *,
    backend_id: int,
    model: str,
    summary: str,
    record_id: str | None = None,
    external_id: str | None = None,
    scope: str = "",
    topic: str = "",
    detail: dict[str, Any] | None = None,
    payload: Any = None,
) -> Checkpoint:
    """Put an item into the inbox, or renew the open one about the same thing.

    Args:
        env: The env whose transaction it becomes part of.
        kind: Why a person must look.
        backend_id: The backend.
        model: The binding model.
        summary: One sentence for people, without payload.
        record_id: Key of our record, as text.
        external_id: Their key.
        scope: Scope of the binding.
        topic: What it is about within the record.
        detail: Facts without personal values.
        payload: The values concerned; stored encrypted.

    Returns:
        The item.
    """
    session, now = env.session, env.now()
    found = find_open(env, kind, backend_id, model, record_id, external_id, scope, topic)
    if found is None:
        found = Checkpoint(
            kind=kind.value, backend_id=backend_id, model=model, record_id=record_id, external_id=external_id,
            scope=scope, topic=topic, created_at=now, times=0, state=CheckpointState.OPEN.value,
        )  # fmt: skip
        session.add(found)
    found.summary, found.detail, found.renewed_at, found.run_id = summary, detail, now, env.run_id
    found.times += 1
    if payload is not None:
        found.sealed_payload = env.services.secrets.seal(payload, context=f"checkpoint/{backend_id}/{model}")
    session.flush()
    return found


def find_open(
    env: Env,
    kind: CheckpointKind,
    backend_id: int,
    model: str,
    record_id: str | None,
    external_id: str | None,
    scope: str = "",
    topic: str = "",
) -> Checkpoint | None:
    """Find the open item about a thing."""
    found: Checkpoint | None = env.session.scalars(
        select(Checkpoint).where(
            Checkpoint.kind == kind.value,
            IS_OPEN,
            Checkpoint.backend_id == backend_id,
            Checkpoint.model == model,
            Checkpoint.record_id.is_(None) if record_id is None else Checkpoint.record_id == record_id,
            Checkpoint.external_id.is_(None)
            if external_id is None
            else Checkpoint.external_id == external_id,
            Checkpoint.scope == scope,
            Checkpoint.topic == topic,
        )
    ).one_or_none()
    return found


def open_about(
    env: Env,
    backend_id: int,
    model: str,
    external_ids: Iterable[str],
    kinds: tuple[CheckpointKind, ...],
) -> list[Checkpoint]:
    """List the open items of some kinds about records there."""
    statement = select(Checkpoint).where(
        IS_OPEN,
        Checkpoint.backend_id == backend_id,
        Checkpoint.model == model,
        Checkpoint.kind.in_([k.value for k in kinds]),
    )
    wanted = set(external_ids)
    # Few are open: they are compared here, so that the statement does not grow with the page.
    return [c for c in env.session.scalars(statement) if c.external_id in wanted] if wanted else []


def open_payload(env: Env, checkpoint: Checkpoint) -> Any:
    """Give the values an item is about; None when it has none."""
    if checkpoint.sealed_payload is None:
        return None
    context = f"checkpoint/{checkpoint.backend_id}/{checkpoint.model}"
    return env.services.secrets.open(checkpoint.sealed_payload, context=context)


def close_open(
    env: Env,
    backend_id: int,
    model: str,
    *,
    external_ids: Sequence[str | None] | None = None,
    record_ids: Sequence[str] | None = None,
    scope: str | None = None,
    kinds: tuple[CheckpointKind, ...],
    resolution: str,
    but_topic: str | None = None,
) -> int:
    """Close open items that have become moot.

    Args:
        env: The env whose transaction it becomes part of.
        backend_id: The backend.
        model: The binding model.
        external_ids: Only those about these records there; None among them takes items that name none.
        record_ids: Only those about these records of ours.
        scope: Only those of bindings in this scope.
        kinds: Only those of these kinds.
        resolution: What to say about it.
        but_topic: Those of this topic stay.

    Returns:
        How many were closed.
    """
    statement = select(Checkpoint).where(
        IS_OPEN,
        Checkpoint.backend_id == backend_id,
        Checkpoint.model == model,
        Checkpoint.kind.in_([k.value for k in kinds]),
    )
    if external_ids is not None:
        named = [key for key in external_ids if key is not None]
        about = Checkpoint.external_id.in_(named)
        statement = statement.where(
            or_(about, Checkpoint.external_id.is_(None)) if None in external_ids else about
        )
    if record_ids is not None:
        statement = statement.where(Checkpoint.record_id.in_(record_ids))
    if scope is not None:
        statement = statement.where(Checkpoint.scope == scope)
    if but_topic is not None:
        statement = statement.where(Checkpoint.topic != but_topic)
    found = env.session.scalars(statement).all()
    for checkpoint in found:
        close(env, checkpoint, resolution)
    return len(found)


def close(env: Env, checkpoint: Checkpoint, resolution: str, *, ignored: bool = False) -> None:
    """Close one item."""
    checkpoint.state = (CheckpointState.IGNORED if ignored else CheckpointState.RESOLVED).value
    checkpoint.resolved_at = env.now()
    checkpoint.resolution = resolution
