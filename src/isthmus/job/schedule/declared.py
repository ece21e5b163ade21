"""The schedules that code and settings declare."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from isthmus.env import Env
from isthmus.errors import IsthmusError, JobDefinitionError, SettingsError, near
from isthmus.job.schedule.cron import Timetable
from isthmus.job.schedule.mark import CronMark, Setting, cron_marks
from isthmus.job.schedule.table import SCHEDULES

_CODE: Final[type[IsthmusError]] = JobDefinitionError
"""What is raised when the text in the code is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A marked method and when it is due, by code and settings.

    Attributes:
        model: Name of the model.
        method: Name of the method.
        mark: What the code says.
        spec: When it is due, as the code says.
        override: When it is due, as the settings say; None when they say nothing.
        timetable: What comes of both; None when it is off.
        channel: The lane of its jobs.
    """

    model: str
    method: str
    mark: CronMark
    spec: str
    override: str | None
    timetable: Timetable | None
    channel: str

    @property
    def name(self) -> str:
        """Model and method."""
        return f"{self.model}.{self.method}"

    def row(self, record_id: str = "") -> tuple[Any, ...]:
        """Give the condition for its row, or for that of one of its records."""
        return (*self.rows(), SCHEDULES.c.record_id == record_id)

    def rows(self) -> tuple[Any, ...]:
        """Give the condition for all its rows."""
        return (SCHEDULES.c.model == self.model, SCHEDULES.c.method == self.method)


def declared_schedules(env: Env) -> Mapping[str, Schedule]:
    """List what the code marks on the models of an env, as its settings will have it, by name.

    Raises:
        JobDefinitionError: When a mark is malformed; names the method.
        SettingsError: When a setting about schedules is; names it.
    """  # noqa: DOC502 - the first by what is called
    settings, classes = env.services.settings, env.services.classes
    overrides = dict(settings.job.schedules)
    found: dict[str, Schedule] = {}
    # A kind of models, such as all backends, has none itself: each model of the kind has.
    for model in sorted(set(env.services.stores) - classes.kinds()):
        marks = cron_marks(classes.model_class(model), classes.record_class(model))
        for method, (mark, definition) in sorted(marks.items()):
            name = f"{model}.{method}"
            spec, timetable = _from_code(mark, settings)
            override = overrides.pop(name, None)
            if override is not None:
                place = f"setting 'job.schedules' for {name}"
                timetable = Timetable.read(override, mark.tz, place, error=SettingsError)
            found[name] = Schedule(
                model=model, method=method, mark=mark, spec=spec, override=override, timetable=timetable,
                channel=definition.mark.default_channel,
            )  # fmt: skip
    for name in overrides:
        raise SettingsError(f"setting 'job.schedules' names {name!r}{near(name, found)}")
    return found


def _from_code(mark: CronMark, settings: Any) -> tuple[str, Timetable | None]:
    spec, place, error = mark.spec, mark.place, _CODE
    if isinstance(spec, Setting):
        place, error = f"setting {spec.name!r}", SettingsError
        spec = spec.form.format(getattr(settings, spec.name))
    return spec, Timetable.read(spec, mark.tz, place, error=error)
