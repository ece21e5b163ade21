"""Reading records of ours of which some may be hidden from our user, or not be readable at all."""

from collections.abc import Sequence
from typing import Any

from isthmus.env import Key
from isthmus.errors import HiddenRecordError


def read_visible(
    records: Any, ids: Sequence[Key], fields: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[Key, HiddenRecordError]]:
    """Read values of many records.

    Args:
        records: The model.
        ids: Keys.
        fields: Names.

    Returns:
        The rows, in order, and for each record that is there and cannot be read the error that says so.
    """
    try:
        return (list(records.read(ids, fields)) if ids else []), {}
    except HiddenRecordError as error:
        hidden = {key: HiddenRecordError(error.model, [key], why=error.why) for key in error.ids}
    rows, more = read_visible(records, [key for key in ids if key not in hidden], fields)
    return rows, hidden | more
