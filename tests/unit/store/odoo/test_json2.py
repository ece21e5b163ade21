"""JSON-2: what goes out, what comes back, what a refusal means."""

from datetime import timedelta

import pytest

from isthmus.errors import (
    AnswerCutError,
    BackendError,
    CredentialsError,
    FailError,
    InvalidDataError,
    LoginRefusedError,
    MissingRecordError,
    NetworkRetryableError,
    UnknownFieldError,
    UnknownModelError,
    UnknownOutcomeError,
)
from isthmus.http import Timeout
from isthmus.store.odoo import Login

SHORT = Timeout(read=timedelta(seconds=0.3))


@pytest.fixture
def client(odoo):
    """A client of an Odoo 19 that has taken our API key."""
    odoo.answers(*odoo.V19, odoo.WHO)
    client = odoo.client(Login("company", None, odoo.KEY, is_key=True))
    assert client.uid == 2
    return client


def write(client):
    """Change a task."""
    return client.call(
        "project.task", "write", ids=[7], args={"vals": {"name": "x"}}, what="write 1 project.task"
    )


def search(client):
    """Look for tasks."""
    return client.call("project.task", "search", args={"domain": []}, what="search project.task", safe=True)


def test_a_call_gives_everything_by_name(odoo, client):
    """
    There are no positional arguments in JSON-2.
    """
    odoo.answers(odoo.Reply(body=[{"id": 7}]))

    rows = client.call(
        "project.task",
        "read",
        ids=(7, 8),
        args={"fields": ["name"]},
        options={"load": ""},
        context={"lang": "fr_FR"},
        what="read 2 project.task",
        safe=True,
    )

    asked = odoo.asked[-1]
    assert rows == [{"id": 7}]
    assert (asked.method, asked.path) == ("POST", "/json/2/project.task/read")
    assert asked.body == {"fields": ["name"], "load": "", "ids": [7, 8], "context": {"lang": "fr_FR"}}
    assert asked.headers["authorization"] == f"bearer {odoo.KEY}"
    assert asked.headers["x-odoo-database"] == "company"


def test_a_method_of_the_model_gets_no_ids(odoo, client):
    """
    Odoo refuses IDs there; an empty list of them is something else.
    """
    odoo.answers(odoo.Reply(body=[]), odoo.Reply(body=True))

    search(client)
    client.call("project.task", "unlink", ids=[], what="delete 0 project.task")

    assert [asked.body for asked in odoo.asked[-2:]] == [{"domain": []}, {"ids": []}]


def test_the_login_tells_language_and_time_zone_at_once(odoo, client):
    """
    The question who we are brings them along.
    """
    assert client.user_context == {"lang": "en_US", "tz": "Europe/Brussels", "uid": 2}
    assert len(odoo.asked) == 2


def test_a_method_that_gives_nothing_gives_none(odoo, client):
    """
    JSON-2 writes null.
    """
    odoo.answers(odoo.Reply(body=None))

    assert write(client) is None


@pytest.mark.parametrize(
    ("status", "name", "said", "error"),
    [
        (401, "werkzeug.exceptions.Unauthorized", "Invalid apikey", LoginRefusedError),
        (403, "odoo.exceptions.AccessDenied", "Access Denied", LoginRefusedError),
        (403, "odoo.exceptions.AccessError", "You are not allowed to modify", CredentialsError),
        (403, "odoo.exceptions.AccessError", "Private methods (such as 'a._b') cannot", FailError),
        (
            404,
            "odoo.exceptions.MissingError",
            "Gone (Record: project.task(7,), User: 2)",
            MissingRecordError,
        ),
        (404, "odoo.exceptions.MissingError", "Gone (Record: res.partner(7,), User: 2)", InvalidDataError),
        (404, "odoo.exceptions.MissingError", "Fort.", MissingRecordError),
        (404, "werkzeug.exceptions.NotFound", "the model 'project.task' does not exist", UnknownModelError),
        (404, "werkzeug.exceptions.NotFound", "The method 'project.task.x' does not exist", FailError),
        (409, "odoo.exceptions.LockError", "Cannot grab a lock", NetworkRetryableError),
        (422, "odoo.exceptions.ValidationError", "A task needs a title", InvalidDataError),
        (422, "odoo.exceptions.UserError", "Not now", InvalidDataError),
        (422, "werkzeug.exceptions.UnprocessableEntity", "missing a required argument", InvalidDataError),
        (500, "builtins.ValueError", "Invalid field 'x' on 'project.task'", UnknownFieldError),
        (500, "builtins.ValueError", "Wrong value for project.task.state: 'x'", InvalidDataError),
        (500, "psycopg2.errors.SerializationFailure", "could not serialize", NetworkRetryableError),
        (500, "psycopg2.errors.UniqueViolation", "duplicate key", InvalidDataError),
        (500, "psycopg2.errors.UndefinedColumn", "column x does not exist", BackendError),
        (500, "psycopg2.OperationalError", "SSL SYSCALL error: EOF detected", UnknownOutcomeError),
        (500, "builtins.ZeroDivisionError", "division by zero", InvalidDataError),
        (500, "builtins.MemoryError", "", UnknownOutcomeError),
    ],
)
def test_a_refused_write_means_what_its_error_says(odoo, client, status, name, said, error):
    """
    The name of the exception decides, not the status: 500 is a wrong value as well as an outage.
    """
    odoo.answers(odoo.refused(status, name, said))

    with pytest.raises(error) as caught:
        write(client)

    assert type(caught.value) is error
    assert len(odoo.asked) == 3


def test_a_missing_right_names_the_model(odoo, client):
    """
    The person who gives rights must know for what.
    """
    odoo.answers(odoo.refused(403, "odoo.exceptions.AccessError", "Uh-oh! Top-secret records."))

    with pytest.raises(CredentialsError, match=r"In database 'company' the API key has no .* project\.task"):
        write(client)


def test_a_lock_is_waited_for_by_a_read(odoo, client):
    """
    A read that lost is repeated after a pause.
    """
    odoo.answers(odoo.refused(409, "odoo.exceptions.LockError", "locked"), odoo.Reply(body=[3]))

    assert search(client) == [3]
    assert odoo.clock.slept == [0.25]


def test_an_error_after_the_commit_leaves_a_write_unknown(odoo, client):
    """
    The change stands, whatever failed behind it.
    """
    debug = odoo.traceback("retrying", "signal_changes")
    odoo.answers(odoo.refused(500, "psycopg2.OperationalError", "connection to server failed", debug))

    with pytest.raises(UnknownOutcomeError, match="It came after the commit"):
        write(client)


def test_an_unknown_database_stops_with_its_name(odoo):
    """
    Odoo answers with a page for people then.
    """
    page = "<!DOCTYPE html>\n<title>404 Not Found</title>\n<p>No database is selected and the requested ..."
    odoo.answers(*odoo.V19, odoo.Reply(404, page, "text/html"))

    with pytest.raises(BackendError, match="has no database 'company', or does not serve it"):
        search(odoo.client(Login("company", None, odoo.KEY, is_key=True)))


def test_a_key_that_expired_says_what_to_look_at(odoo, client):
    """
    Keys live three months at most.
    """
    odoo.answers(odoo.refused(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey"))

    with pytest.raises(LoginRefusedError, match="has it expired") as caught:
        search(client)

    assert odoo.KEY not in str(caught.value)


@pytest.mark.parametrize("told", [{"lang": "en_US"}, [], None, {"uid": False}])
def test_a_key_whose_owner_is_not_told_is_of_no_use(odoo, told):
    """
    Our own changes are known by our user.
    """
    odoo.answers(*odoo.V19, odoo.Reply(body=told))

    with pytest.raises(BackendError, match="does not tell who the API key belongs to"):
        search(odoo.client(Login("company", None, odoo.KEY, is_key=True)))


@pytest.mark.parametrize("secret", ["k3y\n", "clé"])
def test_a_key_that_no_header_can_carry_is_refused_here(odoo, secret):
    """
    It was copied with a line break.
    """
    odoo.answers(*odoo.V19)

    with pytest.raises(CredentialsError, match="'Authorization' hold a character"):
        search(odoo.client(Login("company", None, secret, is_key=True)))


def test_a_database_that_no_header_can_carry_is_refused_here(odoo):
    """
    JSON-RPC may serve it.
    """
    odoo.answers(*odoo.V19)

    with pytest.raises(BackendError, match="holds letters that JSON-2 cannot carry"):
        search(odoo.client(Login("société", None, odoo.KEY, is_key=True)))


@pytest.mark.parametrize("status", [200, 502, 503])
def test_a_page_instead_of_an_answer_leaves_a_write_unknown(odoo, client, status):
    """
    Maintenance pages are HTML.
    """
    page = odoo.Reply(status, "<!DOCTYPE html><html>Be right back</html>", "text/html")
    odoo.answers(page, page, page, page)

    with pytest.raises(UnknownOutcomeError):
        write(client)
    with pytest.raises(NetworkRetryableError):
        search(client)


def test_a_long_answer_that_is_cut_tells_so(odoo, client):
    """
    The store may ask for half.
    """
    cut = odoo.Reply(body=list(range(100)), cut=50)
    odoo.answers(cut, cut)

    with pytest.raises(AnswerCutError, match="was cut"):
        search(client)


def test_a_secret_is_masked_also_where_json_spells_it_with_escapes(odoo):
    r"""
    A key with a quote in it stands as \" in the body of an answer.
    """
    key = 'a"quoted"key'
    odoo.answers(*odoo.V19, odoo.WHO, odoo.refused(422, "odoo.exceptions.UserError", f"bad {key}"))

    with pytest.raises(InvalidDataError, match=r"project\.task: bad \*\*\*$"):
        write(odoo.client(Login("company", None, key, is_key=True)))
