"""The options by which jobs are chosen, the same for every command of ``isthmus jobs``."""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.session import Session
from isthmus.errors import UnknownModelError

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.job.desk.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What was given; the options are made of these fields."""

    state: Annotated[list[str] | None, typer.Option("--state", help="Only jobs in this state.")] = None
    channel: Annotated[
        str | None, typer.Option("--channel", help="Only jobs in this lane or one below it.")
    ] = None
    model: Annotated[str | None, typer.Option("--model", help="Only jobs on this model.")] = None
    method: Annotated[str | None, typer.Option("--method", help="Only jobs that call this method.")] = None
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend", metavar="NAME", help="Only jobs on this backend or on records bound to it."
        ),
    ] = None
    error_type: Annotated[
        str | None,
        typer.Option("--error-type", metavar="NAME", help="Only jobs whose last error is of this class."),
    ] = None
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="TIME", help="Only jobs delayed longer ago: 90s, 2h, 7d."),
    ] = None
    newer_than: Annotated[
        str | None, typer.Option("--newer-than", metavar="TIME", help="Only jobs delayed since.")
    ] = None
    id: Annotated[list[int] | None, typer.Option("--id", help="Only the job with this number.")] = None

    @property
    def any(self) -> bool:
        """True when at least one was given."""
        return any(getattr(self, field.name) not in (None, []) for field in fields(self))

    def over(self, states: Sequence[str]) -> "Filters":
        """Choose states where none were given."""
        return self if self.state else replace(self, state=list(states))

    def selection(self, session: Session, *, by_end: bool = False) -> "Selection":
        """Make of it what the queue understands.

        Args:
            session: Knows backends and models.
            by_end: True when ages count from the end of a job.

        Raises:
            UnknownModelError: When no job is on the model because there is no such model.
        """
        from isthmus.job.desk.selection import BackendJobs, Selection, age, state_named

        known = session.hub.services.stores
        if self.model is not None and self.model not in known:
            # A plugin that is not enabled any more may have left jobs behind.
            left = Selection(model=self.model)
            if not session.hub.queue.desk.find(left, limit=1):
                raise UnknownModelError(self.model, known)
        backend = None
        if self.backend is not None:
            with session.env(readonly=True) as env:
                backend = BackendJobs.named(env, self.backend)
        return Selection(
            ids=self.id or None,
            states=[state_named(state) for state in self.state or ()],
            channel=self.channel,
            model=self.model,
            method=self.method,
            error_type=self.error_type,
            backend=backend,
            older_than=None if self.older_than is None else age(self.older_than, "--older-than"),
            newer_than=None if self.newer_than is None else age(self.newer_than, "--newer-than"),
            by_end=by_end,
        )


def filtered(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the options; its second parameter is the `Filters`."""
    own = list(inspect.signature(function).parameters.values())
    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
        )
        for field in fields(Filters)
    ]

    @functools.wraps(function)
    def run(session: Session, **values: Any) -> int | None:
        given = Filters(**{option.name: values.pop(option.name) for option in options})
        return function(session, given, **values)

    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own[2:]]
    run.__signature__ = inspect.Signature([own[0], *keyword, *options])  # type: ignore[attr-defined]  # read by command
    return run
