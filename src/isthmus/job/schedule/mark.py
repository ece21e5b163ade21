"""Which methods are run by the clock: the ``@cron`` mark and finding the marked methods of a class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, get_args

from isthmus.errors import JobDefinitionError
from isthmus.job.definition import _MARK as _JOB_MARK
from isthmus.job.definition import Definition, definitions, job
from isthmus.job.schedule.cron import Timetable

Overlap = Literal["skip", "queue"]

_MARK: Final = "_isthmus_cron"
_Method = TypeVar("_Method", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Setting:
    """A spec that is made of a setting.

    Attributes:
        name: The setting.
        form: What becomes of its value.
    """

    name: str
    form: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CronMark:
    """What ``@cron`` says about a method.

    Attributes:
        spec: When it is due.
        tz: Whose wall clock that is about.
        overlap: What happens when it is due while the job of before has not ended.
        each: Domain of the records on which it is called; None calls it on the model.
        replace_failed: True when a failed job gives way to the next one.
        place: Where the mark stands, for messages.
    """

    spec: str | Setting
    tz: str = "UTC"
    overlap: Overlap = "skip"
    each: Sequence[Any] | None = None
    replace_failed: bool = False
    place: str = "@cron"


def cron(
    spec: str | Setting,
    *,
    tz: str = "UTC",
    overlap: Overlap = "skip",
    each: Sequence[Any] | None = None,
    replace_failed: bool = False,
) -> Callable[[_Method], _Method]:
    """Mark a method to be run by the clock, as a job, once per tick however many workers there are.

    Beside ``@job`` it takes that one's options; alone it marks the method a job, too. A method that
    overrides a marked one is marked too.

    >>> class ReportMethods:  # a ModelExtension
    ...     _inherit = "shop.report"
    ...     @cron("30 6 * * MON-FRI", tz="Europe/Zurich")
    ...     def send(self): ...
    ...     @cron("every 10m", each=[("state", "=", "open")])
    ...     @job(default_channel="reports")
    ...     def refresh(self): ...

    Args:
        spec: A cron expression of five fields (six with seconds first), a period such as ``every 90s``,
            or ``off``; a `Setting` takes it from the settings.
        tz: Name of the time zone whose wall clock a cron expression is about. A time that the clocks
            skip in spring is made up for right after it; one that they go through twice counts once, but
            expressions with ``*`` as hour or minute go on through both.
        overlap: When it is due while its job of before has not ended: ``skip`` leaves it out this time,
            ``queue`` makes another job.
        each: Domain of the records that get a job each; None makes one job, on the model.
        replace_failed: True cancels a failed job when the next one is made: for work that the next
            run does anyway, such as looking for changes.

    Raises:
        JobDefinitionError: When an option is malformed; names the method.
    """  # noqa: DOC502 - raised by `mark`

    def mark(function: _Method) -> _Method:
        place = f"@cron on {function.__module__}.{function.__qualname__}"
        if isinstance(spec, Setting):
            Timetable.read("off", tz, place)
        else:
            Timetable.read(spec, tz, place)
        if overlap not in get_args(Overlap):
            raise JobDefinitionError(f"{place}: overlap is 'skip' or 'queue', not {overlap!r}")
        if each is not None and not isinstance(each, (list, tuple)):
            raise JobDefinitionError(f"{place}: each is a domain such as [('active', '=', True)]: {each!r}")
        made = CronMark(
            spec=spec, tz=tz, overlap=overlap, each=each, replace_failed=replace_failed, place=place
        )
        setattr(function, _MARK, made)
        return function if hasattr(function, _JOB_MARK) else job(function)

    return mark


def cron_marks(model_class: type, record_class: type) -> Mapping[str, tuple[CronMark, Definition]]:
    """List the methods of a model that are run by the clock, by name.

    Raises:
        JobDefinitionError: When one cannot be called without arguments.
    """
    found: dict[str, tuple[CronMark, Definition]] = {}
    for cls in (model_class, record_class):
        for name, definition in definitions(cls).items():
            marks = (getattr(vars(base).get(name), _MARK, None) for base in cls.__mro__)
            mark = next((m for m in marks if isinstance(m, CronMark)), None)
            if mark is None or (mark.each is None) != (cls is model_class):
                continue
            try:
                definition.signature.bind(None)
            except TypeError as exc:
                raise JobDefinitionError(f"{mark.place}: a schedule gives no arguments, and {exc}") from None
            found[name] = (mark, definition)
    return found
