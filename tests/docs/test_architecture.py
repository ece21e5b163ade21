"""The page on the architecture draws the layers that the build holds."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_drawn_layers_are_those_of_the_build() -> None:
    """
    Same packages, same order as in the import contract of pyproject.toml.
    """
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["id"] == "layers")
    page = (ROOT / "docs/explain/architecture.md").read_text()
    drawing = re.findall(r"(?s)```\n(.*?)```", page)[0]

    drawn = [set(re.split(r"  +", line)[0].split(", ")) for line in drawing.splitlines()]

    assert drawn == [set(re.findall(r"\w+", layer)) for layer in layers]
