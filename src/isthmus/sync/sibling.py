"""Other bindings of the same record: what one brings in, the others must send out."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from isthmus.backend import Backend
from isthmus.binding import Binding, BindingState
from isthmus.env import Env
from isthmus.store.sql import among


def binding_models(env: Env, record_model: str) -> list[str]:
    """List the binding models that bind a model of ours, in order of name."""
    found = []
    for name, store in env.services.stores.items():
        mapped = store.mapped(name) if hasattr(store, "mapped") else None
        if isinstance(mapped, type) and issubclass(mapped, Binding) and mapped._binds == record_model:
            found.append(name)
    return sorted(found)


def delay_export(env: Env, model: str, binding_id: int, **options: Any) -> None:
    """Delay the export of a binding; one that waits already serves for both."""
    binding = env[model].browse(binding_id)
    binding.with_delay(identity_key=f"export/{model}/{binding_id}", **options).export_record()


def wake_siblings(
    env: Env, record_model: str, record_ids: Iterable[Any], but: set[tuple[str, int | None]]
) -> int:
    """Delay the export of all other bindings of records that a synchroniser has written.

    Args:
        env: The env whose transaction it becomes part of.
        record_model: The model of ours.
        record_ids: The records.
        but: (binding model, key) of the bindings that brought the change.

    Returns:
        How many were delayed.
    """
    keys = [str(k) for k in record_ids]
    woken = 0
    for model in binding_models(env, record_model) if keys else ():
        mapped: Any = env[model].store.mapped(model)
        statement = (
            select(mapped.id)
            .join(Backend, Backend.id == mapped.backend_id)
            .where(
                among(env.session.get_bind().dialect, mapped.record_id, keys),
                mapped.state == BindingState.LINKED.value,
                Backend.active.is_(True),
            )
        )
        for binding_id in env.session.scalars(statement):
            if (model, binding_id) not in but:
                delay_export(env, model, binding_id)
                woken += 1
    return woken
