"""Only marked methods are jobs, and a wrong mark is refused where it is written."""

from datetime import timedelta
from typing import Any

import pytest

from isthmus.errors import JobDefinitionError
from isthmus.job import job
from isthmus.job.definition import JobMark, definitions, find_definition


def test_the_mark_is_found_on_model_and_record(notes: Any) -> None:
    """
    A method of an extension is a job of the model and of its records.
    """
    on_model = find_definition(notes, "copy")
    on_record = find_definition(notes.browse(1), "copy")

    assert on_model.mark is on_record.mark
    assert (on_model.mark.default_channel, on_model.mark.max_retries) == ("root.notes", 7)
    assert on_model.description == "Write the text once more."


def test_an_override_of_a_job_is_a_job(notes: Any) -> None:
    """
    An extension that changes a job need not mark it again.
    """
    assert find_definition(notes, "copy_later").description == "Copy later"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plain", "unit.job.note.plain cannot be a job: mark the method with @job"),
        ("text", "unit.job.note.text is a field; only methods can be delayed"),
        ("coppy", "model 'unit.job.note' has no job 'coppy'; did you mean 'copy'?"),
        ("unlink", "unit.job.note.unlink cannot be a job: mark the method with @job"),
    ],
)
def test_anything_else_is_refused(notes: Any, name: str, message: str) -> None:
    """
    The message says what it is, or what was meant.
    """
    with pytest.raises(JobDefinitionError) as caught:
        getattr(notes.with_delay(), name)

    assert str(caught.value) == message


NO_BEGINNING = (
    "identity_states is a beginning of wait_dependencies, pending, started, failed, done with the first "
    "two in it, not ['pending', 'done']: a job that came back into one of them would meet its equal there"
)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"retry_pattern": {0: 10}}, "retry_pattern has the key 0; the first retry is 1"),
        ({"retry_pattern": {"1": 10}}, "retry_pattern has the key '1'; the first retry is 1"),
        ({"retry_pattern": {1: -1}}, "retry_pattern[1] is seconds or [least, most], not -1"),
        ({"retry_pattern": {1: [5, 1]}}, "retry_pattern[1] is seconds or [least, most], not [5, 1]"),
        ({"retry_pattern": {1: "soon"}}, "retry_pattern[1] is seconds or [least, most], not 'soon'"),
        ({"retry_pattern": [10]}, "retry_pattern maps numbers of retries to seconds: [10]"),
        ({"max_retries": -1}, "max_retries is a number from 0 on, not -1"),
        ({"default_channel": "a..b"}, "a channel is named like root.trello.import, not 'a..b'"),
        ({"timeout": 0}, "timeout is a timedelta or seconds above 0, not 0"),
        ({"batch": 1_001}, "batch is a number from 1 to 1000, not 1001"),
        ({"on_fail": "a b"}, "on_fail is the name of a method, not 'a b'"),
        ({"identity_states": ["pending", "done"]}, NO_BEGINNING),
    ],
)
def test_a_malformed_mark_is_refused_with_its_place(options: dict[str, Any], told: str) -> None:
    """
    The program does not start with it.
    """

    def method(self: Any) -> None: ...

    with pytest.raises(JobDefinitionError) as caught:
        job(**options)(method)

    assert str(caught.value) == f"@job on {method.__module__}.{method.__qualname__}: {told}"


def test_the_largest_key_that_is_reached_decides() -> None:
    """
    The first retry is 1; below the smallest key the pattern says nothing.
    """
    mark = JobMark(retry_pattern={2: 10, 5: 20, 10: 30})

    waits = [mark.wait_before(n) for n in (1, 2, 4, 5, 9, 10, 99)]

    seconds = [None if wait is None else wait.total_seconds() for wait in waits]
    assert seconds == [None, 10, 10, 20, 20, 30, 30]


def test_a_range_is_drawn_from() -> None:
    """
    Jobs that failed together do not come back together.
    """
    mark = JobMark(retry_pattern={1: [10, 20]})

    waits = {mark.wait_before(1) for _ in range(50)}

    assert len(waits) > 1
    assert all(wait is not None and timedelta(seconds=10) <= wait <= timedelta(seconds=20) for wait in waits)


@pytest.mark.parametrize("option", ["on_fail", "related_action"])
def test_a_mark_that_names_no_method_is_refused(option: str) -> None:
    """
    Not only when a job has failed and nobody hears of it: a hub looks at every mark when it starts.
    """

    class Notes:
        @job(**{option: "tel"})
        def copy(self) -> None: ...

        def tell(self) -> None: ...

    with pytest.raises(JobDefinitionError, match=rf"\.copy: {option} names the method 'tel', .* 'tell'\?"):
        definitions(Notes)
