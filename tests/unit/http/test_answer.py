"""Reading answers: JSON, waits, paths."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from isthmus.errors import AnswerCutError, InvalidDataError, NetworkRetryableError, UnknownOutcomeError
from isthmus.http import Call, as_object, as_objects, path
from isthmus.http.answer import decode, encode, retry_after

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
READ = Call(what="read card 17", safe=True)
WRITE = Call(what="create a card", safe=False)


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_an_id_that_would_name_another_resource_is_refused(segment):
    """
    Reading card ".." must not read the list of cards.
    """
    with pytest.raises(InvalidDataError, match="cannot be an ID"):
        path("cards", segment)


def test_an_id_cannot_leave_its_place_in_the_url():
    """
    Slashes, question marks and letters of all planes are quoted.
    """
    assert path("cards", "a/b?c#d", "é\U0001f600") == "/cards/a%2Fb%3Fc%23d/%C3%A9%F0%9F%98%80"


def test_zero_is_an_id():
    """
    "0" is as good as any other ID.
    """
    assert path("cards", "0") == "/cards/0"


def test_half_a_character_in_an_id_is_a_data_error():
    """
    A lone surrogate has no bytes that could be sent.
    """
    with pytest.raises(InvalidDataError, match="lone surrogate"):
        path("cards", "\ud800")


@pytest.mark.parametrize("value", [object(), float("nan"), "\udc00", {1, 2}])
def test_values_that_json_has_not_are_a_data_error(value):
    """
    The message names the call, before anything is sent.
    """
    with pytest.raises(InvalidDataError, match="cannot create a card: the values cannot be written as JSON"):
        encode({"name": value}, WRITE)


def test_letters_of_all_planes_are_sent_as_they_are():
    """
    A body is UTF-8, not escapes of three times the size.
    """
    assert encode({"name": "é漢\U0001f600"}, WRITE) == '{"name": "é漢\U0001f600"}'.encode()


@pytest.mark.parametrize(
    "content",
    [b"", b"oops", b"\xff\xfe\x00", b"[" * 100_000, b'{"id": oops}'],
    ids=["empty", "text", "bytes", "deep", "wrong"],
)
def test_unreadable_json_is_tried_later_for_a_read_and_unknown_for_a_write(content):
    """
    Something that is no JSON says nothing about the record.
    """
    response = httpx2.Response(200, content=content, headers={"content-type": "application/json"})

    with pytest.raises(NetworkRetryableError, match="promised JSON and sent something unreadable"):
        decode(response, READ)
    with pytest.raises(UnknownOutcomeError):
        decode(response, WRITE)


@pytest.mark.parametrize(
    "content",
    [
        b'{"id": "5f',
        b'{"id"',
        b"[",
        b'[{"id": 1}',
        b'[{"id": 1}, {"id": 2}, ',
        b'{"cards": [{"id": 1}',
        b"[tru",
    ],
)
def test_the_beginning_of_an_answer_is_told_from_nonsense(content):
    """
    Who reads less may get a whole answer through a proxy that cuts long ones.
    """
    response = httpx2.Response(200, content=content, headers={"content-type": "application/json"})

    with pytest.raises(AnswerCutError, match=r"cannot read card 17: .* sent the beginning of an answer"):
        decode(response, READ)
    with pytest.raises(UnknownOutcomeError, match="it may have taken effect"):
        decode(response, WRITE)


def test_a_page_of_a_proxy_is_not_taken_for_the_answer():
    """
    An HTML page with status 200 is a login page of some gateway, not a card.
    """
    response = httpx2.Response(200, content=b"{}", headers={"content-type": "text/html; charset=utf-8"})

    with pytest.raises(NetworkRetryableError, match="promised JSON and sent text/html"):
        decode(response, READ)


@pytest.mark.parametrize("kind", [{}, {"content-type": "application/vnd.api+json; v=1"}])
def test_json_by_another_name_is_json(kind):
    """
    A missing type is excused, and +json types are JSON.
    """
    assert decode(httpx2.Response(200, content=b'{"id": 0}', headers=kind), READ) == {"id": 0}


def test_no_content_is_none():
    """
    204 promises nothing and keeps it.
    """
    assert decode(httpx2.Response(204), WRITE) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [([], "a list"), ("x", "text"), (3, "a number"), (None, "null"), (True, "true or false")],
)
def test_json_that_is_no_object_is_a_data_error_that_names_it(value, name):
    """
    The message says what came instead of the card.
    """
    with pytest.raises(InvalidDataError) as caught:
        as_object(value, READ)

    assert str(caught.value) == f"cannot read card 17: the server promised an object and sent {name}"


def test_a_write_answered_by_something_else_is_of_unknown_outcome():
    """
    The record may be there, only its ID is not.
    """
    with pytest.raises(UnknownOutcomeError):
        as_object([], WRITE)


@pytest.mark.parametrize("value", [{}, [{}, 3], None])
def test_a_list_of_something_else_is_a_data_error(value):
    """
    Every element of a page must be a record.
    """
    with pytest.raises(InvalidDataError, match="promised a list"):
        as_objects(value, READ)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("7", timedelta(seconds=7)),
        ("0.5", timedelta(seconds=0.5)),
        ("-3", timedelta()),
        ("Sun, 01 Nov 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Sun, 01 Nov 2026 11:00:00 GMT", timedelta()),
        ("999999999", timedelta(days=1)),
        ("1e400", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_wait_is_read_in_both_spellings_and_bounded(text, wait):
    """
    Seconds or a date, never negative, never more than a day.
    """
    assert retry_after(text, now=NOW) == wait
