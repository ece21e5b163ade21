"""A probe hands over what was observed, and names itself when nothing was."""

import threading
from datetime import timedelta

import pytest

from isthmus.testing import Probe


def test_a_value_observed_before_the_wait_is_not_lost() -> None:
    """
    It does not matter whether the observation or the wait comes first.
    """
    probe = Probe[str]("job finished")
    probe("a")
    probe("b")

    waited = [probe.wait(), probe.wait()]

    assert waited == ["a", "b"]
    assert probe.seen == ["a", "b"]


def test_another_thread_wakes_the_wait() -> None:
    """
    A test waits exactly until the worker's thread has done the thing.
    """
    probe = Probe[int]("page read")
    thread = threading.Thread(target=probe, args=[500])
    thread.start()

    waited = probe.wait()
    thread.join()

    assert waited == 500


def test_a_wait_in_vain_names_the_probe() -> None:
    """
    When nothing comes, the message says what was waited for, how long, and what had come before.
    """
    probe = Probe[int]("job claimed", patience=timedelta(milliseconds=10))

    with pytest.raises(TimeoutError, match=r"waited 0.01 s for 'job claimed' and nothing came \(none ever\)"):
        probe.wait()
    probe(1)
    probe.wait()
    with pytest.raises(TimeoutError, match="1 before"):
        probe.wait()
