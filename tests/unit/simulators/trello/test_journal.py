"""The request log."""

from isthmus.simulators.trello.journal import LoggedRequest, RequestLog


def entry(method: str, path: str, route: str | None = None) -> LoggedRequest:
    """A logged request."""
    return LoggedRequest(method=method, path=path, route=route, status=200)


def test_requests_are_counted_by_method_and_path():
    """
    ``*`` stands for anything; the query does not matter.
    """
    log = RequestLog()
    log.append(entry("GET", "/1/cards/a?fields=all"))
    log.append(entry("PUT", "/1/cards/a"))
    log.append(entry("GET", "/1/boards/b/actions"))

    assert log.count("GET") == 2
    assert log.count(path="/cards/*") == 2
    assert log.count("GET", "/boards/*/actions") == 1


def test_requests_are_counted_by_route():
    """
    An unknown route goes by its path.
    """
    log = RequestLog()
    for path in ("/1/cards/a", "/1/cards/b"):
        log.append(entry("GET", path, "GET /cards/{card}"))
    log.append(entry("GET", "/1/search?query=x"))

    assert log.by_route() == {"GET /cards/{card}": 2, "GET /1/search": 1}


def test_a_cleared_log_is_empty():
    """
    Tests count from a point of their choice.
    """
    log = RequestLog()
    log.append(entry("GET", "/1/cards/a"))

    log.clear()

    assert len(log) == log.count() == 0
