"""Content for a first look: projects as boards, the same stages as lists, tasks as cards."""

import random
from typing import Final

from isthmus.simulators.trello.actions import Actor
from isthmus.simulators.trello.boards import create_board, create_list, set_member
from isthmus.simulators.trello.cards import create_card
from isthmus.simulators.trello.entities import Member
from isthmus.simulators.trello.params import Params

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


def seed(actor: Actor, partner: Member, *, boards: int, lists: int, cards: int) -> None:
    """Make *boards* boards with *lists* lists each and *cards* cards in each list."""
    dice = random.Random("trello demo")
    for number in range(boards):
        name = _name(_BOARDS, number, "Project")
        board = create_board(actor, Params({"name": name, "defaultLists": False}))
        set_member(actor.world, board, partner, "normal")
        for column in range(lists):
            name = _name(_LISTS, column, "Stage")
            board_list = create_list(actor, Params({"name": name, "idBoard": board.id, "pos": "bottom"}))
            for count in range(cards):
                title = f"{dice.choice(_VERBS)} {dice.choice(_THINGS)} #{column * cards + count + 1}"
                due = f"2027-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}T12:00:00.000Z"
                values = {"idList": board_list.id, "name": title, "desc": dice.choice(_NOTES)}
                if dice.random() < 0.25:
                    values["due"] = due
                create_card(actor, Params(values))


def _name(names: tuple[str, ...], number: int, otherwise: str) -> str:
    return names[number] if number < len(names) else f"{otherwise} {number + 1}"
