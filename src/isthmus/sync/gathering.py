"""Remote reads that deciding turns out to need: brought in bulk, then decided again."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from isthmus.env import Env
from isthmus.errors import MissingRecordError, NotGathered
from isthmus.sync.item import DECIDE, GATHER

_ROUNDS: Final = 5
T = TypeVar("T")


class Gathering:
    """What a decision lacked so far, in all its rounds.

    Args:
        env: The unit of work; what is brought is known to it until its transaction ends.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self._needs: dict[tuple[str, str], dict[Any, None]] = {}
        self._rounds = 0

    def note(self, need: NotGathered) -> None:
        """Remember what was missing.

        Raises:
            NotGathered: After so many rounds that more would not help either.
        """  # noqa: DOC502 - it is the one given
        if self._rounds >= _ROUNDS:
            raise need
        self._needs.setdefault((need.model, need.field), {})[need.record_id] = None

    def bring(self) -> None:
        """Read everything that was missing in any round: a call may end the transaction that knew it."""
        self._rounds += 1
        with self._env.in_phase(GATHER):
            self._env.external_call("gather what the decision needs")
            for (model, field), ids in self._needs.items():
                # Each record brings those that it was browsed with.
                for record in self._env[model].browse(list(ids)):
                    try:
                        record[field]
                    except MissingRecordError:
                        continue  # the decision says what that means


def decided(env: Env, decide: Callable[[], T]) -> T:
    """Decide, as often as something that was missing had to be brought.

    Args:
        env: The unit of work.
        decide: Makes the decision; it may be called several times.

    Raises:
        NotGathered: When bringing it does not help.
    """  # noqa: DOC502 - raised by what is called
    gathering = Gathering(env)
    while True:
        try:
            with env.in_phase(DECIDE):
                return decide()
        except NotGathered as need:
            gathering.note(need)
        gathering.bring()
