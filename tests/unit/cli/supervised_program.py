"""A worker process without jobs: ``python supervised_program.py LIFELINE FOLDER HABIT [HABIT]``.

It leaves a file named after its process in the folder. When the folder has more of these than one, the
second habit counts.
"""

import os
import sys
import threading
from pathlib import Path

from isthmus.cli.lifeline import Lifeline


def main(number: str, folder: str, *habits: str) -> int:
    """Live by a habit."""
    line = Lifeline(int(number))
    first = not list(Path(folder).glob("*.pid"))
    habit = habits[0 if first else -1]
    if habit == "trouble":
        line.tell(trouble="the database is away")
    if habit == "failure":
        line.tell(failure={"type": "SchemaError", "message": "too old", "exit_code": 3})
    (Path(folder) / f"{os.getpid()}.pid").touch()
    match habit:
        case "works":
            line.tell(jobs={"done": 2, "failed": 1}, given_back=0)
            line.stop.wait()
        case "hands back":
            line.now.wait()
            line.tell(jobs={}, given_back=3)
        case "deaf":
            threading.Event().wait()
        case "stuck":
            line.tell(jobs={"done": 1}, given_back=0)
            os._exit(75)
        case "trouble" | "failure" | "dies":
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
