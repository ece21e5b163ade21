"""Two worker processes on the same cards, a Trello that misbehaves, people editing on both sides."""

from collections.abc import Callable
from pathlib import Path

import pytest
from bustle import Bustle, account
from world import Installation, migrate, settings_for

from isthmus.hub import Hub
from isthmus.simulators.trello.faults import Kind
from isthmus.testing.databases import KINDS, Databases
from isthmus.testing.databases import Kind as DatabaseKind

Tell = Callable[[str, object], None]
_ALL = tuple(str(kind) for kind in Kind)
_ON_TIME = tuple(kind for kind in _ALL if kind != Kind.LATE)


def _hustle_and_bustle(
    databases: Databases, folder: Path, database: DatabaseKind, *, seed: str, kinds: tuple[str, ...],
    rounds: int, edits: int, tell: Tell,
) -> None:  # fmt: skip
    with databases.fresh(database, migrate) as url:
        bustle = Bustle(url, folder, seed, kinds)
        bustle.run(rounds, edits)
        with Hub(settings_for(url, folder / "isthmus.key"), clock=bustle.clock) as hub:
            result = account(bustle, Installation(hub, bustle.clock))
    late = sum(r.fault == "late" and r.method == "POST" for r in bustle.trello.requests)
    fates = ", ".join(f"{n} {fate}" for fate, n in sorted(result.fates.items()))
    faults = ", ".join(f"{n} {kind}" for kind, n in sorted(bustle.trello.faults.fired.items()))
    tell(
        "told",
        f"two workers on {database}, {seed}: {len(bustle.edits)} edits ({fates}); made twice: "
        f"{len(result.doubled)}, the bound (creates that took effect late) is {late}; faults: {faults}",
    )

    assert not result.lost
    assert not result.apart
    # The named bound: a request that takes effect later than the quiet time.
    assert len(result.doubled) <= late


@pytest.mark.parametrize("database", KINDS)
def test_no_edit_is_lost_between_two_workers(
    databases: Databases, tmp_path: Path, database: DatabaseKind, record_property: Tell
) -> None:
    """All kinds of faults at once; what is made is made once, what was said is said somewhere."""
    _hustle_and_bustle(
        databases, tmp_path, database, seed="all", kinds=_ON_TIME, rounds=6, edits=8, tell=record_property
    )


@pytest.mark.chaos
@pytest.mark.parametrize("database", KINDS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [*_ALL, "all"])
def test_no_edit_is_lost_whatever_goes_wrong(
    databases: Databases, tmp_path: Path, database: DatabaseKind, seed: int, kind: str, record_property: Tell
) -> None:
    """Each kind of fault alone and all together, several seeds, more rounds."""
    kinds = _ALL if kind == "all" else (kind,)
    _hustle_and_bustle(
        databases, tmp_path, database, seed=f"{kind} {seed}", kinds=kinds, rounds=15, edits=10,
        tell=record_property,
    )  # fmt: skip
