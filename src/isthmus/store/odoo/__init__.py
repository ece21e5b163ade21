"""A live Odoo over its API."""

from isthmus.store.odoo.client import ODOO_TIMEOUT, OdooClient
from isthmus.store.odoo.transport import Login
from isthmus.store.odoo.version import KNOWN, OdooVersion

__all__ = ["KNOWN", "ODOO_TIMEOUT", "Login", "OdooClient", "OdooVersion"]
