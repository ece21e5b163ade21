"""What is written about the code is what the code is."""

import importlib.metadata
import inspect
import re
import tomllib
from pathlib import Path

import isthmus.errors

ROOT = Path(__file__).parents[2]


def test_error_tree_in_the_docstring_is_the_class_tree() -> None:
    """
    The tree at the top of isthmus/errors.py is the one that the classes form.
    """
    written = {}
    above: list[str] = []
    for indent, name in re.findall(r"(?m)^( *)\* (\w+)$", isthmus.errors.__doc__):
        del above[len(indent) // 2 :]
        written[name] = above[-1] if above else "Exception"
        above.append(name)

    actual = {
        name: error.__bases__[0].__name__
        for name, error in inspect.getmembers(isthmus.errors, inspect.isclass)
        if issubclass(error, Exception)
    }

    assert written == actual


def test_changelog_is_about_this_version() -> None:
    """
    The newest version in the changelog is the one that pyproject.toml names, and the one installed.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text()

    newest = re.findall(r"(?m)^## \[?(\d[^\]\s]*)", changelog)[0]

    assert newest == project["version"]
    assert newest == importlib.metadata.version("isthmus")


def test_the_index_lists_every_page() -> None:
    """
    Each page under docs is linked from its index, and each link leads to a page.
    """
    docs = ROOT / "docs"
    pages = {str(page.relative_to(docs)) for page in docs.rglob("*.md")} - {"index.md"}

    linked = re.findall(r"\]\(([^)#:]+\.md)\)", (docs / "index.md").read_text())

    assert sorted(linked) == sorted(pages)


def test_every_dependency_has_its_reason() -> None:
    """
    Each library in pyproject.toml has a line in decision 0002, and none there is gone.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    required = project["dependencies"] + optional["dev"] + optional["bench"]
    names = {re.split(r"[\[<>=!~ ]", requirement)[0] for requirement in required}

    explained = re.findall(r"(?m)^\| ([\w-]+) \|", (ROOT / "docs/decisions/0002-dependencies.md").read_text())

    assert set(explained) - {"library"} == names
