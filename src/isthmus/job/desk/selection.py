"""Which jobs are meant: by state, lane, model, method, backend, failure or age."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self, cast

from sqlalchemy import BigInteger, BindParameter, Table, case, exists, false, literal_column, or_, select
from sqlalchemy import cast as as_type

from isthmus.binding import Binding
from isthmus.env import Env
from isthmus.errors import BackendError, JobStateError, UsageError, near
from isthmus.job.lane.name import full_name
from isthmus.job.moves import Times, in_state
from isthmus.job.state import State
from isthmus.job.table import JOBS

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LONGEST_S: Final = 100 * 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendJobs:
    """The jobs that belong to a backend.

    Those on its own record, on a binding of it, and those on a model that have it as an argument, such as
    imports. Whether a job's record is one of its bindings is looked up by the binding's key, job by
    job: no list of a backend's bindings, of which there may be a million, is made.

    Attributes:
        id: The backend's key.
        models: Names of its own model: that of its type and the one of all backends.
        bindings: Tables of the binding models that there are, by name.
    """

    id: int
    models: tuple[str, ...]
    bindings: Mapping[str, Table]

    @classmethod
    def named(cls, env: Env, name: str) -> Self:
        """Find a backend's jobs by the backend's name.

        Args:
            env: Knows the backends and the binding models.
            name: The backend's.

        Raises:
            BackendError: When there is no such backend.
        """
        model = env["connector.backend"]
        found = model.search([("name", "=", name), ("active", "in", [True, False])])
        if not found:
            known = [b["name"] for b in model.search([("active", "in", [True, False])])]
            raise BackendError(f"there is no backend {name!r}{near(name, known)}")
        bindings = {
            known: cast("Table", mapped.__table__)
            for known in env.services.stores
            if hasattr(env[known], "binds")
            and issubclass(mapped := cast("Any", env[known].store).mapped(known), Binding)
        }
        return cls(id=found[0].id, models=(found[0]["type"], "connector.backend"), bindings=bindings)

    def condition(self) -> Any:
        """Give the condition that a job is one of them."""
        own = JOBS.c.model.in_(self.models) & (JOBS.c.record_id == str(self.id))
        # As `dump_arguments` writes a record; in a text or a mapping of the caller's it would look otherwise.
        told = [
            JOBS.c.payload.contains(f'{{"$record":["{model}","{self.id}"]}}', autoescape=True)
            for model in self.models
        ]
        # CASE, since only a binding's key is sure to be a number: AND may look at its right side first.
        bound = case(
            {
                model: exists(
                    select(literal_column("1")).where(
                        table.c.id == as_type(JOBS.c.record_id, BigInteger), table.c.backend_id == self.id
                    )
                )
                for model, table in self.bindings.items()
            },
            value=JOBS.c.model,
            else_=false(),
        ) if self.bindings else false()  # fmt: skip
        return or_(own, JOBS.c.record_id.is_(None) & or_(*told), JOBS.c.record_id.is_not(None) & bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which jobs are meant; what is not set does not matter.

    Attributes:
        ids: Their numbers; None for any.
        states: The states they are in; empty for any.
        channel: In this lane or one below it, with or without the prefix ``root.``.
        model: On this model.
        method: Calling it.
        error_type: Whose last failure was of this class: its full name, or the part after the last dot.
        backend: Belonging to it.
        older_than: Delayed longer ago.
        newer_than: Delayed since.
        by_end: True when the age counts from the end of a job.
    """

    ids: Collection[int] | None = None
    states: Collection[State] = ()
    channel: str | None = None
    model: str | None = None
    method: str | None = None
    error_type: str | None = None
    backend: BackendJobs | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    by_end: bool = False

    def conditions(self, times: Times) -> list[Any]:
        """Give the conditions on `JOBS`.

        Args:
            times: Whose time counts.

        Raises:
            JobDefinitionError: When the lane's name is malformed.
        """  # noqa: DOC502 - raised by what is called
        found: list[Any] = []
        if self.ids is not None:
            found.append(JOBS.c.id.in_(self.ids))
        if self.states:
            found.append(or_(*(in_state(state) for state in self.states)))
        if self.channel is not None:
            found.append(in_lane(self.channel, "the selection of jobs"))
        if self.model is not None:
            found.append(JOBS.c.model == self.model)
        if self.method is not None:
            found.append(JOBS.c.method == self.method)
        if self.error_type is not None:
            name = self.error_type
            found.append(
                or_(JOBS.c.error_type == name, JOBS.c.error_type.endswith(f".{name}", autoescape=True))
            )
        if self.backend is not None:
            found.append(self.backend.condition())
        column = JOBS.c.finished_at if self.by_end else JOBS.c.created_at
        if self.older_than is not None:
            found.append(column <= ago(times, self.older_than))
        if self.newer_than is not None:
            found.append(column > ago(times, self.newer_than))
        return found


def ago(times: Times, wait: timedelta) -> Any:
    """Give the SQL for the instant so long before now; an index can be compared with it (`Times.past`)."""
    then = times.after(-wait)
    return then if isinstance(then, BindParameter) else select(then).scalar_subquery()


def in_lane(channel: str, place: str) -> Any:
    """Give the condition that a job is in a lane or one below it."""
    name = full_name(channel, place)
    return or_(JOBS.c.channel == name, JOBS.c.channel.startswith(f"{name}.", autoescape=True))


def state_named(name: State | str) -> State:
    """Find a state by its name.

    Args:
        name: The state, or how it is written.

    Raises:
        JobStateError: When there is none; names the nearest.
    """
    try:
        return State(name)
    except ValueError:
        raise JobStateError(
            f"{name!r} is no state of a job{near(str(name), [s.value for s in State])}"
        ) from None


def age(text: str, option: str) -> timedelta:
    """Read an age as people write it.

    Args:
        text: A number and a unit of s, m, h, d, w; several in a row are added.
        option: Where it was written, for the message.

    Raises:
        UsageError: When it cannot be read.

    >>> age("1d12h", "--older-than")
    datetime.timedelta(days=1, seconds=43200)
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not parts or "".join(number + unit for number, unit in parts) != text or seconds > _LONGEST_S:
        raise UsageError(f"{option}: a time is written like 90s, 15m, 2h, 1d12h or 3w, not {text!r}")
    return timedelta(seconds=seconds)
