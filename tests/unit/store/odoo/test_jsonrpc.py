"""JSON-RPC: what goes out, what comes back, what a refusal means."""

from datetime import timedelta

import pytest

from isthmus.errors import (
    AnswerCutError,
    BackendError,
    CredentialsError,
    InvalidDataError,
    LoginRefusedError,
    NetworkRetryableError,
    RateLimitedError,
    UnknownOutcomeError,
)
from isthmus.http import Timeout
from isthmus.store.odoo import Login

SHORT = Timeout(read=timedelta(seconds=0.3))


def write(client, **options):
    """Change a task."""
    return client.call(
        "project.task", "write", ids=[7], args={"vals": {"name": "x"}}, what="write 1 project.task", **options
    )


def search(client):
    """Look for tasks."""
    return client.call("project.task", "search", args={"domain": []}, what="search project.task", safe=True)


def test_a_call_gives_ids_and_arguments_by_position_and_the_rest_by_name(odoo):
    """
    The names of positional arguments differ between versions, their order does not.
    """
    odoo.connects()
    odoo.answers(odoo.result([{"id": 7}]))

    rows = odoo.client().call(
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
    assert asked.path == "/jsonrpc"
    assert asked.body["jsonrpc"] == "2.0"
    assert asked.body["params"]["service"] == "object"
    assert asked.args[:4] == ["company", 2, odoo.PASSWORD, "project.task"]
    assert asked.called == ("read", [[7, 8], ["name"]], {"load": "", "context": {"lang": "fr_FR"}})


def test_a_method_of_the_model_gets_no_ids(odoo):
    """
    No IDs are something else than an empty list of them.
    """
    odoo.connects()
    odoo.answers(odoo.result([]), odoo.result(True))
    client = odoo.client()

    search(client)
    client.call("project.task", "unlink", ids=[], what="delete 0 project.task")

    assert [asked.called for asked in odoo.asked[-2:]] == [("search", [[]], {}), ("unlink", [[]], {})]


def test_a_login_is_proved_once(odoo):
    """
    The user's ID is kept; a call costs one request.
    """
    odoo.connects()
    odoo.answers(odoo.result([1]), odoo.result([2]))
    client = odoo.client()

    assert [search(client), search(client)] == [[1], [2]]
    assert client.uid == 2
    assert odoo.asked[2].args == ["company", "anna", odoo.PASSWORD, {}]
    assert len(odoo.asked) == 5


def test_a_wrong_login_names_login_and_database_but_not_the_secret(odoo):
    """
    A person must see what was tried, and must not find the password in a log.
    """
    odoo.connects()
    odoo.script[-1] = odoo.result(False)

    with pytest.raises(LoginRefusedError, match="log in to database 'company' as 'anna'") as caught:
        search(odoo.client())

    assert isinstance(caught.value, CredentialsError)
    assert "two-factor" in str(caught.value)
    assert odoo.PASSWORD not in str(caught.value)


@pytest.mark.parametrize("told", [True, "2", [2], {"uid": 2}])
def test_a_login_that_gives_no_user_is_none(odoo, told):
    """
    Something else than an Odoo answers in its name.
    """
    odoo.connects()
    odoo.script[-1] = odoo.result(told)

    with pytest.raises(BackendError, match="promised the ID of a user"):
        search(odoo.client())


def test_json_rpc_without_a_login_is_refused_before_anything_is_sent(odoo):
    """
    An API key alone does not tell JSON-RPC who calls.
    """
    odoo.answers(*odoo.V18)

    with pytest.raises(CredentialsError, match="JSON-RPC needs a login"):
        search(odoo.client(Login("company", None, odoo.KEY)))


def test_an_unknown_database_stops_with_its_name(odoo):
    """
    PostgreSQL's words come through, also in another language.
    """
    said = (
        'connection to server at "db", port 5432 failed: FATAL:  la base de données « company » n\'existe pas'
    )
    odoo.connects()
    odoo.script[-1] = odoo.fault("psycopg2.OperationalError", said)

    with pytest.raises(BackendError, match="Is 'company' the name of the database") as caught:
        search(odoo.client())

    assert not isinstance(caught.value, CredentialsError)


@pytest.mark.parametrize(
    "said",
    [
        'could not translate host name "company" to address: Name or service not known',
        'connection to server at "company" (10.0.0.3), port 5432 failed: Connection refused',
        'FATAL:  too many connections for database "company"',
        'connection to server failed: FATAL:  password authentication failed for user "company"',
        "The Connection Pool Is Full",
    ],
)
def test_a_database_out_of_reach_is_tried_later(odoo, said):
    """
    Nothing was done, by no call: a write may be repeated, too.
    """
    odoo.connects()
    kind = "psycopg2.pool.PoolError" if "Pool" in said else "psycopg2.OperationalError"
    odoo.answers(odoo.fault(kind, said))

    with pytest.raises(NetworkRetryableError, match=r"cannot write 1 project.task"):
        write(odoo.client())


def test_a_read_that_lost_against_others_is_repeated(odoo):
    """
    Odoo itself has tried five times by then; a pause helps.
    """
    odoo.connects()
    odoo.answers(odoo.fault("psycopg2.errors.SerializationFailure", "could not serialize"), odoo.result([3]))

    assert search(odoo.client()) == [3]
    assert odoo.clock.slept == [0.25]


def test_a_write_that_lost_against_others_was_rolled_back(odoo):
    """
    It is not repeated here, since that is the job's business, but it may be.
    """
    odoo.connects()
    odoo.answers(odoo.fault("psycopg2.errors.SerializationFailure", "could not serialize access"))

    with pytest.raises(NetworkRetryableError, match="could not serialize access"):
        write(odoo.client())
    assert len(odoo.asked) == 4


def test_a_write_that_lost_its_connection_is_unknown(odoo):
    """
    The commit may have been made before the connection broke.
    """
    odoo.connects()
    odoo.answers(odoo.fault("psycopg2.OperationalError", "server closed the connection unexpectedly"))

    with pytest.raises(UnknownOutcomeError, match="it may have taken effect"):
        write(odoo.client())


def test_a_write_whose_error_came_after_the_commit_is_unknown(odoo):
    """
    What is run after a commit (mails, other servers) may fail as a ValidationError, too.
    """
    debug = odoo.traceback("retrying", "commit", "run", line="self.postcommit.run()")
    odoo.connects()
    odoo.answers(odoo.fault("odoo.exceptions.ValidationError", "No mail server", debug))

    with pytest.raises(UnknownOutcomeError, match=r"No mail server\. It came after the commit; it may"):
        write(odoo.client())


@pytest.mark.parametrize(
    "said",
    [
        "cannot marshal None unless allow_none is enabled",
        "Object of type frozenset is not JSON serializable",
        "keys must be str, int, float, bool or None, not tuple",
    ],
)
def test_a_write_whose_result_no_json_can_say_has_been_made(odoo, said):
    """
    Odoo commits before it writes the answer.
    """
    debug = odoo.traceback("dispatch", "_response", "dumps")
    odoo.connects()
    odoo.answers(odoo.fault("builtins.TypeError", said, debug))

    assert write(odoo.client()) is None


def test_a_method_that_failed_to_write_json_itself_has_done_nothing(odoo):
    """
    The same words from within the method mean that all was rolled back.
    """
    debug = odoo.traceback("dispatch", "execute_cr", "call_kw", "write", "dumps")
    odoo.connects()
    odoo.answers(odoo.fault("builtins.TypeError", "Object of type set is not JSON serializable", debug))

    with pytest.raises(InvalidDataError, match="TypeError: Object of type set"):
        write(odoo.client())


def test_a_method_that_gives_nothing_is_answered_without_a_result(odoo):
    """
    Odoo leaves the key out where the result is None.
    """
    odoo.connects()
    odoo.answers(odoo.Reply(body={"jsonrpc": "2.0", "id": 409}))

    assert write(odoo.client()) is None


def test_a_deleted_user_is_refused(odoo):
    """
    Odoo says that a record is missing; it is our own.
    """
    said = "Record does not exist or has been deleted.\n(Record: res.users(2,), User: 2)"
    odoo.connects()
    odoo.answers(odoo.fault("odoo.exceptions.MissingError", said))

    with pytest.raises(LoginRefusedError, match="the user of login 'anna' in database 'company'"):
        search(odoo.client())


@pytest.mark.parametrize("told", [[1], {}, {"result": 1}, 3, None, '"ok"'])
def test_json_that_no_odoo_sends_is_no_answer(odoo, told):
    """
    Some proxy may answer for it: nothing is known about a write.
    """
    odoo.connects()
    odoo.answers(*[odoo.Reply(body=told)] * 4)
    client = odoo.client()

    with pytest.raises(UnknownOutcomeError, match="not as an Odoo does"):
        write(client)
    with pytest.raises(NetworkRetryableError):
        search(client)


@pytest.mark.parametrize(
    "told", [{"code": 404, "message": "404: Not Found"}, "no", {}, {"code": 200, "data": []}]
)
def test_an_error_without_details_is_told_all_the_same(odoo, told):
    """
    No answer of a server is answered with an error of our own code.
    """
    odoo.connects()
    odoo.answers(odoo.Reply(body={"jsonrpc": "2.0", "id": 1, "error": told}))

    with pytest.raises(InvalidDataError, match=r"cannot write 1 project.task"):
        write(odoo.client())


@pytest.mark.parametrize("status", [200, 502, 503, 504])
def test_a_page_instead_of_an_answer_leaves_a_write_unknown(odoo, status):
    """
    Maintenance pages and login pages of proxies are HTML, some of them with status 200.
    """
    page = odoo.Reply(status, "<!DOCTYPE html><html>Be right back</html>", "text/html")
    odoo.connects()
    odoo.answers(page, page, page, page)
    client = odoo.client()

    with pytest.raises(UnknownOutcomeError):
        write(client)
    with pytest.raises(NetworkRetryableError):
        search(client)


def test_a_silent_server_leaves_a_write_unknown(odoo):
    """
    It may still be busy with it.
    """
    odoo.connects()
    odoo.answers(odoo.Reply(silent=True))

    with pytest.raises(UnknownOutcomeError, match=r"no answer from .* in time; it may have taken effect"):
        write(odoo.client(timeout=SHORT))


def test_a_long_answer_that_is_cut_tells_so(odoo):
    """
    The store may ask for half.
    """
    cut = odoo.Reply(body={"jsonrpc": "2.0", "id": 1, "result": list(range(100))}, cut=50)
    odoo.connects()
    odoo.answers(cut, cut)

    with pytest.raises(AnswerCutError, match=r"the answer of .* was cut"):
        search(odoo.client())


@pytest.mark.parametrize("kind", ["builtins.MemoryError", "builtins.Exception"])
def test_a_read_that_is_too_much_for_the_server_is_like_one_that_is_cut(odoo, kind):
    """
    Less of it may be possible.
    """
    odoo.connects()
    odoo.answers(*[odoo.fault(kind, "CPU time limit exceeded.")] * 2)

    with pytest.raises(AnswerCutError):
        search(odoo.client())


def test_an_overloaded_server_is_left_alone_as_long_as_it_asks(odoo):
    """
    Odoo Online limits calls.
    """
    odoo.connects()
    odoo.answers(odoo.Reply(429, "slow down", "text/plain", {"Retry-After": "30"}))

    with pytest.raises(RateLimitedError) as caught:
        write(odoo.client())
    assert caught.value.retry_in == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("location", "hint"),
    [
        ("https://company.example.org/jsonrpc", "Use the final address of the server"),
        ("/web/login?redirect=%2Fjsonrpc", "It wants a browser"),
        ("/web/database/selector", "It wants a browser"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_server_that_sends_us_elsewhere_is_badly_set_up(odoo, status, location, hint):
    """
    Odoo answers calls itself; whoever redirects them has not made them.
    """
    odoo.connects()
    odoo.answers(odoo.Reply(status, "", "text/html", {"Location": location}))

    with pytest.raises(BackendError, match=hint):
        write(odoo.client())


def test_a_server_without_the_route_is_no_odoo(odoo):
    """
    The location may have a path too many.
    """
    odoo.answers(odoo.NOT_FOUND, odoo.NOT_FOUND)

    with pytest.raises(BackendError, match=r"no Odoo answers there .* the address of the server"):
        search(odoo.client())


def test_secrets_and_tracebacks_stay_out_of_messages(odoo):
    """
    Odoo repeats arguments in some errors, and always sends a traceback.
    """
    debug = odoo.traceback("call_kw") + f"with password {odoo.PASSWORD}"
    said = f"bad value {odoo.PASSWORD!r}\nTraceback (most recent call last):\n  File ..."
    odoo.connects()
    odoo.answers(odoo.fault("builtins.ValueError", said, debug))

    with pytest.raises(InvalidDataError) as caught:
        write(odoo.client())

    assert str(caught.value).endswith("says ValueError: bad value '***'")


def test_values_that_json_cannot_say_are_refused_here(odoo):
    """
    They would fail at the server in a way that says less.
    """
    odoo.connects()

    with pytest.raises(InvalidDataError, match=r"cannot write 1 project.task: .* cannot be written as JSON"):
        odoo.client().call(
            "project.task", "write", ids=[1], args={"vals": {"name": {1}}}, what="write 1 project.task"
        )


def test_a_compressed_answer_is_read(odoo):
    """
    A page of 500 records has a tenth of its size then.
    """
    odoo.connects()
    odoo.answers(odoo.Reply(body={"jsonrpc": "2.0", "id": 1, "result": [1, 2]}, compressed=True))

    assert search(odoo.client()) == [1, 2]
    assert "gzip" in odoo.asked[-1].headers["accept-encoding"]
