"""Jobs: delayed method calls, stored with the change that caused them and run by workers."""

from isthmus.job.call import JobRef, identity_exact
from isthmus.job.claimed import Claimed
from isthmus.job.definition import JobMark, Marks, job
from isthmus.job.delay import Delayable
from isthmus.job.graph.plan import chain, group
from isthmus.job.outcome import Outcome
from isthmus.job.queue import Queue
from isthmus.job.schedule.mark import Setting, cron
from isthmus.job.schedule.schedules import Schedules, ScheduleState
from isthmus.job.state import TRANSITIONS, State
from isthmus.job.table import Job
from isthmus.job.worker import Worker

__all__ = [
    "TRANSITIONS",
    "Claimed",
    "Delayable",
    "Job",
    "JobMark",
    "JobRef",
    "Marks",
    "Outcome",
    "Queue",
    "ScheduleState",
    "Schedules",
    "Setting",
    "State",
    "Worker",
    "chain",
    "cron",
    "group",
    "identity_exact",
    "job",
]
