"""Statements that are given to the database's driver as they are."""

import sqlite3
from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy import Connection

from isthmus.errors import DatabaseBusyError
from isthmus.store.sql import is_busy


def execute(connection: Connection, statement: str, parameters: Mapping[str, Any]) -> Any:
    """Execute a statement of the driver's own form and give its cursor.

    Args:
        connection: Where.
        statement: With parameters as ``%(name)s``, on SQLite ``:name``.
        parameters: Their values; nothing is converted but what the driver knows itself.

    Raises:
        DatabaseBusyError: When the database is busy or away.
        Error: The driver's own, when it refuses the statement.
    """
    driver: Any = connection.connection.driver_connection
    try:
        return driver.execute(statement, parameters)
    except (psycopg.Error, sqlite3.Error) as exc:
        if is_busy(exc):
            raise DatabaseBusyError(f"the database is busy or away: {type(exc).__name__}") from exc
        raise
