"""A plugin with jobs that the tests of ``isthmus worker`` can hold on to.

Their rows are tasks, named after the text that the job was given. Files in the folder ``WORKER_JOBS_SIGNS``
tell of jobs that have begun, and let them end.
"""

import os
import threading
from pathlib import Path

from isthmus.env import ModelExtension
from isthmus.job import job

CONNECTOR = {"modules": ()}


class TaskJobs(ModelExtension):
    """Jobs on tasks."""

    _inherit = "project.task"

    @job
    def add(self, text: str) -> None:
        """Write a row."""
        self.env["project.task"].create({"name": text})

    @job(max_retries=0)
    def add_slowly(self, text: str) -> None:
        """Say so, wait until the file ``TEXT.go`` is there, and write a row."""
        # Not before: on SQLite nothing else could run meanwhile.
        signs = Path(os.environ["WORKER_JOBS_SIGNS"])
        (signs / f"{text}.{os.getpid()}").touch()
        pause = threading.Event()
        while not (signs / f"{text}.go").exists():
            pause.wait(0.02)
        self.env["project.task"].create({"name": text})

    @job
    def wait_for_ever(self) -> None:
        """Say so, and never come to an end."""
        (Path(os.environ["WORKER_JOBS_SIGNS"]) / f"wait_for_ever.{os.getpid()}").touch()
        threading.Event().wait()

    @job(timeout=0.5)
    def outstay(self) -> None:
        """Write a row, and never come to an end."""
        self.env["project.task"].create({"name": "never"})
        self.env.flush()
        threading.Event().wait()

    @job
    def print_something(self) -> None:
        """Print on standard output."""
        print("printed by a job", flush=True)  # noqa: T201
