"""Each way in which Trello can fail us, and what an adapter makes of it."""

from datetime import UTC, datetime, timedelta

import pytest

from isthmus.connectors.trello.client import KEY_WINDOW, MEMBERS_WINDOW, TOKEN_WINDOW, TrelloClient
from isthmus.errors import (
    CredentialsError,
    IDMissingInBackend,
    InvalidDataError,
    NetworkRetryableError,
    RateLimitedError,
    UnknownOutcomeError,
)
from isthmus.simulators.trello import TrelloSimulator

UNANSWERED = ["timeout_before", "reset_before", "truncated", "wrong_type", "server_error"]
APPLIED = ["timeout_after", "reset_after", "truncated"]
NOT_APPLIED = ["timeout_before", "reset_before", "wrong_type", "server_error"]


@pytest.fixture
def patience_s() -> float:
    """Answers that do not come are what this is about."""
    return 0.5


@pytest.fixture
def todo(simulator):
    """A list on a board."""
    return simulator.state.create_list(simulator.state.create_board("Website"), "To do")


@pytest.fixture
def cards(adapter_for, todo):
    """The adapter of cards."""
    return adapter_for("trello.card")


@pytest.fixture
def since():
    """The moment before anything is created."""
    return datetime.now(UTC)


def names(simulator):
    """The names of all cards there."""
    return [card["name"] for card in simulator.state.cards()]


@pytest.mark.parametrize("kind", [*UNANSWERED, "slow", "late"])
def test_a_read_survives_one_failure(simulator, cards, todo, kind):
    """
    A hiccup of a read is repeated inside the request.
    """
    card = simulator.state.create_card(todo, "Logo")
    simulator.faults.next(kind, method="GET", path="/cards/*")

    assert cards.read(card["id"])["name"] == "Logo"


@pytest.mark.parametrize("kind", UNANSWERED)
def test_a_read_that_keeps_failing_is_for_later(simulator, cards, todo, kind):
    """
    Three failures in a row are an outage: the job comes back later.
    """
    card = simulator.state.create_card(todo, "Logo")
    simulator.faults.next(kind, method="GET", path="/cards/*", times=3)

    with pytest.raises(NetworkRetryableError, match=f"cannot read card {card['id']}"):
        cards.read(card["id"])


@pytest.mark.parametrize("kind", APPLIED)
def test_a_lost_answer_leaves_a_create_unknown_and_the_probe_finds_it(simulator, cards, todo, since, kind):
    """
    The card is there once, found by its key, although no answer told its ID.
    """
    values = {"name": "Logo", "idList": todo["id"]}
    simulator.faults.next(kind, method="POST", path="/cards")

    with pytest.raises(UnknownOutcomeError):
        cards.create(values, key="effect-1")
    found = cards.find_created("effect-1", values, since)

    assert [card["name"] for card in found] == ["Logo"]
    assert names(simulator) == ["Logo"]


@pytest.mark.parametrize("kind", NOT_APPLIED)
def test_a_create_that_had_no_effect_leaves_nothing_to_find(simulator, cards, todo, since, kind):
    """
    It is as unknown as the other at first; the probe tells them apart.
    """
    values = {"name": "Logo", "idList": todo["id"]}
    simulator.faults.next(kind, method="POST", path="/cards")

    with pytest.raises(UnknownOutcomeError):
        cards.create(values, key="effect-1")

    assert cards.find_created("effect-1", values, since) == []
    assert names(simulator) == []


def test_a_late_effect_is_found_when_it_has_happened(simulator, cards, todo, since):
    """
    Before its release the probe sees nothing: only a quiet time helps, not a marker.
    """
    values = {"name": "Logo", "idList": todo["id"]}
    simulator.faults.next("late", method="POST", path="/cards")

    with pytest.raises(UnknownOutcomeError):
        cards.create(values, key="effect-1")
    before = cards.find_created("effect-1", values, since)
    simulator.faults.release()
    after = cards.find_created("effect-1", values, since)

    assert [len(before), len(after)] == [0, 1]


@pytest.mark.parametrize("kind", [*UNANSWERED, "timeout_after", "reset_after"])
@pytest.mark.parametrize("write", ["write", "delete"])
def test_an_unanswered_change_is_sent_once_and_unknown(simulator, cards, todo, kind, write):
    """
    Neither a change nor a delete is repeated by the transport.
    """
    card = simulator.state.create_card(todo, "Logo")
    simulator.faults.next(kind, path="/cards/*")
    simulator.requests.clear()

    with pytest.raises(UnknownOutcomeError, match=f"{write} card {card['id']}"):
        cards.write(card["id"], {"name": "New"}) if write == "write" else cards.delete(card["id"])

    assert simulator.requests.count(path="/cards/*") == 1


def test_a_lost_answer_of_a_list_is_found_by_name_author_and_time(simulator, adapter_for, todo, since):
    """
    A person's list of the same name on the same board is not taken for ours.
    """
    lists, values = adapter_for("trello.list"), {"name": " Doing ", "idBoard": todo["idBoard"]}
    theirs = simulator.state.create_list(todo["idBoard"], "Doing")
    simulator.faults.next("timeout_after", method="POST", path="/lists")

    with pytest.raises(UnknownOutcomeError):
        lists.create(values, key="effect-1")
    found = lists.find_created("effect-1", values, since)

    assert [item["name"] for item in found] == ["Doing"]
    assert found[0]["id"] != theirs["id"]


def test_a_lost_answer_of_a_board_is_found_by_name_author_and_time(simulator, adapter_for, todo, since):
    """
    So is a board, with its lists nested.
    """
    boards, values = adapter_for("trello.board"), {"name": "Website"}
    simulator.faults.next("reset_after", method="POST", path="/boards")

    with pytest.raises(UnknownOutcomeError):
        boards.create(values, key="effect-1")
    found = boards.find_created("effect-1", values, since)

    assert [(board["name"], board["lists"]) for board in found] == [("Website", [])]
    assert found[0]["id"] != todo["idBoard"]


def test_a_create_that_is_cut_before_it_archives_is_finished_by_the_probe(simulator, cards, todo, since):
    """
    Trello makes only open cards: archiving is a second request, which the probe makes up for.
    """
    values = {"name": "Old", "idList": todo["id"], "closed": True}
    simulator.faults.next("timeout_before", method="PUT", path="/cards/*")

    with pytest.raises(UnknownOutcomeError):
        cards.create(values, key="effect-1")
    found = cards.find_created("effect-1", values, since)

    assert [card["closed"] for card in found] == [True]
    assert [card["closed"] for card in simulator.state.cards()] == [True]


class Remembering:
    """A limiter that never waits."""

    def __init__(self):
        self.taken, self.over = [], []

    def take(self, credential, windows):
        self.taken.append((credential, tuple(windows)))

    def exhausted(self, credential, window):
        self.over.append((credential, window))


@pytest.fixture
def limiter():
    """A limiter that remembers."""
    return Remembering()


@pytest.fixture
def paced(simulator, limiter):
    """A client with a limiter."""
    with TrelloClient(simulator.key, simulator.token, url=simulator.url + "/1/", limiter=limiter) as client:
        yield client


def test_every_request_draws_from_token_and_key(simulator, paced, limiter, todo):
    """
    The key is shared by all tokens, so it is counted under a name of its own.
    """
    paced.board(todo["idBoard"])
    paced.my_boards()

    (token, windows), (key, key_windows), (_, member_windows), _ = limiter.taken

    assert windows == (TOKEN_WINDOW,)
    assert key_windows == (KEY_WINDOW,)
    assert member_windows == (TOKEN_WINDOW, MEMBERS_WINDOW)
    assert token != key
    assert simulator.token not in token
    assert simulator.key not in key


def test_a_refusal_for_speed_tells_the_limiter_and_the_job(simulator, paced, limiter, todo):
    """
    Trello gives no Retry-After: we come back when its window is over.
    """
    simulator.faults.next("rate_limit", method="GET", path="/boards/*")

    with pytest.raises(RateLimitedError) as caught:
        paced.board(todo["idBoard"])

    assert caught.value.retry_in == timedelta(seconds=10)
    assert [window.period for _, window in limiter.over] == [timedelta(seconds=10)]


@pytest.mark.parametrize(
    ("route", "body", "window"),
    [
        ("/boards/x", '{"error": "API_TOKEN_LIMIT_EXCEEDED"}', TOKEN_WINDOW),
        ("/boards/x", '{"error": "API_KEY_LIMIT_EXCEEDED"}', KEY_WINDOW),
        ("/members/me", '{"error": "RATE_LIMIT_EXCEEDED"}', MEMBERS_WINDOW),
        ("/boards/x", "Rate limit exceeded", TOKEN_WINDOW),
        ("/boards/x", "[]", TOKEN_WINDOW),
    ],
)
def test_trello_names_the_window_in_the_body(paced, route, body, window):
    """
    Whichever limit was hit, that one is closed for everybody.
    """
    assert paced.exceeded(route, body)[1] == window


def test_the_client_keeps_what_the_server_enforces():
    """
    With the server's limits on, the 101st request of one token in ten seconds is refused and understood.
    """
    with (
        TrelloSimulator(limits=True) as simulator,
        TrelloClient(simulator.key, simulator.token, url=simulator.url) as client,
    ):
        board = client.create_board({"name": "Website"})["id"]
        for _ in range(99):
            client.board(board)

        with pytest.raises(RateLimitedError, match="429 Too Many Requests"):
            client.board(board)


@pytest.mark.parametrize(
    ("key", "token"), [("", "t"), ("k", ""), ("k k", "t"), ("k", 't"'), ("k", "tö"), ("k\n", "t")]
)
def test_credentials_that_cannot_be_any_are_refused_before_the_first_request(key, token):
    """
    The message says which of the two is wrong, and does not show it.
    """
    with pytest.raises(CredentialsError, match=r"the Trello (key|token) (is empty|holds)"):
        TrelloClient(key, token)


@pytest.mark.parametrize("wrong", ["key", "token"])
def test_wrong_credentials_stop_and_are_not_shown(simulator, wrong):
    """
    A person must change them; the message has Trello's own words and no secret.
    """
    right = {"key": simulator.key, "token": simulator.token}
    client = TrelloClient(**(right | {wrong: "f" * 32}), url=simulator.url)

    with client, pytest.raises(CredentialsError, match=f"invalid {wrong}") as caught:
        client.me()

    assert "f" * 32 not in str(caught.value)


def test_values_that_trello_refuses_are_a_data_error_in_its_own_words(cards, todo):
    """
    The record is parked with the reason.
    """
    with pytest.raises(InvalidDataError, match="invalid value for idList"):
        cards.create({"name": "x", "idList": "5f00000000000000000000ff"})
    with pytest.raises(InvalidDataError, match="400 Bad Request"):
        cards.create({"name": "x", "desc": "x" * 1_000_000, "idList": todo["id"]})


@pytest.mark.parametrize("external_id", ["0", "5f00000000000000000000ff", "a/../b"])
def test_an_id_that_trello_does_not_know_is_an_error_about_that_card(cards, external_id):
    """
    A wrong ID parks one record and stops nothing.
    """
    with pytest.raises((IDMissingInBackend, InvalidDataError), match="cannot read card"):
        cards.read(external_id)
