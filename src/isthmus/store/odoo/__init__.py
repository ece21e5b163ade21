"""A live Odoo over its API."""

from isthmus.store.odoo.client import ODOO_TIMEOUT, OdooClient
from isthmus.store.odoo.description import Dialects, dialects_of
from isthmus.store.odoo.dialect import Dialect, Translation
from isthmus.store.odoo.dialects import TaskDialect14, TaskDialect15, TaskDialect17
from isthmus.store.odoo.feed import Feed
from isthmus.store.odoo.loading import LOAD_CONTEXT, external_id, own_key
from isthmus.store.odoo.store import OdooStore
from isthmus.store.odoo.transport import Login
from isthmus.store.odoo.version import KNOWN, OdooVersion

__all__ = [
    "KNOWN",
    "LOAD_CONTEXT",
    "ODOO_TIMEOUT",
    "Dialect",
    "Dialects",
    "Feed",
    "Login",
    "OdooClient",
    "OdooStore",
    "OdooVersion",
    "TaskDialect14",
    "TaskDialect15",
    "TaskDialect17",
    "Translation",
    "dialects_of",
    "external_id",
    "own_key",
]
