"""Adapters: components that read and write another system, and the HTTP client under them."""

from isthmus.adapter.answer import Payload, as_object, as_objects, path
from isthmus.adapter.component import BackendAdapter, CRUDAdapter, ExportAdapter, SearchAdapter
from isthmus.adapter.credentials import Auth, fingerprint
from isthmus.adapter.failure import Call, error_for_exception, error_for_status
from isthmus.adapter.http import USER_AGENT, HTTPClient, Quota, Timeout
from isthmus.adapter.paging import in_chunks, walk_before, walk_cursor, walk_numbered

__all__ = [
    "USER_AGENT",
    "Auth",
    "BackendAdapter",
    "CRUDAdapter",
    "Call",
    "ExportAdapter",
    "HTTPClient",
    "Payload",
    "Quota",
    "SearchAdapter",
    "Timeout",
    "as_object",
    "as_objects",
    "error_for_exception",
    "error_for_status",
    "fingerprint",
    "in_chunks",
    "path",
    "walk_before",
    "walk_cursor",
    "walk_numbered",
]
