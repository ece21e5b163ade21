"""What people do with lanes: look at them, and set their rules at run time."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, delete, select, text, update

from isthmus.clock import Clock
from isthmus.errors import JobDefinitionError, near
from isthmus.job.desk.overview import LaneLoad, Overview
from isthmus.job.lane.lanes import Closed, Lanes, set_now
from isthmus.job.lane.name import ROOT, full_name
from isthmus.job.lane.rules import UNLIMITED, WISHES, Rule, Rules, Wishes
from isthmus.job.moves import Times
from isthmus.job.table import CHANNELS
from isthmus.settings import JobSettings
from isthmus.store.sql.engine import READONLY

_NAME_IT: Final = text("INSERT INTO isthmus_channel (name) VALUES (:name) ON CONFLICT DO NOTHING")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """One lane as people see it.

    Attributes:
        name: Its full name.
        rule: What holds for it.
        wishes: What is said of it, at run time or in the settings.
        sources: Where each value of the rule comes from (`Rules.source`), by the names of `Wishes`.
        load: Its jobs.
        held: How many of its slots are held.
        closed: Why none of its jobs could begin now; None when one could.
    """

    name: str
    rule: Rule
    wishes: Wishes
    sources: Mapping[str, str]
    load: LaneLoad
    held: int
    closed: Closed | None


class LaneDesk:
    """Reads and sets lanes for people, each call in a transaction of its own.

    Args:
        engine: The hub's engine.
        clock: Whose time counts where the database's own does not.
        settings: The settings of the queue.
    """

    def __init__(self, engine: Engine, clock: Clock, settings: JobSettings) -> None:
        self._engine = engine
        self._times = Times(engine, clock)
        self._settings = settings
        self._overview = Overview(engine, self._times)

    def list(self) -> Sequence[LaneView]:
        """List the lanes that have a rule, or jobs to run or that have failed, by name; and the root."""
        loads = self._loads()
        with self._reading() as connection:
            lanes = self._lanes(connection)
            names = sorted(_known(lanes.rules, loads))
            return [self._view(connection, lanes, loads, name) for name in names]

    def show(self, name: str) -> LaneView:
        """Give one lane, used or not.

        Raises:
            JobDefinitionError: When its name is malformed.
        """  # noqa: DOC502 - raised by what is called
        lane = full_name(name, "isthmus channel")
        loads = self._loads()
        with self._reading() as connection:
            return self._view(connection, self._lanes(connection), loads, lane)

    def unknown(self, name: str) -> str:
        """Say that nobody uses a lane so far, with the near names; empty when somebody does.

        Raises:
            JobDefinitionError: When its name is malformed.
        """  # noqa: DOC502 - raised by what is called
        lane = full_name(name, "isthmus channel")
        loads = self._loads()
        with self._reading() as connection:
            known = _known(self._lanes(connection).rules, loads)
        if lane in known:
            return ""
        close = near(lane, known)
        return f"no job is in {lane} so far{close if 'did you mean' in close else ''}"

    def _loads(self) -> Mapping[str, LaneLoad]:
        return {load.lane: load for load in self._overview.lanes()}

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._engine.execution_options(**{READONLY: True}).begin()

    def _lanes(self, connection: Connection) -> Lanes:
        lanes = Lanes(self._engine, self._times, self._settings)
        lanes.refresh(connection)
        return lanes

    def _view(
        self, connection: Connection, lanes: Lanes, loads: Mapping[str, LaneLoad], name: str
    ) -> LaneView:
        return LaneView(
            name=name,
            rule=lanes.rule(name),
            wishes=lanes.rules.wishes(name),
            sources={wish: lanes.rules.source(name, wish) for wish in WISHES},
            load=loads.get(name) or LaneLoad(lane=name),
            held=lanes.held(connection, name),
            closed=None if lanes.is_plain(name) else lanes.look(connection, name),
        )

    def set(self, name: str, wishes: Wishes) -> None:
        """Set rules of a lane at run time; what is None stays as it is.

        Workers follow within about a second.

        Args:
            name: The lane, with or without the prefix ``root.``.
            wishes: What to set.

        Raises:
            JobDefinitionError: When the name is malformed, or the rules contradict each other.
        """
        lane = full_name(name, "isthmus channel set")
        values = {wish: value for wish in WISHES if (value := getattr(wishes, wish)) is not None}
        with self._engine.begin() as connection:
            connection.execute(_NAME_IT, {"name": lane})
            connection.execute(
                update(CHANNELS).where(CHANNELS.c.name == lane).values(**values, updated_at=self._times.now())
            )
            together = Rules(self._settings, set_now(connection)).wishes(lane)
            if together.sequential and together.capacity not in {None, 1}:
                has = "no limit" if together.capacity == UNLIMITED else f"capacity {together.capacity}"
                raise JobDefinitionError(
                    f"{lane} cannot be sequential with {has}: a sequential lane runs one job at a time; "
                    f"say --capacity 1, or --no-sequential"
                )

    def reset(self, name: str) -> bool:
        """Forget what was set of a lane at run time: the settings count again.

        Returns:
            False when nothing was set.

        Raises:
            JobDefinitionError: When its name is malformed.
        """  # noqa: DOC502 - raised by what is called
        lane = full_name(name, "isthmus channel reset")
        with self._engine.begin() as connection:
            was_set = lane in set_now(connection)
            if connection.scalar(select(CHANNELS.c.name).where(CHANNELS.c.name == lane)) is not None:
                connection.execute(delete(CHANNELS).where(CHANNELS.c.name == lane))
        return was_set


def _known(rules: Rules, loads: Mapping[str, LaneLoad]) -> set[str]:
    """Name the lanes that somebody uses or has a rule for; the root is always there."""
    return {ROOT, *loads, *rules.settings, *rules.set_now}
