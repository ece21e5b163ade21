"""Where a person finds what a job is about."""

from collections.abc import Mapping
from typing import Any

from isthmus.env import Env, Record
from isthmus.errors import JobDefinitionError
from isthmus.job.definition import find_definition
from isthmus.job.run import target_of
from isthmus.job.table import Job


def related_action(env: Env, job: Job) -> Mapping[str, Any] | None:
    """Ask a job's method where a person finds what the job is about.

    The method named by ``@job(related_action=...)`` is called on the job's own record or model, without
    arguments, and returns a mapping: ``name``, ``url`` and whatever else a surface understands.
    Without one, the record itself is named.

    Args:
        env: A readonly one will do.
        job: The job.

    Returns:
        None for a job on no record whose method says nothing.

    Raises:
        JobDefinitionError: When the method returns something else.
    """
    target = target_of(env, job)
    name = find_definition(target, job.method).mark.related_action
    if not name:
        return _record(target) if isinstance(target, Record) else None
    found = getattr(target, name)()
    if found is not None and not isinstance(found, Mapping):
        raise JobDefinitionError(
            f"{job.model}.{name} is the related_action of a job: it returns a mapping, "
            f"not {type(found).__name__}"
        )
    return found


def _record(record: Record) -> Mapping[str, Any]:
    model = record.env[record._name]
    if not model.exists([record.id]):
        return {"name": f"{record._name} {record.id}, which is gone", "model": record._name, "id": record.id}
    named = record["name"] if "name" in model.fields else None
    name = f"{record._name} {record.id}" + (f" ({named})" if named else "")
    return {"name": name, "model": record._name, "id": record.id}
