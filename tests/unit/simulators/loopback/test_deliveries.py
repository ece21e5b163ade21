"""What a simulator sends out by itself."""

import pytest

from isthmus.simulators.loopback import Deliveries, send_out


def test_things_are_delivered_in_their_order():
    """
    One after the other, from a thread of its own.
    """
    delivered: list[int] = []
    deliveries: Deliveries[int] = Deliveries(delivered.append, name="test")

    for number in range(50):
        deliveries.put(number)
    done = deliveries.wait_until_idle()
    deliveries.stop()

    assert done
    assert delivered == list(range(50))


def test_after_the_stop_nothing_is_delivered_until_the_start():
    """
    As while the server is away.
    """
    delivered: list[str] = []
    deliveries: Deliveries[str] = Deliveries(delivered.append, name="test")

    deliveries.stop()
    deliveries.put("lost")
    deliveries.start()
    deliveries.put("told")
    deliveries.wait_until_idle()
    deliveries.stop()

    assert delivered == ["told"]


@pytest.mark.parametrize("url", ["http://example.com/hook", "https://127.0.0.1/hook", "ftp://localhost"])
def test_nothing_leaves_this_machine(url: str):
    """
    A simulator talks to loopback only.
    """
    with pytest.raises(ValueError, match="not on this machine"):
        send_out("POST", url, b"", {})
