"""Names of lanes."""

import re
from typing import Final

from isthmus.errors import JobDefinitionError

ROOT: Final = "root"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


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
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise JobDefinitionError(f"{place}: a channel is named like root.trello.import, not {name!r}")
    return name if name == ROOT or name.startswith(f"{ROOT}.") else f"{ROOT}.{name}"
