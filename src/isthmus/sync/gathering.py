"""Remote reads that deciding turns out to need: brought in bulk, then decided again."""

from collections.abc import Callable
from typing import Final, TypeVar

from isthmus.env import Env, Key
from isthmus.errors import MissingRecordError, NotGathered, ParkError
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
        self._needs: dict[tuple[str, str], dict[Key, None]] = {}
        self._refused: dict[tuple[str, str, Key], ParkError] = {}
        self._rounds = 0

    def note(self, need: NotGathered) -> None:
        """Remember what was missing.

        Raises:
            NotGathered: After so many rounds that more would not help either.
            ParkError: When our store refuses to show it: so whoever needs it cannot be decided.
        """  # noqa: DOC502 - the first is the one given
        refused = self._refused.get((need.model, need.field, need.record_id))
        if refused is not None:
            raise refused
        if self._rounds >= _ROUNDS:
            raise need
        self._needs.setdefault((need.model, need.field), {})[need.record_id] = None

    def bring(self) -> None:
        """Read everything that was missing in any round: a call may end the transaction that knew it."""
        self._rounds += 1
        with self._env.in_phase(GATHER):
            self._env.external_call("gather what the decision needs")
            for (model, field), ids in self._needs.items():
                self._read(model, field, [k for k in ids if (model, field, k) not in self._refused])

    def _read(self, model: str, field: str, ids: list[Key]) -> None:
        """Read a field of records; where one is refused, halve until it is alone."""
        # Each record brings those that it was browsed with.
        for record in self._env[model].browse(ids):
            try:
                record[field]
            except MissingRecordError:
                continue  # the decision says what that means
            except ParkError as error:
                if len(ids) == 1:
                    self._refused[model, field, ids[0]] = error
                    return
                middle = len(ids) // 2
                self._read(model, field, ids[:middle])
                self._read(model, field, ids[middle:])
                return


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
