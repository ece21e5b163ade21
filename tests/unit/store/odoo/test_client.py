"""One connection to an Odoo: version, protocol, login, and what is done when it is refused."""

import threading
from datetime import timedelta

import pytest

from isthmus.errors import (
    BackendError,
    CredentialsError,
    LoginRefusedError,
    NetworkRetryableError,
    PendingWriteError,
    UnknownOutcomeError,
)
from isthmus.store.odoo import ODOO_TIMEOUT, Login, OdooClient

INVALID_KEY = (401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")


def search(client):
    """Look for tasks."""
    return client.call("project.task", "search", args={"domain": []}, what="search project.task", safe=True)


def write(client):
    """Change a task."""
    return client.call(
        "project.task", "write", ids=[7], args={"vals": {"name": "x"}}, what="write 1 project.task"
    )


def paths(odoo):
    """Tell which routes were used, in order."""
    return [asked.path for asked in odoo.asked]


def test_nothing_is_sent_before_the_first_use(odoo):
    """
    A hub opens no connection that nobody uses.
    """
    client = odoo.client()

    assert odoo.asked == []
    assert client.clock_offset is None


def test_an_odoo_18_is_spoken_to_in_json_rpc(odoo):
    """
    It has no page that tells its version, and no JSON-2.
    """
    odoo.connects()
    client = odoo.client(Login("company", "anna", odoo.KEY, is_key=True))

    assert client.protocol == "jsonrpc"
    assert client.version.name == "18.0"
    assert paths(odoo) == ["/web/version", "/jsonrpc", "/jsonrpc"]


def test_an_odoo_19_is_spoken_to_in_json2_with_a_key(odoo):
    """
    One request tells the version, one who we are.
    """
    odoo.answers(*odoo.V19, odoo.WHO)
    client = odoo.client(Login("company", "anna", odoo.KEY, is_key=True))

    assert client.protocol == "json2"
    assert client.uid == 2
    assert paths(odoo) == ["/web/version", "/json/2/res.users/context_get"]


def test_an_odoo_19_is_spoken_to_in_json_rpc_with_a_password(odoo):
    """
    JSON-2 takes no passwords.
    """
    odoo.answers(*odoo.V19, odoo.ME)

    assert odoo.client(Login("company", "anna", odoo.PASSWORD, is_key=False)).protocol == "jsonrpc"


def test_a_secret_of_unknown_kind_is_tried_as_a_key_once(odoo):
    """
    That it is a password is remembered.
    """
    odoo.answers(*odoo.V19, odoo.refused(*INVALID_KEY), odoo.ME, odoo.result([1]), odoo.result([2]))
    client = odoo.client(Login("company", "anna", odoo.PASSWORD))

    assert [search(client), search(client)] == [[1], [2]]
    assert client.protocol == "jsonrpc"
    assert paths(odoo)[1:] == ["/json/2/res.users/context_get", "/jsonrpc", "/jsonrpc", "/jsonrpc"]


def test_a_key_that_is_refused_is_not_tried_as_a_password(odoo):
    """
    A person said that it is a key.
    """
    odoo.answers(*odoo.V19, odoo.refused(*INVALID_KEY))

    with pytest.raises(LoginRefusedError, match="Invalid apikey"):
        search(odoo.client(Login("company", "anna", odoo.KEY, is_key=True)))


def test_a_secret_that_neither_protocol_takes_is_refused(odoo):
    """
    Expired keys are refused by both.
    """
    odoo.answers(*odoo.V19, odoo.refused(*INVALID_KEY), odoo.result(False))

    with pytest.raises(LoginRefusedError, match="does not know this login with this password or API key"):
        search(odoo.client(Login("company", "anna", odoo.KEY)))


def test_a_forced_protocol_is_not_argued_with(odoo):
    """
    Asking for the version is not needed for it.
    """
    odoo.answers(odoo.ME, odoo.result([1]))

    assert search(odoo.client(Login("company", "anna", odoo.KEY), protocol="jsonrpc")) == [1]
    assert paths(odoo) == ["/jsonrpc", "/jsonrpc"]


def test_a_forced_json2_takes_the_secret_for_a_key(odoo):
    """
    There is no second try with it as a password.
    """
    odoo.answers(*odoo.V19, odoo.refused(*INVALID_KEY))

    with pytest.raises(LoginRefusedError, match="Invalid apikey"):
        search(odoo.client(Login("company", "anna", odoo.PASSWORD), protocol="json2"))


def test_a_forced_protocol_that_the_server_lacks_is_named(odoo):
    """
    Odoo 18 would answer with a page about something not found.
    """
    odoo.answers(*odoo.V18)

    with pytest.raises(BackendError, match=r"runs Odoo 18\.0, which does not speak JSON-2"):
        search(odoo.client(Login("company", "anna", odoo.KEY), protocol="json2"))


def test_a_website_that_redirects_unknown_pages_is_asked_the_older_way(odoo):
    """
    The page of the version may be any page before Odoo 19.
    """
    elsewhere = odoo.Reply(303, "", "text/html", {"Location": "/fr/web/version"})
    odoo.answers(elsewhere, odoo.V18[1])

    assert odoo.client().version.name == "18.0"


def test_an_old_odoo_is_refused_at_the_first_use(odoo):
    """
    Version 8 speaks JSON-RPC as well.
    """
    odoo.answers(odoo.NOT_FOUND, odoo.result({"server_version": "8.0", "server_serie": "8.0"}))

    with pytest.raises(BackendError, match=r"runs Odoo 8\.0; version 14\.0 or later is needed"):
        search(odoo.client())


def test_a_guard_before_odoo_is_not_mistaken_for_it(odoo):
    """
    Basic authentication of a proxy is neither our login nor a missing page.
    """
    odoo.answers(odoo.Reply(401, "Authorization required", "text/plain"))

    with pytest.raises(CredentialsError, match="401 Unauthorized") as caught:
        search(odoo.client())

    assert not isinstance(caught.value, LoginRefusedError)


def test_maintenance_is_waited_for(odoo):
    """
    A server that is being updated is up again in a while; nothing was sent of a write.
    """
    page = odoo.Reply(503, "<html>Upgrading</html>", "text/html")
    odoo.answers(page, page, page)

    with pytest.raises(NetworkRetryableError, match="503 Service Unavailable: an HTML page"):
        write(odoo.client())


@pytest.mark.parametrize(
    "login", [Login("", "anna", "x"), Login("company", "anna", "")], ids=["database", "secret"]
)
def test_an_incomplete_login_is_refused_before_anything_is_sent(odoo, login):
    """
    Odoo would say something less clear.
    """
    with pytest.raises(CredentialsError, match=r"no (database|password or API key) is given"):
        search(odoo.client(login))

    assert odoo.asked == []


def test_a_key_that_was_replaced_meanwhile_is_read_again(odoo):
    """
    A write that was refused for its key has not been made, and is made with the new one.
    """
    keys = iter([odoo.KEY, "b" * 40])
    odoo.answers(*odoo.V19, odoo.WHO, odoo.refused(*INVALID_KEY), odoo.WHO, odoo.Reply(body=True))
    client = odoo.client(lambda: Login("company", None, next(keys), is_key=True))

    assert write(client) is True
    assert [asked.headers.get("authorization", "")[-2:] for asked in odoo.asked[1:]] == [
        "a0",
        "a0",
        "bb",
        "bb",
    ]


def test_a_key_that_was_replaced_before_the_first_use_is_read_again(odoo):
    """
    The credentials may have been read a moment too early.
    """
    logins = iter([Login("company", "anna", "old-one"), Login("company", "anna", "new-one")])
    odoo.answers(*odoo.V18, odoo.result(False), odoo.ME, odoo.result([1]))

    assert search(odoo.client(lambda: next(logins))) == [1]


@pytest.mark.parametrize("as_callable", [False, True])
def test_a_refused_login_that_has_not_changed_is_not_tried_again(odoo, as_callable):
    """
    Odoo locks those out who try too often.
    """
    login = Login("company", "anna", odoo.PASSWORD, is_key=False)
    denied = odoo.fault("odoo.exceptions.AccessDenied", "Access Denied")
    odoo.connects()
    odoo.answers(denied)

    with pytest.raises(LoginRefusedError, match=r"search project\.task: Access Denied\. Check the password"):
        search(odoo.client((lambda: login) if as_callable else login))
    assert len(odoo.asked) == 4


def test_a_session_that_ran_out_is_renewed_once(odoo):
    """
    The same login opens another one.
    """
    expired = odoo.fault("odoo.http.SessionExpiredException", "Session expired", code=100)
    odoo.connects()
    odoo.answers(expired, odoo.ME, odoo.result([1]), expired, odoo.ME, expired)
    client = odoo.client()

    assert search(client) == [1]
    with pytest.raises(LoginRefusedError, match="Logging in again did not help"):
        search(client)


def test_a_write_of_unknown_outcome_is_not_repeated(odoo):
    """
    Whoever asked for it settles that.
    """
    odoo.connects()
    odoo.answers(odoo.Reply(502, "<html>", "text/html"), odoo.result(True))

    with pytest.raises(UnknownOutcomeError):
        write(odoo.client())
    assert len(odoo.asked) == 4


def test_connections_are_kept(odoo):
    """
    A TLS handshake costs more than most calls.
    """
    odoo.connects()
    odoo.answers(*[odoo.result([n]) for n in range(5)])
    client = odoo.client()

    assert [search(client) for _ in range(5)] == [[0], [1], [2], [3], [4]]
    assert len({asked.connection for asked in odoo.asked}) == 1


def test_threads_share_one_login(odoo):
    """
    However many threads begin at once, we log in once.
    """
    odoo.connects()
    odoo.answers(*[odoo.result([1])] * 8)
    client = odoo.client()
    begin = threading.Barrier(8)

    def run():
        begin.wait()
        search(client)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len([asked for asked in odoo.asked if asked.body and "authenticate" in str(asked.body)]) == 1
    assert len(odoo.asked) == 11


def test_threads_that_are_refused_together_log_in_again_once(odoo):
    """
    The second to notice takes what the first has got.
    """
    expired = odoo.fault("odoo.http.SessionExpiredException", "Session expired", code=100, waits=True)
    odoo.connects()
    odoo.answers(expired, expired, odoo.ME, odoo.result([1]), odoo.result([1]))
    client = odoo.client()
    assert client.uid == 2

    threads = [threading.Thread(target=search, args=(client,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert paths(odoo).count("/jsonrpc") == 7
    assert not odoo.script


def test_language_and_time_zone_are_asked_for_once(odoo):
    """
    JSON-RPC's login does not bring them along.
    """
    odoo.connects()
    odoo.answers(odoo.result({"lang": "fr_FR", "tz": "Europe/Paris", "uid": 2}))
    client = odoo.client()

    assert client.user_context["lang"] == "fr_FR"
    assert client.user_context["tz"] == "Europe/Paris"
    assert odoo.asked[-1].called == ("context_get", [], {})
    assert len(odoo.asked) == 4


def test_reconnecting_finds_out_all_again(odoo):
    """
    The server may be another version after an upgrade.
    """
    odoo.connects()
    client = odoo.client(Login("company", "anna", odoo.KEY, is_key=True))
    before = client.uid, client.version.name
    odoo.answers(*odoo.V19, odoo.WHO)

    client.reconnect()

    assert before == (2, "18.0")
    assert (client.uid, client.version.name, client.protocol) == (2, "19.0", "json2")


def test_the_clock_of_the_server_is_known_after_the_first_answer(odoo):
    """
    Changes are found by the server's clock, not by ours.
    """
    odoo.connects()
    client = odoo.client()

    assert client.uid == 2
    assert client.clock_offset == timedelta(0)


def test_a_guard_hears_of_each_call_and_may_refuse_it(odoo):
    """
    No call is made while a transaction has written.
    """
    told = []

    def guard(what):
        told.append(what)
        if what.startswith("write"):
            raise PendingWriteError(what)

    odoo.connects()
    odoo.answers(odoo.result([1]))
    client = odoo.client()
    client.on_call = guard

    search(client)
    with pytest.raises(PendingWriteError):
        write(client)

    assert told[-2:] == ["search project.task", "write 1 project.task"]
    assert len(odoo.asked) == 4


@pytest.mark.parametrize("url", ["", "company.odoo.com", "ftp://company.odoo.com", "https://"])
def test_a_location_that_is_none_is_refused(url):
    """
    At once, not at the first call.
    """
    with pytest.raises(BackendError, match="location of the backend"):
        OdooClient(url, Login("company", "anna", "x"))


def test_a_location_copied_from_a_browser_is_understood(odoo):
    """
    People copy what they see.
    """
    odoo.connects()

    with OdooClient(f"{odoo.url}/web/login?db=company#x", Login("company", "anna", odoo.PASSWORD)) as client:
        assert client.uid == 2
    assert paths(odoo) == ["/web/version", "/jsonrpc", "/jsonrpc"]


def test_a_secret_is_in_no_repr(odoo):
    """
    Logs show reprs.
    """
    login = Login("company", "anna", odoo.PASSWORD)

    assert odoo.PASSWORD not in f"{login!r} {odoo.client(login)!r}"


def test_an_answer_may_take_a_minute():
    """
    Odoo answers when a page of records is done, not before.
    """
    assert ODOO_TIMEOUT.connect == timedelta(seconds=10)
    assert ODOO_TIMEOUT.read == timedelta(seconds=60)
