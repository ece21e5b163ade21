"""Write constraints.txt: the newest versions that fit pyproject.toml on the oldest supported Python.

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
HEADER = "# What every checkout installs (pip install -c). Written by `make lock`, never by hand.\n"


def resolve(folder: Path) -> list[tuple[str, str]]:
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
            *("--report", str(report), f"{HERE.parent}[dev]"),
        ],
        check=True,
    )
    found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    return [(item["name"], item["version"]) for item in found if item["name"] != "isthmus"]


def main() -> None:
    """Replace constraints.txt, in one step."""
    with tempfile.TemporaryDirectory() as folder:
        pins = sorted(resolve(Path(folder)), key=lambda pin: re.sub(r"[-_.]+", "-", pin[0]).lower())
    fresh = HERE / "constraints.txt.new"
    fresh.write_text(HEADER + "".join(f"{name}=={version}\n" for name, version in pins))
    fresh.replace(HERE / "constraints.txt")


if __name__ == "__main__":
    main()
