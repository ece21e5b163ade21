"""Credentials, limits, bodies, and what is not there."""

import json

import pytest

from isthmus.simulators.trello import TrelloSimulator
from isthmus.simulators.trello.api import Request


def test_credentials_go_in_the_query_or_the_header(ask, trello):
    """
    Both ways authenticate.
    """
    header = f'OAuth oauth_consumer_key="{trello.key}", oauth_token="{trello.token}"'
    by_header = trello.api.answer(
        Request(method="GET", path="/1/members/me", headers={"authorization": header})
    )

    assert ask("GET", "/members/me").status == by_header.status == 200


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "invalid key"),
        ("key=nonsense&token={token}", "invalid key"),
        ("key={key}", "unauthorized permission requested"),
        ("key={key}&token=nonsense", "invalid token"),
    ],
)
def test_wrong_credentials_are_told_in_plain_text(trello, query, message):
    """
    Which of the two is wrong is said, nothing else.
    """
    query = query.format(key=trello.key, token=trello.token)

    answer = trello.api.answer(Request(method="GET", path="/1/members/me", query=query))

    assert (answer.status, answer.content_type) == (401, "text/plain; charset=utf-8")
    assert answer.body.decode() == message


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"text"', b"\xff\xfe{}", b"null"])
def test_a_body_that_is_no_json_object_is_refused(ask, trello, body):
    """
    Plain text, status 400, no trace on the server.
    """
    query = f"key={trello.key}&token={trello.token}"
    headers = {"content-type": "application/json"}

    answer = trello.api.answer(
        Request(method="POST", path="/1/boards", query=query, headers=headers, body=body)
    )

    assert (answer.status, answer.content_type) == (400, "text/plain; charset=utf-8")
    assert trello.state.boards() == []


@pytest.mark.parametrize("path", ["/search", "/organizations/x", "/cards", "/nothing/at/all", ""])
def test_an_unknown_route_is_404(ask, path):
    """
    The text is that of any missing thing.
    """
    answer = ask("GET", path)

    assert (answer.status, answer.body) == (404, b"The requested resource was not found.")


def test_lists_cannot_be_deleted(ask, todo):
    """
    They are archived instead.
    """
    assert ask("DELETE", f"/lists/{todo['id']}").status == 404
    assert ask("PUT", f"/lists/{todo['id']}/closed", value="true").json()["closed"] is True


def test_limits_answer_429_with_a_json_body_until_the_window_ends(clock):
    """
    100 requests of a token in ten seconds, then none, then again.
    """
    trello = TrelloSimulator(clock=clock, limits=True)
    query = f"key={trello.key}&token={trello.token}"
    request = Request(method="GET", path=f"/1/tokens/{trello.token}", query=query)

    statuses = [trello.api.answer(request).status for _ in range(101)]
    refused = trello.api.answer(request)
    clock.sleep(10)

    assert statuses == [200] * 100 + [429]
    assert json.loads(refused.body) == {
        "error": "API_TOKEN_LIMIT_EXCEEDED",
        "message": "Rate limit exceeded",
    }
    assert trello.api.answer(request).status == 200


def test_members_have_a_limit_of_their_own(clock):
    """
    100 requests below /members/ in fifteen minutes.
    """
    trello = TrelloSimulator(clock=clock, limits=True)
    query = f"key={trello.key}&token={trello.token}"
    request = Request(method="GET", path="/1/members/me", query=query)
    for _ in range(10):
        for _ in range(10):
            trello.api.answer(request)
        clock.sleep(11)

    refused = trello.api.answer(request)
    clock.sleep(900)

    assert (refused.status, refused.json()["error"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert trello.api.answer(request).status == 200
