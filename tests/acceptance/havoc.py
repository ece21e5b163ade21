"""Workers that are killed at random while they run jobs of every kind."""

import random
from queue import Empty, Queue
from typing import Any, Final

from crew import Child, Inbox, Member, living
from entries import NAME

from isthmus.hub import Hub
from isthmus.job import chain, group
from isthmus.testing.waiting import until

LANES: Final[dict[str, Any]] = {"narrow": {"capacity": 2}, "row": {"sequential": True}}
"""The lanes that have rules."""
_CREW: Final = 3
_SILENCE_S: Final = 0.2
_LONGEST_S: Final = 60.0
_LAST_POINT: Final = 400
"""Dies at the latest at this statement, commit or end of a transaction."""
_LAST_WORD: Final = 100
"""Is killed at the latest after so much was heard of it."""


class Havoc:
    """One run with its seed.

    Args:
        url: The database.
        hub: The test's own hub; it delays the jobs.
        seed: Decides who dies when.

    Attributes:
        wanted: The row of each job.
        kills: How many were killed from outside.
        suicides: How many died at a statement or a commit of their own.
    """

    def __init__(self, url: str, hub: Hub, seed: int) -> None:
        self._url = url
        self._hub = hub
        self._dice = random.Random(seed)
        self._inbox: Inbox = Queue()
        self._hired = 0
        self._patience: dict[Child, int | None] = {}
        self.wanted: list[str] = []
        self.kills = 0
        self.suicides = 0

    @property
    def deaths(self) -> int:
        """How many have died."""
        return self.kills + self.suicides

    def run(self, deaths: int) -> None:
        """Let so many workers die, and the others finish."""
        try:
            for _ in range(_CREW):
                self._hire()
                self.delay()
            while self.deaths < deaths:
                self._listen()
            for member in list(self._patience):
                self._kill(member)
            for _ in range(_CREW):
                self._hire(mortal=False)
            until(lambda: living(self._hub) == 0)
            for member in list(self._patience):
                member.stop()
                del self._patience[member]
        finally:
            for member in list(self._patience):
                self._kill(member)

    def _hire(self, *, mortal: bool = True) -> None:
        """Start a worker that dies by itself at some statement, or is killed after so many words of it."""
        crash_at = patience = None
        if mortal and self._hired % 2:
            crash_at = self._dice.randrange(1, _LAST_POINT)
        elif mortal:
            patience = self._dice.randrange(1, _LAST_WORD)
        self._hired += 1
        member = Member(self._url, 2, crash_at=crash_at, inbox=self._inbox, channels=LANES)
        self._patience[member] = patience

    def _listen(self) -> None:
        """Hear one word, and let who said it die if it was its last one."""
        try:
            member, words = self._inbox.get(timeout=_SILENCE_S)
        except Empty:  # they have nothing to do
            self.delay()
            return
        if member not in self._patience:  # of one that was killed since
            return
        left = self._patience[member]
        if words is None:
            member.bury()
            del self._patience[member]
            self.suicides += 1
        elif left is None or left > 1:
            self._patience[member] = left and left - 1
            return
        else:
            self._kill(member)
            self.kills += 1
        self._hire()
        self.delay()

    def _kill(self, member: Child) -> None:
        while not member.pid and self._inbox.get(timeout=_LONGEST_S) != (member, None):
            pass
        if member.pid:
            member.kill()
        else:
            member.bury()
        del self._patience[member]

    def delay(self) -> None:
        """Delay some jobs of each kind."""
        with self._hub.env() as env:
            model = env[NAME]
            for _ in range(8):
                model.with_delay(priority=self._dice.choice((5, 10, 15))).add(self._name("single"))
            for _ in range(3):
                model.with_delay(channel="narrow").add(self._name("narrow"))
            for _ in range(2):
                model.with_delay(channel="row").add(self._name("row"))
            for _ in range(25):
                model.with_delay().add_together(self._name("batch"))
            first, second, last = self._name("first"), self._name("second"), self._name("last")
            chain(
                group(model.delayable().add(first), model.delayable(channel="narrow").add(second)),
                model.delayable().add_sum(last),
            ).delay()
            self.wanted[-1] = f"{last} after {first}, {second}"

    def _name(self, kind: str) -> str:
        name = f"{kind} {len(self.wanted)}"
        self.wanted.append(name)
        return name
