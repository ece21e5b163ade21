"""A live Odoo over its API."""

from isthmus.store.odoo.client import ODOO_TIMEOUT, OdooClient
from isthmus.store.odoo.description import Dialects, dialects_of
from isthmus.store.odoo.dialect import Dialect, Translation
from isthmus.store.odoo.dialects import TaskDialect14, TaskDialect15, TaskDialect17
from isthmus.store.odoo.store import OdooStore
from isthmus.store.odoo.transport import Login
from isthmus.store.odoo.version import KNOWN, OdooVersion

__all__ = [
    "KNOWN",
    "ODOO_TIMEOUT",
    "Dialect",
    "Dialects",
    "Login",
    "OdooClient",
    "OdooStore",
    "OdooVersion",
    "TaskDialect14",
    "TaskDialect15",
    "TaskDialect17",
    "Translation",
    "dialects_of",
]
