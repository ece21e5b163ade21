"""Write constraints*.txt: the newest versions that fit pyproject.toml on the oldest supported Python.

constraints-bench.txt has what the group ``bench`` needs beside the rest: a file of its own, since a test
compares constraints.txt with what is installed.

pip resolves as if it ran on Python 3.11.0. A plain ``pip freeze`` would pin what the writer's own
patch release allows, and some libraries refuse the first ones of 3.11, which systems still ship.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
OLDEST = "3.11.0"
HEADER = "# What {who} (pip install -c). Written by `make lock`, never by hand.\n"


def resolve(folder: Path, groups: str, *constraints: Path) -> set[tuple[str, str]]:
    """Ask pip what it would install, ourselves excluded; nothing is installed."""
    report = folder / "report.json"
    subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--dry-run",
                "--ignore-installed",
            ),
            *("--python-version", OLDEST, "--only-binary", ":all:", "--target", str(folder / "unused")),
            *("--report", str(report), f"{HERE.parent}[{groups}]"),
            *(part for path in constraints for part in ("-c", str(path))),
        ],
        check=True,
    )
    found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    return {(item["name"], item["version"]) for item in found if item["name"] != "isthmus"}


def write(path: Path, pins: set[tuple[str, str]], who: str) -> None:
    """Replace a file, in one step."""
    ordered = sorted(pins, key=lambda pin: re.sub(r"[-_.]+", "-", pin[0]).lower())
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(HEADER.format(who=who) + "".join(f"{name}=={version}\n" for name, version in ordered))
    fresh.replace(path)


def main() -> None:
    """Replace both files."""
    with tempfile.TemporaryDirectory() as folder:
        pins = resolve(Path(folder), "dev")
        write(HERE / "constraints.txt", pins, "every checkout installs")
        more = resolve(Path(folder), "dev,bench", HERE / "constraints.txt") - pins
        write(HERE / "constraints-bench.txt", more, "`make bench-queue` installs besides")


if __name__ == "__main__":
    main()
