"""Delayed calls are checked when they are made, and forgotten ones are told of."""

import gc
import logging
from datetime import datetime
from typing import Any

import pytest

from isthmus.env import Env
from isthmus.errors import JobArgumentError, JobDefinitionError
from isthmus.hub import Hub
from isthmus.job import identity_exact
from isthmus.job.call import Call
from isthmus.job.options import Options


def test_arguments_must_fit_the_method(notes: Any) -> None:
    """
    A wrong call is refused where it is written, not by the worker.
    """
    with pytest.raises(JobArgumentError, match="copy_later cannot be called like this"):
        notes.with_delay().copy_later("a", "b")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prioritty": 1}, "with_delay has no option 'prioritty'; did you mean 'priority'?"),
        ({"priority": "1"}, "option 'priority' of with_delay is a number from 0 on, not '1'"),
        ({"max_retries": True}, "option 'max_retries' of with_delay is a number from 0 on, not True"),
        ({"eta": "soon"}, "option 'eta' of with_delay is an instant, a timedelta or seconds, not 'soon'"),
        ({"eta": datetime(2026, 1, 1)}, "option 'eta' of with_delay is an instant with a time zone"),  # noqa: DTZ001
        ({"identity_key": ""}, "option 'identity_key' of with_delay is text of 1 to 1000 characters"),
        ({"description": 3}, "option 'description' of with_delay is text, not 3"),
    ],
)
def test_options_must_fit(notes: Any, options: dict[str, Any], message: str) -> None:
    """
    An option that is unknown or cannot be meant so is named.
    """
    with pytest.raises(JobArgumentError) as caught:
        notes.with_delay(**options)

    assert str(caught.value).startswith(message)


def test_a_job_says_what_it_does(hub: Hub, env: Env, notes: Any) -> None:
    """
    By its own description, else the method's, and its lane likewise.
    """
    refs = [
        notes.with_delay(description="Copy a\x00", channel="fast").copy("a"),
        notes.with_delay().copy("a"),
        notes.with_delay().copy_later("a"),
    ]
    env.transaction.commit()

    shown = [(hub.queue.show(r.id).description, hub.queue.show(r.id).channel) for r in refs]

    assert shown == [
        ("Copy a\\x00", "root.fast"),
        ("Write the text once more.", "root.notes"),
        ("Copy later", "root"),
    ]


def test_a_prepared_call_is_delayed_later(hub: Hub, env: Env, notes: Any) -> None:
    """
    Options may be changed in between.
    """
    prepared = notes.delayable(priority=5).copy("a", times=2).set(priority=1, max_retries=0)
    ref = prepared.delay()
    env.transaction.commit()

    job = hub.queue.show(ref.id)

    assert (job.priority, job.max_retries) == (1, 0)


def test_a_prepared_call_that_is_forgotten_is_told_of(notes: Any, caplog: pytest.LogCaptureFixture) -> None:
    """
    Otherwise the work would be lost in silence.
    """
    prepared = notes.delayable().copy("a")

    with caplog.at_level(logging.WARNING, "isthmus.job"):
        del prepared
        gc.collect()

    assert caplog.messages == ["<delayable <model unit.job.note>.copy> was prepared but never delayed"]


def test_nothing_prepared_cannot_be_delayed(notes: Any) -> None:
    """
    It says what to do first.
    """
    with pytest.raises(JobDefinitionError, match="has nothing to delay: call a method on it first"):
        notes.delayable().delay()


def test_equal_calls_have_equal_keys(notes: Any) -> None:
    """
    By position or by name, the same arguments make the same job; other ones do not.
    """

    def key(*args: Any, **kwargs: Any) -> str:
        return identity_exact(Call.make(notes, "copy", args, kwargs, Options()))

    assert key("a", times=2, b={"x": 1, "y": 2}) == key(text="a", b={"y": 2, "x": 1}, times=2)
    assert len({key("a"), key("b"), key("a", 1), key("a", times=1)}) == 4


def test_a_key_may_be_made_from_the_job(hub: Hub, env: Env, notes: Any) -> None:
    """
    A function gets the call with its model, method and arguments.
    """
    ref = notes.with_delay(identity_key=lambda call: f"{call.method}/{call.args[0]}").copy("a")
    env.transaction.commit()

    assert hub.queue.show(ref.id).identity_key == "copy/a"


def test_numbers_are_given_at_once(env: Env, notes: Any) -> None:
    """
    Also before the row is written, and never twice.
    """
    refs = [notes.with_delay(identity_key=f"k{n}" if n % 2 else None).copy("a") for n in range(6)]
    env.transaction.commit()

    assert [ref.id for ref in refs] == sorted({ref.id for ref in refs})
