"""Names of lanes."""

from typing import Final

from isthmus.errors import JobDefinitionError
from isthmus.settings import CHANNEL_NAME

ROOT: Final = "root"
LONGEST: Final = 200
"""Characters of a lane's name: it is part of index entries and of calls to idle workers."""


def full_name(name: str, place: str) -> str:
    """Give a lane's name from the root on.

    Args:
        name: With or without the prefix ``root.``.
        place: Where it was written, for the message.

    Raises:
        JobDefinitionError: When it is malformed.

    >>> full_name("trello.import", "@job")
    'root.trello.import'
    """
    if not isinstance(name, str) or not CHANNEL_NAME.fullmatch(name):
        raise JobDefinitionError(f"{place}: a channel is named like root.trello.import, not {name!r}")
    if len(name) > LONGEST:
        raise JobDefinitionError(
            f"{place}: the name of a channel has {len(name)} characters, at most {LONGEST} are possible: "
            f"{name[:40]}..."
        )
    return name if name == ROOT or name.startswith(f"{ROOT}.") else f"{ROOT}.{name}"


def upwards(lane: str) -> list[str]:
    """List a lane and those above it, up to the root.

    >>> upwards("root.trello.import")
    ['root.trello.import', 'root.trello', 'root']
    """
    parts = lane.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def is_within(lane: str, above: str) -> bool:
    """Tell whether a lane is another or below it.

    >>> is_within("root.trello.import", "root.trello"), is_within("root.trello2", "root.trello")
    (True, False)
    """
    return lane == above or lane.startswith(f"{above}.")
