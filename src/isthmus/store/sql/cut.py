"""Taking a connection away from a thread that waits for ever, from another thread."""

import logging
import os
import socket
import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import InvalidRequestError

logger = logging.getLogger("isthmus.store")


def cut(connection: Connection) -> None:
    """Undo what a connection's transaction has done, and let its next statement raise.

    Its locks are free then: on SQLite nobody can write while another's transaction has written.

    Args:
        connection: Another thread's; one that was closed meanwhile is left alone.
    """
    with suppress(InvalidRequestError):  # also what is raised for one that is closed
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            shut(driver)
            return
        with suppress(sqlite3.Error):
            driver.interrupt()
            # Closing alone would leave the transaction to a query that was not read to its end.
            driver.rollback()
            driver.close()


def shut(driver: Any) -> None:
    """Let the thread that waits on a driver's connection to a server go on, with an error."""
    try:
        number = os.dup(driver.fileno())
    except (AttributeError, OSError):  # SQLite has none, or it was closed meanwhile
        return
    try:
        with socket.socket(fileno=number) as connection:
            connection.shutdown(socket.SHUT_RDWR)
    except OSError as exc:
        logger.debug("a dead connection could not be shut: %s", exc)
