"""The queue beside raw loops, procrastinate, pgqueuer and Celery, on one machine in one run.

``python benchmarks/queue``, or ``make bench-queue``, which installs the others first. This folder has no
``__init__.py``: as a package named queue it would hide the standard library's from its neighbours.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from contestant import MODULES, Setup, find
from contests import CONTESTS, Contest
from measure import Budget, Figures, Measure
from place import Place
from report import Line, markdown, show

RESULTS = Path(__file__).parents[1] / "results"
_QUICK = Budget(seconds=0.5, pickups=60, idle_s=2.0, done=50_000, future=20_000)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    keys = [contest.key for contest in CONTESTS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", choices=keys, default=keys, metavar="CONTEST", help=", ".join(keys)
    )
    names = list(MODULES)
    parser.add_argument(
        "--players", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each; their median counts (5)")
    parser.add_argument("--quick", action="store_true", help="short runs: the figures say little")
    parser.add_argument(
        "--jobs", type=int, help="only see that it runs: so many jobs each, figures say nothing"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for queue.md")
    return parser.parse_args()


def budget_of(options: argparse.Namespace) -> Budget:
    """Tell how much is done."""
    budget = _QUICK if options.quick else Budget()
    if (jobs := options.jobs) is None:
        return budget
    return replace(
        budget, jobs=jobs, bulk=jobs, pickups=min(jobs, budget.pickups), idle_s=0.2, done=jobs, future=jobs
    )


def play(contest: Contest, place: Place, measure: Measure, options: argparse.Namespace) -> list[Line]:
    """Run one contest: each player once, then each once more, and so on."""
    lines: dict[str, Line] = {}
    found: dict[tuple[str, Setup], list[Figures]] = {}
    players = [player for player in contest.players if player.split()[0] in options.players]
    for player in players:
        try:
            if reason := find(player.split()[0]).missing(contest.kind):
                raise LookupError(reason)
            tried = min(contest.setups, 1) if options.jobs else contest.setups
            setups = place.contestant(player).setups.get(contest.kind, ())[:tried] or (Setup(),)
        except LookupError as exc:
            lines[player] = Line(player, reason=str(exc))
        else:
            found |= {(player, setup): [] for setup in setups}
    for _ in range(options.runs):
        for (player, setup), figures in found.items():
            if player in lines:
                continue
            try:
                figures.append(contest.play(measure, place.contestant(player), contest.kind, setup))
            except Exception as exc:  # noqa: BLE001 - a table with a hole is better than none
                print(f"{contest.key}: {player}, {setup}: {exc}", file=sys.stderr)
                lines[player] = Line(player, reason=f"FAILED ({type(exc).__name__})", failed=True)
    return [lines.get(player) or _best(contest, player, found) for player in players]


def _best(contest: Contest, player: str, found: dict[tuple[str, Setup], list[Figures]]) -> Line:
    def worth(setup: Setup) -> float:
        value = median(run[contest.measures[0]] for run in found[player, setup])
        return -value if contest.smaller else value

    setups = [setup for name, setup in found if name == player]
    best = max(setups, key=worth)
    return Line(player, str(best) if contest.setups else "", found[player, best])


def conditions(options: argparse.Namespace, budget: Budget) -> Sequence[str]:
    """Say how it was measured."""
    said = [
        f"Medians over the runs ({options.runs}), the players in turns, each with the best of its setups."
    ]
    if budget.jobs is None:
        said.append(f"A run lasts about {budget.seconds:g} s, from the first job to the last one's end.")
    else:
        said.append(f"Each run has {budget.jobs} jobs: THESE FIGURES SAY NOTHING.")
    if options.quick:
        said.append("Short runs (--quick): these figures say little.")
    said.append(
        f"Grown table: {budget.done:,} done, {budget.future:,} future jobs. Bulk: {budget.bulk:,} jobs."
    )
    return said


def main() -> int:
    """Measure, print, keep; give 1 when a contestant failed."""
    options = arguments()
    budget = budget_of(options)
    for name in ("ISTHMUS_DATABASE_URL", "PYTHONPROFILEIMPORTTIME"):
        os.environ.pop(name, None)
    results = []
    with Place(budget) as place:
        measure = Measure(budget, place.settle)
        for contest in CONTESTS:
            if contest.key in options.only:
                lines = play(contest, place, measure, options)
                show(contest, lines)
                results.append((contest, lines))
        settings = place.settings()
    options.results.mkdir(parents=True, exist_ok=True)
    kept = options.results / "queue.md"
    kept.write_text(markdown(results, settings, conditions(options, budget)))
    print(f"kept in {kept}")
    return int(any(line.failed for _, lines in results for line in lines))


if __name__ == "__main__":
    sys.exit(main())
