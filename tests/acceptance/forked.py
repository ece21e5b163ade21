"""The program in a process that is forked from a warm one: it starts in milliseconds instead of a second."""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any


def run(_points: Any, words: Sequence[str], folder: str, env: Mapping[str, str], out: str, err: str) -> int:
    """Be ``isthmus`` with these words; gives its exit code.

    Args:
        words: The command line behind the name.
        folder: Where it is run.
        env: All of its environment.
        out: The file that it prints to.
        err: The file that it tells what goes on.
    """
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None  # what TMPDIR says now
    for number, name in ((1, out), (2, err)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["isthmus", *words]

    from isthmus.cli import main

    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0
