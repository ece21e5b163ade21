"""Many cards: few requests, no lost action, and memory that does not grow with them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from crash_stories import BASE
from world import World, migrate, on_sql, settings_for

from isthmus.hub import Hub
from isthmus.simulators.trello import TrelloSimulator
from isthmus.testing import SteppingClock
from isthmus.testing.crash import Crashed, run_in_child
from isthmus.testing.databases import KINDS, Databases, Kind

Tell = Callable[[str, object], None]
_PROGRAM = Path(__file__).with_name("large_import.py")


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_changes_among_5_000_cards_take_few_requests(
    databases: Databases, tmp_path: Path, kind: Kind
) -> None:
    """An incremental import asks twice per board and once per changed card."""
    with on_sql(databases, kind, tmp_path) as world:
        world.trello.seed_demo(boards=2, lists=5, cards=500)
        world.connect(world.trello)
        imported = world.imports()
        for number, card in enumerate(world.people.cards()[::100]):
            world.people.update_card(card, name=f"Changed {number}")
        world.trello.requests.clear()

        report = world.imports()

        routes = world.trello.requests.by_route()
        assert imported.done["created"] == 5_000 + 2 + 10
        assert report.done["updated"] == 50
        assert routes.pop("GET /cards/{card}") <= 50
        assert sum(routes.values()) <= 2 * 2
        assert _names_here(world) == {card["name"] for card in world.people.cards()}


def _names_here(world: World) -> set[str]:
    with world.hub.env(readonly=True) as env:
        found = env["project.task"].search([])
        return {row["name"] for row in env["project.task"].read([t.id for t in found], ["name"])}


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_1_000_actions_survive_crashes_in_their_middle(
    databases: Databases, tmp_path: Path, kind: Kind
) -> None:
    """A walk over two pages of actions dies twice and more is said meanwhile: nothing is missed."""
    with on_sql(databases, kind, tmp_path) as world:
        url = world.hub.settings.database_url.get_secret_value()
        arguments = (url, str(tmp_path / "isthmus.key"))
        world.trello.seed_demo(boards=1, lists=2, cards=650)
        world.connect(world.trello, lease_s=36_000.0)
        world.imports()
        cards = world.people.cards()
        for number, card in enumerate(cards):
            world.people.update_card(card, name=f"Changed {number}")

        known = [len(_changed(world))]
        for point in (2_200, 2_100):
            world.clock.advance(timedelta(hours=1))
            with pytest.raises(Crashed):
                run_in_child(_PROGRAM, "import_all", *arguments, world.clock.now(), crash_at=point)
            known.append(len(_changed(world)))
            world.clock.advance(timedelta(hours=1))
            # People do not wait for us.
            world.people.update_card(cards[point % len(cards)], name=f"Changed again {point}")
        world.imports()
        world.imports()

        assert known == sorted(set(known))
        assert known[-1] < len(cards)
        assert _changed(world) == {card["name"] for card in world.people.cards()}


def _changed(world: World) -> set[str]:
    return {name for name in _names_here(world) if name.startswith("Changed")}


def _peak(databases: Databases, kind: Kind, folder: Path, cards: int) -> int:
    """Import so many cards in a fresh process and give its peak in kilobytes."""
    with (
        databases.fresh(kind, migrate) as url,
        TrelloSimulator(clock=SteppingClock(BASE)) as trello,
    ):
        trello.seed_demo(boards=1, lists=10, cards=cards // 10)
        key_file = folder / "isthmus.key"
        with Hub(settings_for(url, key_file)) as hub:
            World(hub, trello, SteppingClock(BASE), hub.env).connect(trello)
        peak: int = run_in_child(_PROGRAM, "import_all", url, str(key_file), BASE + timedelta(days=1))
        return peak


def _compare_peaks(
    databases: Databases, kind: Kind, folder: Path, counts: tuple[int, int], tell: Tell
) -> float:
    few, many = (_peak(databases, kind, folder, cards) for cards in counts)
    shown = [f"{peak // 1024} MB at {cards:,} cards" for peak, cards in zip((few, many), counts, strict=True)]
    tell("told", f"peak memory on {kind}: {', '.join(shown)}")
    return many / few


def test_memory_does_not_grow_with_the_number_of_cards(
    databases: Databases, tmp_path: Path, record_property: Tell
) -> None:
    """Four times as many cards take at most a fifth more memory; in smaller numbers than `make chaos`."""
    ratio = _compare_peaks(databases, "sqlite", tmp_path, (2_500, 10_000), record_property)

    assert ratio <= 1.2


@pytest.mark.chaos
@pytest.mark.parametrize("kind", KINDS)
def test_20_000_cards_take_no_more_memory_than_5_000(
    databases: Databases, tmp_path: Path, kind: Kind, record_property: Tell
) -> None:
    """At most a fifth more."""
    ratio = _compare_peaks(databases, kind, tmp_path, (5_000, 20_000), record_property)

    assert ratio <= 1.2
