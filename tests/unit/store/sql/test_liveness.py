"""Only a process that provably ended counts as gone."""

import os
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


def test_a_sign_is_seen_by_others_of_this_machine(tmp_path: Path) -> None:
    """
    They tell how long ago it was, whatever the database does meanwhile.
    """
    ours, theirs = Owner(tmp_path), Owner(tmp_path)
    name = str(theirs)
    (file,) = tmp_path.glob(f"{name.rpartition(':')[2]}.lock")
    long_ago = file.stat().st_mtime - 100
    os.utime(file, (long_ago, long_ago))
    before = ours.silent_for(name)
    theirs.sign()
    after = ours.silent_for(name)

    assert before is not None
    assert after is not None
    assert before > 90 > after >= 0


def test_of_those_elsewhere_and_those_without_a_file_nothing_is_heard(tmp_path: Path) -> None:
    """
    Which is not the same as silence.
    """
    ours, elsewhere = Owner(tmp_path / "ours"), Owner(tmp_path / "elsewhere")
    place = str(ours).partition(":")[0]

    assert ours.silent_for(str(elsewhere)) is None
    assert ours.silent_for(f"{place}:1:0123456789abcdef") is None


def test_a_sign_before_the_first_use_is_nothing(tmp_path: Path) -> None:
    """
    Who has no name yet has no file.
    """
    Owner(tmp_path / "ours").sign()

    assert not (tmp_path / "ours").exists()
