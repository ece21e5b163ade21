"""The tables: printed, and kept as Markdown."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from rich.console import Console
from rich.table import Table

from contests import Aim, Contest
from measure import Figures

_DISTRIBUTIONS = (
    "isthmus", "psycopg", "sqlalchemy", "procrastinate", "pgqueuer", "asyncpg", "celery", "redis",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What one player has reached.

    Attributes:
        player: Its name.
        setup: The setup that was the best; empty when there is only one.
        runs: Figures of each run; none when it could not play.
        reason: Why not.
        failed: True when it should have played.
    """

    player: str
    setup: str = ""
    runs: Sequence[Figures] = ()
    reason: str = ""
    failed: bool = False

    def median(self, measure: str) -> float | None:
        """Give the median of a measure over all runs."""
        return median(run[measure] for run in self.runs) if self.runs else None


@dataclass(frozen=True)
class Verdict:
    """An aim, and what became of it."""

    contest: str
    aim: Aim
    found: float | None
    met: bool | None

    @property
    def words(self) -> str:
        """Say it."""
        if self.found is None or self.met is None:
            return "cannot be told here"
        figure = f"{self.found:.2f} x {self.aim.beside}" if self.aim.beside else number(self.found)
        return f"{'met' if self.met else 'NOT MET'} ({figure})"


def number(value: float | None) -> str:
    """Write a figure with three places that count, or all before the point."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdicts(contest: Contest, lines: Sequence[Line]) -> list[Verdict]:
    """Compare what was reached with what is aimed at."""
    by_player = {line.player: line for line in lines}

    def figure(player: str, measure: str) -> float | None:
        return by_player[player].median(measure) if player in by_player else None

    found = []
    for aim in contest.aims:
        ours = figure(aim.whose, aim.measure)
        theirs = figure(aim.beside, aim.measure) if aim.beside else 1.0
        if ours is None or not theirs:
            found.append(Verdict(contest.key, aim, None, None))
            continue
        value = ours / theirs
        met = value <= aim.factor if aim.most else value >= aim.factor
        found.append(Verdict(contest.key, aim, value, met))
    return found


def rows(contest: Contest, lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """Give heading and cells of a contest's table."""
    first = contest.measures[0]
    beside = [name for name in ("raw", "procrastinate") if name in contest.players]
    of_beside = {line.player: line.median(first) for line in lines if line.player in beside}
    heading = ["", "processes x at once", *contest.measures, "least to most", *(f"of {n}" for n in beside)]
    cells = []
    for line in lines:
        if not line.runs:
            cells.append([line.player, line.reason, *([""] * (len(heading) - 2))])
            continue
        values = sorted(run[first] for run in line.runs)
        ours = line.median(first) or 0.0
        ratios = [f"{ours / theirs:.2f}" if (theirs := of_beside.get(n)) else "" for n in beside]
        cells.append([
            line.player, line.setup, *(number(line.median(m)) for m in contest.measures),
            f"{number(values[0])} to {number(values[-1])}", *ratios,
        ])  # fmt: skip
    return heading, cells


def show(contest: Contest, lines: Sequence[Line]) -> None:
    """Print a contest's table."""
    heading, cells = rows(contest, lines)
    table = Table(title=f"{contest.key}: {contest.title}", title_justify="left")
    for column, name in enumerate(heading):
        table.add_column(name, justify="left" if column < 2 else "right")
    for row in cells:
        table.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(table)
    for verdict in verdicts(contest, lines):
        console.print(f"  aim: {verdict.aim.text}: {verdict.words}", highlight=False)


def markdown(
    results: Sequence[tuple[Contest, Sequence[Line]]], settings: Mapping[str, str], conditions: Sequence[str]
) -> str:
    """Write everything down.

    Args:
        results: The contests with their lines.
        settings: Of the PostgreSQL server.
        conditions: Sentences on how it was measured.
    """
    text = ["# The queue beside others", ""]
    text += [f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {' '.join(conditions)}", ""]
    text += ["Figures of two machines, or of two days, cannot be compared; ratios of one run can.", ""]
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    text += [f"- Machine: {os.cpu_count()} processors, {system}"]
    text += ["- PostgreSQL: " + ", ".join(f"{name} {value}" for name, value in settings.items())]
    text += ["- Versions: " + ", ".join(_versions()), "", "## Aims", ""]
    judged = [verdict for contest, lines in results for verdict in verdicts(contest, lines)]
    text += _table(["", "aim", "found"], [[v.contest, v.aim.text, v.words] for v in judged], left=3)
    for contest, lines in results:
        text += ["", f"## {contest.key}: {contest.title}", ""]
        text += _table(*rows(contest, lines), left=2)
        if contest.note:
            text += ["", contest.note]
    return "\n".join(text) + "\n"


def _table(heading: Sequence[str], cells: Sequence[Sequence[str]], left: int) -> list[str]:
    rule = ["---" if column < left else "---:" for column in range(len(heading))]
    return [f"| {' | '.join(row)} |" for row in (heading, rule, *cells)]


def _versions() -> list[str]:
    found = []
    for name in _DISTRIBUTIONS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return found
