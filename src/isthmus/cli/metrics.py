"""``isthmus worker --metrics``: the queue for Prometheus, served by the supervisor for all its processes."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.cli.session import Session

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.job.desk.metrics import Reader

logger = logging.getLogger("isthmus.worker")


@contextmanager
def serve(session: Session, where: str) -> Iterator[Path]:
    """Serve metrics for the time of a ``with`` block.

    Args:
        session: The command's.
        where: ``[HOST:]PORT``.

    Yields:
        The folder in which each process puts what it has counted (`isthmus.job.desk.tally.Sheet`).

    Raises:
        UsageError: When the address is none, or cannot be listened on.
    """  # noqa: DOC502 - raised by what is called
    from isthmus.job.desk.address import Address
    from isthmus.job.desk.metrics import MetricsServer, QueueCollector
    from isthmus.job.desk.tally import Sheets

    address = Address.read(where, "--metrics")
    with tempfile.TemporaryDirectory(prefix="isthmus-metrics-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        collector = QueueCollector(_reader(session).read, Sheets.of(folder).tally)
        with MetricsServer(collector, address) as server:
            logger.info("metrics are served", extra={"isthmus_url": server.url})
            yield folder


def _reader(session: Session) -> "Reader":
    from isthmus.job.desk.metrics import Reader
    from isthmus.job.lane.lanes import Lanes
    from isthmus.job.moves import Times

    # Unchecked: a database that is away now is there later.
    hub = session.raw_hub
    times = Times(hub.engine, hub.clock)
    return Reader(hub.engine, times, Lanes(hub.engine, times, session.settings.job))
