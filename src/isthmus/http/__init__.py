"""The HTTP client under adapters and remote stores: every failure told once, no write repeated."""

from isthmus.http.answer import Payload, as_object, as_objects, path
from isthmus.http.client import USER_AGENT, HTTPClient, Quota, Refusal, Timeout
from isthmus.http.credentials import Auth, fingerprint
from isthmus.http.failure import Call, error_for_exception, error_for_status, shorten, unsettled

__all__ = [
    "USER_AGENT",
    "Auth",
    "Call",
    "HTTPClient",
    "Payload",
    "Quota",
    "Refusal",
    "Timeout",
    "as_object",
    "as_objects",
    "error_for_exception",
    "error_for_status",
    "fingerprint",
    "path",
    "shorten",
    "unsettled",
]
