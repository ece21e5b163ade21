"""The page on lanes is about the rules that there are."""

import re
from pathlib import Path

import pytest

from isthmus.settings import ChannelSettings, Settings

PAGE = (Path(__file__).parents[2] / "docs/howto/lanes.md").read_text()


def test_the_shown_settings_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The table of the file, and the JSON of the environment on top.
    """
    file = tmp_path / "isthmus.toml"
    file.write_text("".join(re.findall(r"(?s)```toml\n(.*?)```", PAGE)))
    monkeypatch.setenv("ISTHMUS_JOB__CHANNELS", re.findall(r"ISTHMUS_JOB__CHANNELS='(.*?)'", PAGE)[0])

    channels = Settings.load(file).job.channels

    assert sorted(channels) == ["root.orders", "root.shop", "root.trello"]
    assert (channels["root.trello"].capacity, channels["root.trello"].throttle) == (2, 1)


def test_every_rule_is_in_the_table() -> None:
    """
    And nothing that is none.
    """
    named = re.findall(r"`(\w+)`", " ".join(re.findall(r"(?m)^\| (`.+?`) \|", PAGE)))

    assert named == list(ChannelSettings.model_fields)
