"""The simulator as a program: print where it is, serve until told to stop."""

from collections.abc import Callable

from isthmus.simulators.trello.simulator import TrelloSimulator


def serve(
    port: int = 0,
    *,
    seed: int = 0,
    boards: int = 0,
    lists: int = 4,
    cards: int = 25,
    limits: bool = False,
    announce: Callable[[TrelloSimulator], None] | None = None,
) -> None:
    """Serve until ``POST /_control/stop`` or an interrupt.

    Args:
        port: The port; 0 takes a free one.
        seed: Makes IDs and credentials the same in every run.
        boards: Demo boards to begin with.
        lists: Lists per demo board.
        cards: Cards per demo list.
        limits: Whether to enforce the published rate limits.
        announce: Told when it listens; prints URL, key and token when not given.
    """
    simulator = TrelloSimulator(seed=seed, port=port, limits=limits)
    if boards:
        simulator.seed_demo(boards, lists, cards)
    simulator.run(announce)
