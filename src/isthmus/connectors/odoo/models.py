"""The backend type and the binding table."""

from isthmus.backend import Backend
from isthmus.binding import Binding


class OdooBackend(Backend):
    """A database of an Odoo server, as one of its users sees it.

    ``key`` is an API key of that user, or the password. What a rotation has replaced and not yet revoked is
    kept beside it, as ``previous_key``.
    """

    _name = "odoo.backend"
    _extends = ("connector.backend",)
    _versions = {
        "14.0": None,
        "15.0": "14.0",
        "16.0": "15.0",
        "17.0": "16.0",
        "18.0": "17.0",
        "19.0": "18.0",
        "20.0": "19.0",
    }
    _credentials = ("key",)
    _questions = {
        "url": "address of the server, such as https://example.odoo.com",
        "database": "name of the database",
        "login": "login of the user, mostly an e-mail address",
        "key": "API key (Preferences, Account Security) or password",
    }
    _options = {
        "database": None,
        "login": None,
        "protocol": "auto",
        "secret_is": "auto",
        "key_name": None,
        "key_expires": None,
        "key_pending": None,
        "key_overlap_until": None,
        "timeout_s": 60.0,
        "lag_s": 300.0,
        "context": {},
        "import_domain": {},
        "export_domain": {},
        "on_external_delete": "archive",
        "on_record_delete": "archive",
    }
    __mapper_args__ = {"polymorphic_identity": "odoo.backend"}


class OdooPartner(Binding):
    """A partner there stands for a partner of ours."""

    __tablename__ = "isthmus_odoo_partner"
    _name = "odoo.partner"
    _binds = "res.partner"
