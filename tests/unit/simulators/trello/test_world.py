"""The indexes agree with the tables, whatever is done."""

import random

import pytest


@pytest.mark.parametrize("seed", range(5))
def test_indexes_agree_with_the_tables(trello, seed):
    """
    After hundreds of random edits every index holds exactly what it should, in order.
    """
    dice = random.Random(seed)
    people, world = trello.state, trello.world
    trello.seed_demo(boards=2, lists=3, cards=5)
    for step in range(300):
        cards, lists = list(world.cards), list(world.lists)
        card, target = dice.choice(cards), dice.choice(lists)
        match dice.randrange(8):
            case 0 | 1:
                people.create_card(target, f"New {step}", pos=dice.choice(("top", "bottom", step + 1)))
            case 2 | 3:
                people.move_card(card, target)
            case 4:
                people.update_card(card, pos=dice.choice(("top", "bottom", 5)), closed=dice.random() < 0.5)
            case 5 if len(cards) > 5:
                people.delete_card(card)
            case 6:
                people.copy_card(card, target, urlSource="https://example.org/")
            case _:
                people.update_list(target, idBoard=dice.choice(list(world.boards)), pos="top")

    for entry in world.lists.values():
        inside = [card for card in world.cards.values() if card.list_id == entry.id]
        assert list(entry.cards) == sorted((card.pos, card.id) for card in inside)
        assert {card.board_id for card in inside} <= {entry.board_id}
    for board in world.boards.values():
        here = [entry for entry in world.lists.values() if entry.board_id == board.id]
        assert list(board.lists) == sorted((entry.pos, entry.id) for entry in here)
        assert list(board.cards) == sorted(
            card.id for card in world.cards.values() if card.board_id == board.id
        )
        assert [action.id for action in board.actions] == sorted(action.id for action in board.actions)
        assert all(action.id in world.actions for action in board.actions)
    assert len(world.short_links) == len(world.cards) + len(world.boards)


def test_a_deleted_board_leaves_nothing(trello, board, todo):
    """
    Lists, cards, labels, checklists and history go with it.
    """
    card = trello.state.create_card(todo, "A", urlSource="https://example.org/")
    trello.state.create_checklist(card, "Steps", ["one"])

    trello.state.delete_board(board)

    world = trello.world
    tables = (world.boards, world.lists, world.cards, world.labels, world.checklists, world.check_items)
    assert [len(table) for table in (*tables, world.actions, world.short_links)] == [0] * 8
