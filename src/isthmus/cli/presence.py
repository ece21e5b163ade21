"""Which workers are there: each holds a lease under its own name while it runs."""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from isthmus.errors import IsthmusError, LeaseLostError

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.env import Grant
    from isthmus.hub import Hub

logger = logging.getLogger("isthmus.worker")

PREFIX: Final = "worker/"
_LASTING: Final = timedelta(seconds=60)


def workers(hub: "Hub") -> list[str]:
    """List the workers that are running, as ``host:pid``; one on another machine is believed for a minute."""
    return sorted(holder.rpartition(":")[0] for holder in hub.locks.holders(PREFIX))


class Presence:
    """A worker's own lease.

    Args:
        hub: The hub.

    Attributes:
        period: How often `show` is to be called.
    """

    period = _LASTING / 3

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._grant: Grant | None = None

    def show(self) -> None:
        """Say that this worker is there."""
        locks = self._hub.locks
        try:
            if self._grant is not None:
                self._grant = locks.prolong(self._grant, lasting=_LASTING)
                return
        except LeaseLostError:
            logger.debug("the worker's own lease ran out and is taken again")
        locks.sweep(PREFIX)
        self._grant = locks.take([f"{PREFIX}{self._hub.owner}"], lasting=_LASTING)

    def leave(self) -> None:
        """Say that this worker is gone."""
        if self._grant is not None:
            try:
                self._hub.locks.release(self._grant)
            except IsthmusError as exc:
                # It will be noticed: this process ends, and the lease runs out.
                logger.debug("the worker's own lease stays for a while: %s", exc)
