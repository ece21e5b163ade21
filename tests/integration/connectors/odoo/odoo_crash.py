"""What may die at any point: an export, a rotation; run in children, which import nothing of pytest."""

from datetime import datetime, timedelta
from pathlib import Path

from isthmus.hub import Hub
from isthmus.settings import Settings
from isthmus.sync.service import get_backend
from isthmus.testing import SteppingClock
from isthmus.testing.crash import CrashPoints


def settings_for(url: str, key_file: str) -> Settings:
    """Give settings under which no job of a dead worker is overdue."""
    return Settings(
        database_url=url,
        key_file=Path(key_file),
        plugins=("odoo",),
        models=("partner",),
        job={"lease_s": 36_000.0},
    )


def export(points: CrashPoints, url: str, key_file: str, start: datetime) -> list[str]:
    """Run all jobs, to the end or to the fatal point; gives the points passed."""
    with Hub(settings_for(url, key_file), clock=SteppingClock(start)) as hub:
        points.passed.clear()
        points.watch(hub.engine)
        hub.queue.run_pending()
        return list(points.passed)


def rotate(points: CrashPoints, url: str, key_file: str, start: datetime) -> list[str]:
    """Rotate the key of the backend ``company``, without an overlap; to the end or to the fatal point."""
    with Hub(settings_for(url, key_file), clock=SteppingClock(start)) as hub:
        points.passed.clear()
        points.watch(hub.engine)
        with hub.env(user="anna") as env:
            get_backend(env, "company").rotate_key(overlap=timedelta())
        return list(points.passed)
