"""Backends: external systems as records, with versions and secrets."""

from isthmus.backend.model import Backend, BackendRecord
from isthmus.backend.secret import Credentials, KeyRing, create_key_file, resolve

__all__ = ["Backend", "BackendRecord", "Credentials", "KeyRing", "create_key_file", "resolve"]
