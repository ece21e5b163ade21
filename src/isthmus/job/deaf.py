"""Statements of jobs that are never answered: their connection's other end vanished without a word."""

import logging
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import bindparam, text

from isthmus.env import Transaction
from isthmus.job.line import Line

logger = logging.getLogger("isthmus.job")

_IDLE = text(
    "SELECT pid, state_change FROM pg_stat_activity "
    "WHERE pid IN :pids AND usename = current_user AND state LIKE 'idle%'"
).bindparams(bindparam("pids", expanding=True))
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid IN :pids AND usename = current_user AND datname = current_database()"
).bindparams(bindparam("pids", expanding=True))


class Deaf:
    """Tells a statement that takes its time from one that PostgreSQL has answered, or never got.

    Both look alike on a connection whose other end takes bytes in, so that PostgreSQL itself is asked on
    another one: its process for ours is idle all the time while we wait. Such a process is ended, too: it
    would keep its locks for minutes.

    Args:
        line: The queue's connections.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._waiting: dict[int, tuple[datetime, float]] = {}
        self._left: list[int] = []

    def leave(self, driver: Any) -> None:
        """Let the process at the other end of a connection be ended that was given up."""
        if isinstance(driver, psycopg.Connection) and not driver.closed:
            self._left.append(driver.info.backend_pid)

    def look(self, transactions: Iterable[Transaction], answer_s: float) -> None:
        """Cut the transactions of which a statement is never answered.

        Args:
            transactions: Those of running jobs.
            answer_s: Seconds in which a statement gets to PostgreSQL, or its answer to us.
        """
        asked = {pid: transaction for transaction in transactions if (pid := _awaited(transaction.driver))}
        idle: dict[int, datetime] = {}
        if asked:
            with self._line.connection() as connection:
                idle = {row.pid: row.state_change for row in connection.execute(_IDLE, {"pids": list(asked)})}
        now = time.monotonic()
        before, self._waiting = self._waiting, {}
        for pid, since in idle.items():
            known = before.get(pid)
            first = known[1] if known is not None and known[0] == since else now
            if now - first <= answer_s:
                self._waiting[pid] = (since, first)
                continue
            logger.warning("a job's statement got no answer for %s s; its connection is cut", answer_s)
            asked[pid].cut()
            self._left.append(pid)
        if self._left:
            left, self._left = self._left, []
            with self._line.connection() as connection:
                connection.execute(_END, {"pids": left})


def _awaited(driver: Any) -> int | None:
    """Tell PostgreSQL's process for a connection on which an answer is waited for; None for any other."""
    if not isinstance(driver, psycopg.Connection) or driver.closed:
        return None
    if driver.info.transaction_status is not psycopg.pq.TransactionStatus.ACTIVE:
        return None
    return driver.info.backend_pid
