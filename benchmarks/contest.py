"""Contests: what runs side by side in one process, the medians of it, the table, and the file.

Figures of two machines, or of two days, cannot be compared; ratios of one run can. So whatever is compared is
run in turns, and nothing here fails because a figure is bad: a table is for people to read.
"""

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

Loop = Callable[[int], object]
"""Does its work so many times."""

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One ratio.

    Attributes:
        what: What was measured.
        rate: How much of it we do in a second.
        beside: What it is compared with.
        beside_rate: How much the other does in a second.
        wanted: The ratio aimed at, ``rate / beside_rate`` at least; None where there is no aim.
    """

    what: str
    rate: float
    beside: str
    beside_rate: float
    wanted: float | None = None

    @property
    def ratio(self) -> float:
        """Ours by theirs: 2.0 is twice as fast, 0.5 half as fast."""
        return self.rate / self.beside_rate

    @property
    def verdict(self) -> str:
        """Say whether the aim is reached."""
        if self.wanted is None:
            return ""
        return "reached" if self.ratio >= self.wanted else "MISSED"


def medians(loops: Mapping[str, Loop], turns: int, rounds: int) -> dict[str, float]:
    """Run loops in turns and give the median rate of each.

    Args:
        loops: By name.
        turns: How often each does its work in one round.
        rounds: How many rounds.

    Returns:
        Work done per second, by name.
    """
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            began = perf_counter()
            loop(turns)
            rates[name].append(turns / (perf_counter() - began))
    return {name: statistics.median(found) for name, found in rates.items()}


def arguments(description: str, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--tiny", action="store_true", help="only see that it runs: the figures say nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for NAME.json")
    return parser.parse_args(argv)


def publish(name: str, title: str, rows: Sequence[Row], folder: Path) -> None:
    """Print the table of ratios and keep it as ``NAME.json``."""
    table = Table(title=title, title_justify="left")
    for heading in ("", "per second", "beside", "per second", "ratio", "wanted", ""):
        table.add_column(heading, justify="right" if heading in {"per second", "ratio", "wanted"} else "left")
    for row in rows:
        wanted = "" if row.wanted is None else f"{row.wanted:.3g}"
        table.add_row(
            row.what, f"{row.rate:,.0f}", row.beside, f"{row.beside_rate:,.0f}", f"{row.ratio:.3g}", wanted,
            row.verdict,
        )  # fmt: skip
    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(table)
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        "name": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "rows": [{**asdict(row), "ratio": row.ratio, "verdict": row.verdict} for row in rows],
    }
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
