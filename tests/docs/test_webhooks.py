"""The page on webhooks says what the code does."""

import re
from pathlib import Path
from typing import Any

import pytest

from isthmus.cli.webhooks import Limits
from isthmus.errors import InvalidDataError
from isthmus.sync import hint
from isthmus.sync.hint import BackendHints

PAGE = (Path(__file__).parents[2] / "docs/howto/webhooks.md").read_text()


def test_the_shown_extension_reads_a_payload() -> None:
    """
    It overrides the method that there is, names records and refuses what is no hint.
    """
    shown = re.search(r"(?s)```python\n(.*?)```", PAGE)
    names: dict[str, Any] = {"__name__": "webhooks_page"}
    exec(shown.group(1) if shown else "", names)
    shop = names["ShopHints"]()

    assert callable(BackendHints.hint)
    assert shop.hint({"order": {"id": 7}}) == [("shop.order", "7")]
    with pytest.raises(InvalidDataError):
        shop.hint({})


def test_lane_and_jobs_are_those_of_the_code() -> None:
    """
    Names and numbers that the page states.
    """
    limits = Limits()
    numbers = {2: "two", 16: "sixteen", 5: "five"}

    assert f"`{hint.LANE}`" in PAGE
    assert all(
        f"`{name}`" in PAGE and hasattr(BackendHints, name) for name in ("observe_hinted", "import_hinted")
    )
    assert f"A job waits for {numbers[hint._WAIT.seconds]} seconds" in PAGE
    assert f"is tried {numbers[hint._TIMES]} times" in PAGE
    assert f"A request has {numbers[int(limits.request_s)]} seconds" in PAGE
    assert f"{numbers[limits.threads]} are served at a time, {limits.waiting} more may wait" in PAGE
    assert limits.answer_s == 0.5
