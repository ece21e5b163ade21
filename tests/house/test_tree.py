"""The tree keeps its own rules."""

import ast
import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
MODULES = sorted(SOURCE.rglob("*.py"))
NOT_OURS = {".git", "results"}
CACHES = re.compile(r"\.venv|__pycache__|\.\w+_cache|\.hypothesis|\.demo|dist|build|htmlcov|node_modules")


def relative(path: Path) -> str:
    """Name a file as the tree does."""
    return path.relative_to(ROOT).as_posix()


def files_of_the_tree() -> list[Path]:
    """List what is, or is about to be, committed; without git, all that is no cache."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [
            path
            for path in ROOT.rglob("*")
            if not any(CACHES.fullmatch(part) or part in NOT_OURS for part in path.relative_to(ROOT).parts)
        ]
    return [path for path in found if path.is_file()]


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_says_what_is_in_it(path: Path) -> None:
    """
    Every module begins with a docstring that says what the reader will find.
    """
    docstring = ast.get_docstring(ast.parse(path.read_text()))

    assert docstring


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.name == "__init__.py" and "migrations" not in path.parts],
    ids=relative,
)
def test_a_package_opens_only_doors_that_are_there(path: Path) -> None:
    """
    What a package lists in `__all__` can be imported from it, once each, in an order somebody chose.

    Alphabetical is the usual order; another one is said to be meant by a comment at its line.
    """
    source = path.read_text()
    names = next(
        (
            ast.literal_eval(node.value)
            for node in ast.parse(source).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ),
        [],
    )
    package = importlib.import_module(".".join(path.parent.relative_to(SOURCE).parts))

    missing = [name for name in names if not hasattr(package, name)]

    assert missing == []
    assert len(set(names)) == len(names)
    assert names in (sorted(names), sorted(names, key=str.lower), isort_style(names)) or "# order:" in source


def isort_style(names: list[str]) -> list[str]:
    """Sort as ruff does: constants, then classes, then the rest."""
    return sorted(names, key=lambda name: (not name.isupper(), not name[:1].isupper(), name))


def test_no_file_knows_this_machine() -> None:
    """
    No file names the folder it lies in, the home of whoever runs this, or the interpreter's place.
    """
    places = {str(ROOT), os.environ.get("HOME", ""), sys.prefix, sys.base_prefix}
    # A system-wide interpreter's prefix, say, is no secret of this machine.
    telling = sorted(place for place in places if len(place) > 4 and not place.startswith("/usr"))
    here = re.compile("|".join(rf"(?<![\w.~-]){re.escape(place)}(?![\w-])" for place in telling))

    named = {
        relative(path): found[0]
        for path in files_of_the_tree()
        if (found := here.search(path.read_text(errors="replace")))
    }

    assert named == {}


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-bench.txt"])
def test_the_lock_names_versions_and_no_place(name: str) -> None:
    """
    The constraints are pins only: where packages come from is each machine's own affair.
    """
    lines = (ROOT / "requirements" / name).read_text().splitlines()

    other = [line for line in lines if not re.fullmatch(r"#.*|[\w.-]+==[\w.+!]+", line)]

    assert other == []


def test_the_lock_fits_the_oldest_python() -> None:
    """
    Every pinned version is the one installed here, and none refuses the first Python that we support.
    """
    lines = (ROOT / "requirements/constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    installed = {name: importlib.metadata.metadata(name) for name in pins}

    other = {name: installed[name]["Version"] for name in pins if installed[name]["Version"] != pins[name]}
    refusing = [
        name for name in pins if not SpecifierSet(installed[name]["Requires-Python"] or "").contains("3.11.0")
    ]

    assert other == {}
    assert refusing == []
