"""The SQL store: records in the hub's own database, with synchronous events."""

from isthmus.store.sql.base import Json, SqlModel, UtcDateTime, new_token
from isthmus.store.sql.bulk import among, given, insert_rows, is_storable
from isthmus.store.sql.capture import Change, watch
from isthmus.store.sql.engine import DATA_ERRORS, is_busy, make_engine
from isthmus.store.sql.lease import SqlLeaseLocks, database_now
from isthmus.store.sql.limiter import SqlLimiter
from isthmus.store.sql.liveness import Owner
from isthmus.store.sql.migrate import SchemaState, check, state, upgrade
from isthmus.store.sql.store import SqlStore
from isthmus.store.sql.transaction import SqlTransaction

__all__ = [
    "DATA_ERRORS",
    "Change",
    "Json",
    "Owner",
    "SchemaState",
    "SqlLeaseLocks",
    "SqlLimiter",
    "SqlModel",
    "SqlStore",
    "SqlTransaction",
    "UtcDateTime",
    "among",
    "check",
    "database_now",
    "given",
    "insert_rows",
    "is_busy",
    "is_storable",
    "make_engine",
    "new_token",
    "state",
    "upgrade",
    "watch",
]
