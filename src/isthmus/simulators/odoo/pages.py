"""The pages for people that a program gets to see: of Odoo's web server and of proxies before it."""

from html import escape
from typing import Final


def page(title: str, text: str) -> str:
    """Write an error as Odoo's web server does."""
    head = f"<!doctype html>\n<html lang=en>\n<title>{title}</title>\n"
    return f"{head}<h1>{title[4:]}</h1>\n<p>{text}</p>\n"


def bad_request(route: str) -> str:
    """Say that a request is not of the type of its route."""
    path = escape(route.partition(" ")[2])
    return page(
        "400 Bad Request",
        "Request inferred type is compatible with [&#39;http&#39;] "
        f"but &#39;{path}&#39; is type=&#39;json&#39;.",
    )


NOT_FOUND: Final = page(
    "404 Not Found",
    "The requested URL was not found on the server. If you entered the URL manually please check your "
    "spelling and try again.",
)
NO_DATABASE: Final = (
    "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"
    "<p>No database is selected and the requested URL was not found in the server-wide controllers.</p>\n"
    "<p>Please verify the hostname, <a href=/web/login>login</a> and try again.</p>\n\n"
    "<!-- Alternatively, use the X-Odoo-Database header. -->\n"
)
UNSUPPORTED: Final = page("415 Unsupported Media Type", "The route takes application/json only.")
UNAUTHORIZED: Final = page(
    "401 Unauthorized", "User not authenticated, use an API Key with a Bearer Authorization header."
)
MAINTENANCE: Final = (
    "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head>"
    "<body><h1>We are back soon</h1><p>This database is being upgraded.</p></body></html>\n"
)
SIGN_IN: Final = (
    "<!DOCTYPE html>\n<html><head><title>Odoo</title></head>"
    "<body><form>Please sign in.</form></body></html>\n"
)
BUSY: Final = "<html>\n<head><title>429 Too Many Requests</title></head>\n<body></body>\n</html>\n"


_NAMES: Final = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def broken(status: int) -> str:
    """Write what a proxy says when the server behind it does not answer."""
    title = f"{status} {_NAMES.get(status, 'Error')}"
    body = f"<body><center><h1>{title}</h1></center></body>"
    return f"<html>\n<head><title>{title}</title></head>\n{body}\n</html>\n"
