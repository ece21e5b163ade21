"""Looking at backends by the clock: each active one has a job of its own, a slow one delays no other."""

import logging
from typing import Any, Final

from isthmus.env import ModelExtension
from isthmus.errors import SkipRecord
from isthmus.job import Setting, cron, job
from isthmus.sync.report import Report
from isthmus.sync.service import poll_backend

logger = logging.getLogger("isthmus.sync")

LANE: Final = "root.poll"
"""The lane of these jobs, so that it can be narrowed, paused or left to a worker of its own."""

_ACTIVE: Final = [("active", "=", True)]
_WAITING: Final = {1: 5, 3: 15, 5: 60}
"""Seconds by number of the retry: what is away is looked for each minute, by one and the same job."""
_ONE_AT_A_TIME: Final = ("wait_dependencies", "pending", "started")


class BackendPolling(ModelExtension):
    """The schedules of every backend type."""

    _inherit = "connector.backend"

    env: Any

    @cron(Setting("poll_s", "every {}s"), each=_ACTIVE, replace_failed=True)
    @job(default_channel=LANE, retry_pattern=_WAITING, max_retries=0, identity_states=_ONE_AT_A_TIME)
    def poll(self) -> str:
        """Look at both sides of a backend for changes."""
        self._refuse_disabled()
        return _told(self, "poll", poll_backend(self.env, self))

    @cron(Setting("full_walk"), each=_ACTIVE, replace_failed=True)
    @job(default_channel=LANE, retry_pattern=_WAITING, max_retries=0, identity_states=_ONE_AT_A_TIME)
    def walk(self) -> str:
        """Walk through everything on both sides of a backend, also to find what was deleted."""
        self._refuse_disabled()
        return _told(self, "full walk", poll_backend(self.env, self, full=True))

    def _refuse_disabled(self) -> None:
        if not self["active"]:  # type: ignore[index]  # a record
            raise SkipRecord("the backend was disabled meanwhile")


def _told(backend: Any, what: str, report: Report) -> str:
    sentence = report.sentence()
    level = logging.INFO if report.changed else logging.DEBUG
    logger.log(level, "%s: %s", what, sentence, extra={"isthmus_backend": backend["name"]})
    return sentence
