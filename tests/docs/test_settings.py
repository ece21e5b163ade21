"""The page on settings is about the settings that there are."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from isthmus.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs/reference/settings.md").read_text()
ROWS = re.findall(r"(?m)^\| `(.+?)` \| `(.+?)` \| `(.+?)` \|", PAGE)


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Describe every setting as the page does: name, variable, default."""
    for name, field in model.model_fields.items():
        default: Any = field.default
        if isinstance(default, BaseModel):
            yield from settings_of(type(default), f"{prefix}{name}.")
            continue
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        elif isinstance(default, tuple):
            default = json.dumps(default)
        variable = f"ISTHMUS_{prefix}{name}".upper().replace(".", "__")
        yield f"{prefix}{name}", variable, json.dumps(default) if isinstance(default, bool) else str(default)


def test_every_setting_is_in_the_table() -> None:
    """
    Names, variables and defaults are those of the code, in its order.
    """
    assert list(settings_of(Settings)) == ROWS


def test_the_example_is_a_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What the page shows as a file is one, and its values arrive.
    """
    shown = re.search(r"(?s)```toml\n(.*?)```", PAGE)
    file = tmp_path / "isthmus.toml"
    file.write_text(shown.group(1) if shown else "")
    for _, variable, _ in ROWS:
        monkeypatch.delenv(variable, raising=False)

    settings = Settings.load(file)

    assert (settings.poll_s, settings.job.threads) == (30, 8)
    assert tomllib.loads(file.read_text())["database_url"] == settings.database_url.get_secret_value()
