"""The log on standard error: one line per event, with keys, and the run ID on each."""

import logging
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final

RUN: Final = "isthmus_run_id"
"""Key of the run on every line; a job's lines carry the run that delayed it."""


def start_log(levels: Iterable[str], run_id: str, **keys: Any) -> None:
    """Log to standard error, from the lowest of some levels on.

    Args:
        levels: Names; one that is none counts as WARNING.
        run_id: The run of this process.
        **keys: What else stands on each line.
    """
    numbers = [logging.getLevelNamesMapping().get(level.upper(), logging.WARNING) for level in levels]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter({RUN: run_id, **keys}))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("isthmus").setLevel(min(numbers))
    # Its lines have whole URLs, in which some systems want credentials; the adapter logs requests itself.
    logging.getLogger("httpx2").setLevel(logging.WARNING)


def bind(**keys: Any) -> None:
    """Put keys on every line of this thread from now on (``isthmus_job_id=7``)."""
    from structlog.contextvars import bind_contextvars

    bind_contextvars(**keys)


def unbind() -> None:
    """Take the keys of this thread away again."""
    from structlog.contextvars import clear_contextvars

    clear_contextvars()


class _Formatter(logging.Formatter):
    """Formats by structlog, which is imported with the first line: most commands log none."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        super().__init__()
        self._keys = keys
        self._inner: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        """Write one event as one line (and its traceback, if it has one)."""
        if self._inner is None:
            self._inner = self._make()
        return self._inner.format(record)

    def _make(self) -> logging.Formatter:
        import structlog

        terminal = sys.stderr.isatty()
        renderer: Any = (
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if terminal
            else structlog.processors.LogfmtRenderer(
                key_order=["timestamp", "level", "event", RUN], bool_as_flag=False
            )
        )
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                self._add_keys,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if terminal else [structlog.processors.format_exc_info]),
                renderer,
            ],
        )

    def _add_keys(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        for key, value in self._keys.items():
            event.setdefault(key, value)
        return event
