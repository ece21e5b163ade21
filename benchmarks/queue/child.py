"""One worker or producer in a process of its own; started by `workers.Process`, never by hand.

It says ``ready``, begins at ``go``, tells what it found as a line of JSON, and ends when its input is closed:
at the latest when the process that measures has ended.
"""

import json
import os
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic_ns, perf_counter
from typing import Any

import tally
from contestant import Contestant, Setup, find


class Child:
    """The line to the process that measures."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._go = threading.Event()
        self._actions: list[Callable[[], object]] = []
        # A copy: what a contestant prints must not come in between.
        self._out = sys.stdout
        sys.stdout = sys.stderr
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        # Not sys.stdin: a worker that forks would inherit the lock that this thread holds on it.
        while os.read(0, 100):
            self._go.set()
        self.stop.set()
        self._go.set()
        for action in self._actions:
            action()

    def at_stop(self, action: Callable[[], object]) -> None:
        """Have something done, in another thread, when this process shall end."""
        self._actions.append(action)

    def ready(self) -> None:
        """Say that everything is prepared, and wait for the start."""
        self._say("ready")
        self._go.wait()

    def tell(self, **facts: Any) -> None:
        """Tell what was found."""
        self._say(json.dumps(facts))

    def _say(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


def enqueue(contestant: Contestant, child: Child, kind: str, count: int) -> None:
    """Delay jobs one by one as fast as it goes."""
    with contestant.producer(kind) as put:
        for number in range(20):
            put(number)
        child.ready()
        began = perf_counter()
        for number in range(count):
            put(number)
        child.tell(seconds=perf_counter() - began)


def trickle(contestant: Contestant, child: Child, kind: str, count: int) -> None:
    """Delay jobs now and then, so that the worker is idle each time; tell when."""
    pauses = random.Random(7)
    before, after = [], []
    with contestant.producer(kind) as put:
        put(0)
        child.ready()
        for number in range(count):
            if child.stop.wait(pauses.uniform(0.005, 0.030)):
                return
            before.append(monotonic_ns())
            put(number)
            after.append(monotonic_ns())
    child.tell(before=before, after=after)


def bulk(contestant: Contestant, child: Child, count: int) -> None:
    """Delay many jobs in one call."""
    with contestant.bulk() as put_all:
        put_all(min(count, 100))
        child.ready()
        began = perf_counter()
        put_all(count)
        child.tell(seconds=perf_counter() - began)


def main(given: dict[str, Any]) -> None:
    """Do the task that was given."""
    tally.count_in(Path(given["folder"]))
    child = Child()
    contestant = find(given["name"])(given["url"])
    if given["task"] == "work":
        contestant.work(given["kind"], Setup(**given["setup"]), child)
    elif given["task"] == "bulk":
        bulk(contestant, child, given["count"])
    else:
        task = {"enqueue": enqueue, "trickle": trickle}[given["task"]]
        task(contestant, child, given["kind"], given["count"])
    child.stop.wait()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
