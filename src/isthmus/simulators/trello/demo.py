"""Content for a first look: projects as boards, the same stages as lists, tasks as cards."""

import random
from typing import Any, Final, Protocol

_BOARDS: Final = ("Website", "Mobile app", "Office move")
_LISTS: Final = ("To do", "Doing", "Review", "Done")
_VERBS: Final = ("Plan", "Draft", "Review", "Order", "Fix", "Test", "Publish", "Translate", "Measure")
_THINGS: Final = (
    "the landing page",
    "the invoice layout",
    "the login form",
    "the price list",
    "the newsletter",
    "the backup job",
    "the meeting room",
    "the search results",
    "the contact page",
    "the delivery note",
    "the welcome mail",
)
_NOTES: Final = (
    "",
    "",
    "Ask the **sales team** first.",
    "Steps:\n\n- collect\n- compare\n- decide",
    "See [the page](https://example.org/page) and tell everybody.",
)


class Seeded(Protocol):
    """What the seeding needs of `People`."""

    def create_board(self, name: str, **values: Any) -> dict[str, Any]:
        """Make a board."""
        ...

    def create_list(self, board: str, name: str, **values: Any) -> dict[str, Any]:
        """Make a list."""
        ...

    def create_card(self, board_list: str, name: str = "", **values: Any) -> dict[str, Any]:
        """Make a card."""
        ...


def seed(people: Seeded, *, boards: int, lists: int, cards: int) -> None:
    """Make *boards* boards with *lists* lists each and *cards* cards in each list."""
    dice = random.Random("trello demo")
    for number in range(boards):
        board = people.create_board(_name(_BOARDS, number, "Project"))
        for column in range(lists):
            board_list = people.create_list(board["id"], _name(_LISTS, column, "Stage"))
            for count in range(cards):
                title = f"{dice.choice(_VERBS)} {dice.choice(_THINGS)} #{column * cards + count + 1}"
                due = f"2027-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}T12:00:00.000Z"
                values: dict[str, Any] = {"desc": dice.choice(_NOTES)}
                if dice.random() < 0.25:
                    values["due"] = due
                people.create_card(board_list["id"], title, **values)


def _name(names: tuple[str, ...], number: int, otherwise: str) -> str:
    return names[number] if number < len(names) else f"{otherwise} {number + 1}"
