"""Jobs: delayed method calls, stored with the change that caused them and run by workers."""

from isthmus.job.call import JobRef, identity_exact
from isthmus.job.definition import JobMark, job
from isthmus.job.delay import Delayable
from isthmus.job.outcome import Outcome
from isthmus.job.queue import Queue
from isthmus.job.state import TRANSITIONS, State
from isthmus.job.table import Job
from isthmus.job.worker import Worker

__all__ = [
    "TRANSITIONS",
    "Delayable",
    "Job",
    "JobMark",
    "JobRef",
    "Outcome",
    "Queue",
    "State",
    "Worker",
    "identity_exact",
    "job",
]
