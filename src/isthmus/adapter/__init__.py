"""Adapters: components that read and write another system."""

from isthmus.adapter.component import BackendAdapter, CRUDAdapter, ExportAdapter, SearchAdapter
from isthmus.adapter.paging import in_chunks, walk_before, walk_cursor, walk_numbered

__all__ = [
    "BackendAdapter",
    "CRUDAdapter",
    "ExportAdapter",
    "SearchAdapter",
    "in_chunks",
    "walk_before",
    "walk_cursor",
    "walk_numbered",
]
