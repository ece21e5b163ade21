"""The job that stands where many jobs that are waited for meet many that wait."""

from typing import Final

from isthmus.env import Env, ModelExtension
from isthmus.job.call import Call
from isthmus.job.definition import job
from isthmus.job.options import Options
from isthmus.job.table import Job

JOIN_MODEL: Final = Job._name
JOIN_METHOD: Final = "join"
_OPTIONS: Final = Options(priority=0)
"""Nothing is to be gained by letting it wait."""


class Joining(ModelExtension):
    """Adds the method to the model of jobs."""

    _inherit = JOIN_MODEL

    @job(description="Let the next jobs of a graph begin", max_retries=0)
    def join(self) -> None:
        """Do nothing: what waits for this waits for all before it."""


def join_call(env: Env) -> Call:
    """Prepare the call of a join."""
    return Call.make(env[JOIN_MODEL], JOIN_METHOD, (), {}, _OPTIONS)


def is_join(model: str, method: str) -> bool:
    """Tell whether a job is a join."""
    return model == JOIN_MODEL and method == JOIN_METHOD
