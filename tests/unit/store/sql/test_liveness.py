"""Only a process that provably ended counts as gone."""

import subprocess
import sys
from pathlib import Path

from isthmus.store.sql import Owner

PROGRAM = """
import sys
from pathlib import Path
from isthmus.store.sql import Owner
owner = Owner(Path(sys.argv[1]))
print(owner, flush=True)
sys.stdin.read()
"""


def test_a_process_is_gone_when_it_was_killed(tmp_path: Path) -> None:
    """
    While it lives it is not gone; after kill -9 it is, at once.
    """
    us = Owner(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        other = process.stdout.readline().strip()
        before = us.is_gone(other)
        process.kill()
        process.wait()
        after = us.is_gone(other)

    assert (before, after) == (False, True)


def test_of_processes_with_other_lock_files_nothing_is_known(tmp_path: Path) -> None:
    """
    Another user, or a service with its own temporary folder, may live although we find no file of it.
    """
    theirs, ours = Owner(tmp_path / "theirs"), Owner(tmp_path / "ours")

    assert not ours.is_gone(str(theirs))


def test_we_are_not_gone_ourselves(tmp_path: Path) -> None:
    """
    Our own lock is held by us.
    """
    ours = Owner(tmp_path)

    assert not ours.is_gone(str(ours))
