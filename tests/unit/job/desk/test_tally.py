"""What processes count adds up, whatever becomes of them."""

import threading
from pathlib import Path

from isthmus.job import State
from isthmus.job.desk.tally import OTHERS, Sheet, Sheets, Tally


def test_threads_count_together() -> None:
    """
    No count of two threads is lost.
    """
    tally = Tally()

    def count() -> None:
        for _ in range(2_000):
            tally.ended("root", State.DONE, seconds=0.001)
            tally.began(0.5)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tally.finished == {("root", "done"): 8_000}
    assert (sum(tally.run.counts), sum(tally.wait.counts)) == (8_000, 8_000)


def test_every_outcome_has_its_word() -> None:
    """
    Also that of an execution whose job another has taken over.
    """
    tally = Tally()
    for state in (State.DONE, State.FAILED, State.PENDING, State.CANCELLED, None):
        tally.ended("root", state, seconds=1, error_type="m.E" if state is State.FAILED else "")

    assert sorted(outcome for _, outcome in tally.finished) == [
        "done", "failed", "lost", "returned", "superseded",
    ]  # fmt: skip
    assert tally.failures == {"m.E": 1}


def test_a_duration_falls_into_the_range_that_ends_with_it() -> None:
    """
    The upper end belongs to a range; what is above the last is counted too.
    """
    tally = Tally()
    for seconds in (0.005, 0.0051, 10_000):
        tally.ended("root", State.DONE, seconds=seconds)

    assert (tally.run.counts[0], tally.run.counts[1], tally.run.counts[-1]) == (1, 1, 1)


def test_labels_do_not_grow_without_bound() -> None:
    """
    Lanes and error types beyond the first so many are counted as others.
    """
    tally = Tally()
    for number in range(1_000):
        tally.ended(f"root.{number}", State.FAILED, seconds=1, error_type=f"m.E{number}")

    assert len(tally.finished) == 201
    assert len(tally.failures) == 101
    assert tally.finished[OTHERS, "failed"] == 800
    assert tally.failures[OTHERS] == 900


def test_sheets_of_all_processes_add_up(tmp_path: Path) -> None:
    """
    A second writing replaces the first, and a process that is gone stays counted.
    """
    sheets = Sheets.of(tmp_path / "tally")
    first, second = Tally(), Tally()
    sheet, other = Sheet(tmp_path / "tally", first), Sheet(tmp_path / "tally", second)
    first.ended("root.a", State.DONE, seconds=1)
    sheet.write()
    before = sheets.tally().finished
    first.ended("root.a", State.DONE, seconds=1)
    second.ended("root.a", State.DONE, seconds=1)
    second.ended("root.b", State.FAILED, seconds=2, error_type="m.E")
    sheet.write()
    other.write()
    del other

    after = sheets.tally()

    assert before == {("root.a", "done"): 1}
    assert after.finished == {("root.a", "done"): 3, ("root.b", "failed"): 1}
    assert (after.failures, after.run.total) == ({"m.E": 1}, 5.0)
    assert (tmp_path / "tally").stat().st_mode & 0o777 == 0o700


def test_a_sheet_without_news_is_not_written_again(tmp_path: Path) -> None:
    """
    An idle worker leaves the disk alone.
    """
    sheet = Sheet(tmp_path, Tally())
    sheet.write()
    written = next(tmp_path.iterdir()).stat().st_mtime_ns
    sheet.write()

    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [written]


def test_waiting_times_are_a_sample() -> None:
    """
    They stand in the database: of many jobs that begin at once one is looked up.
    """
    tally = Tally()

    assert [tally.wants_wait for _ in range(3)] == [True, False, False]
