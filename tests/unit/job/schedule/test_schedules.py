"""What ``@cron`` marks, and what is refused when it is written."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from isthmus.env import ModelExtension
from isthmus.errors import JobDefinitionError, SettingsError
from isthmus.hub import Hub
from isthmus.job import Setting, cron, job
from isthmus.settings import Settings
from isthmus.testing import FrozenClock


class CronMethods(ModelExtension):
    """Marked in every way."""

    _inherit = "project.project"

    @cron("0 6 * * *", tz="Europe/Zurich")
    def alone(self) -> None:
        """Be a job by this mark alone."""

    @cron("every 5m")
    @job(default_channel="above")
    def above(self) -> None:
        """Have the other mark below."""

    @job(default_channel="below")
    @cron("every 5m")
    def below(self) -> None:
        """Have the other mark above."""

    @cron("every 0.2s", each=[("active", "=", True)])
    def each(self, limit: int = 10) -> None:
        """Be called on records, with what it has by default."""

    @cron(Setting("poll_s", "every {}s"))
    def by_setting(self) -> None:
        """Follow a setting."""


class MoreCronMethods(ModelExtension):
    """Extends them."""

    _inherit = "project.project"

    def alone(self) -> None:
        """Override one without a mark."""

    @cron("off")
    def below(self) -> None:
        """Override one with another mark."""


@pytest.fixture
def make_hub(tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Make hubs of the bundled models with extensions."""
    made: list[Hub] = []

    def make(*extensions: type[ModelExtension], **values: Any) -> Hub:
        settings = Settings(database_url=f"sqlite:///{tmp_path / 'unit.db'}", plugins=(), **values)
        made.append(Hub(settings, plugins=[], extensions=extensions, clock=FrozenClock()))
        return made[-1]

    yield make
    for hub in made:
        hub.close()


def test_marked_methods_are_known_with_their_times_and_lanes(make_hub: Callable[..., Hub]) -> None:
    """
    The two marks stand in any order; a setting gives its value; the shortest period says how often to look.
    """
    schedules = make_hub(CronMethods, poll_s=7).queue.schedules
    known = {s.method: (s.spec, s.mark.tz, s.channel) for s in schedules.known.values()}

    assert known == {
        "alone": ("0 6 * * *", "Europe/Zurich", "root"),
        "above": ("every 5m", "UTC", "root.above"),
        "below": ("every 5m", "UTC", "root.below"),
        "each": ("every 0.2s", "UTC", "root"),
        "by_setting": ("every 7.0s", "UTC", "root"),
    }
    assert schedules.tick_every == timedelta(seconds=0.2)


def test_an_overriding_method_keeps_the_mark_or_brings_its_own(make_hub: Callable[..., Hub]) -> None:
    """
    As with ``@job``.
    """
    known = make_hub(CronMethods, MoreCronMethods).queue.schedules.known

    assert known["project.project.alone"].spec == "0 6 * * *"
    assert known["project.project.below"].timetable is None


def test_without_a_backend_type_there_is_nothing_to_poll(make_hub: Callable[..., Hub]) -> None:
    """
    What all backends have in common is a schedule of each type, and none of its own.
    """
    assert make_hub().queue.schedules.known == {}


def test_a_method_that_needs_arguments_is_refused(make_hub: Callable[..., Hub]) -> None:
    """
    A schedule has none to give; the message names the method.
    """

    class NeedyMethods(ModelExtension):
        _inherit = "project.project"

        @cron("0 6 * * *")
        def needy(self, what: str) -> None: ...

    with pytest.raises(JobDefinitionError, match=r"^@cron on .*needy: .* missing .* 'what'"):
        make_hub(NeedyMethods)


def test_a_malformed_setting_that_gives_the_times_is_named(make_hub: Callable[..., Hub]) -> None:
    """
    The setting, since nobody has to know the method.
    """

    class WalkMethods(ModelExtension):
        _inherit = "project.project"

        @cron(Setting("full_walk"))
        def walk_all(self) -> None: ...

    with pytest.raises(SettingsError, match=r"^setting 'full_walk': 'at night' is no cron expression"):
        make_hub(WalkMethods, full_walk="at night")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spec": "* * * *"}, "'* * * *' is no cron expression"),
        ({"spec": "0 6 * * *", "tz": "Mars/Base"}, "there is no time zone 'Mars/Base'"),
        ({"spec": Setting("poll_s"), "tz": "Mars/Base"}, "there is no time zone 'Mars/Base'"),
        ({"spec": "0 6 * * *", "overlap": "both"}, "overlap is 'skip' or 'queue', not 'both'"),
        ({"spec": "0 6 * * *", "each": "active"}, "each is a domain"),
    ],
)
def test_a_malformed_mark_is_refused_where_it_is_written(options: dict[str, Any], message: str) -> None:
    """
    At import; the message names the method.
    """

    def method(self: Any) -> None: ...

    with pytest.raises(JobDefinitionError) as caught:
        cron(**options)(method)

    assert str(caught.value).startswith(f"@cron on {__name__}.")
    assert message in str(caught.value)
