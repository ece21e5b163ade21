"""Plugins: described by their package, loaded when enabled."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from isthmus.errors import PluginError
from isthmus.hub import Hub
from isthmus.plugin import Plugin, find, installed
from isthmus.settings import Settings

Write = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write an importable package; gives its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[str] = []

    def write(connector: str, **modules: str) -> str:
        name = f"unit_plugin_{tmp_path.name.replace('-', '_')}_{len(made)}"
        made.append(name)
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text(connector)
        for module, text in modules.items():
            (folder / f"{module}.py").write_text(text)
        return name

    yield write
    for name in list(sys.modules):
        if name.partition(".")[0] in made:
            del sys.modules[name]


def test_the_bundled_connector_is_installed() -> None:
    """Trello is found by its entry point."""
    (trello,) = find(["trello"])

    assert isinstance(installed()["trello"], EntryPoint)
    assert (trello.name, trello.package, trello.backend) == (
        "trello",
        "isthmus.connectors.trello",
        "trello.backend",
    )
    assert trello.migrations is not None
    assert trello.migrations.is_dir()


def test_a_plugin_that_is_not_installed_is_named() -> None:
    """With the near names."""
    with pytest.raises(PluginError, match=r"^plugin 'trelo' is not installed; did you mean 'trello'\?$"):
        find(["trelo"])


def test_a_package_that_is_missing_is_named() -> None:
    """The plugin, its package and the cause."""
    with pytest.raises(
        PluginError, match="plugin 'gone': no_such_package cannot be imported: ModuleNotFoundError"
    ):
        Plugin.of("gone", "no_such_package")


def test_a_package_that_fails_at_import_is_named(package: Write) -> None:
    """Whatever it raises."""
    name = package("1 / 0")

    with pytest.raises(PluginError) as refused:
        Plugin.of("bad", name)
    assert (
        str(refused.value) == f"plugin 'bad': {name} cannot be imported: ZeroDivisionError: division by zero"
    )


@pytest.mark.parametrize(
    "connector", ["CONNECTOR = {'module': ()}", "CONNECTOR = 7", "CONNECTOR = ['models']"]
)
def test_a_wrong_description_is_named(package: Write, connector: str) -> None:
    """An unknown key, or no mapping at all."""
    name = package(connector)

    with pytest.raises(PluginError, match=f"plugin 'odd': CONNECTOR of {name} is wrong: "):
        Plugin.of("odd", name)


@pytest.mark.parametrize(
    "connector",
    [
        "CONNECTOR = {'modules': 'models'}",
        "CONNECTOR = {'migrations': 'folder'}",
        "CONNECTOR = {'backend': 7}",
    ],
)
def test_a_description_with_the_wrong_types_is_named(package: Write, connector: str) -> None:
    """A text where a list of modules was meant would import one module per letter."""
    name = package(connector)

    with pytest.raises(PluginError, match=f"plugin 'odd': CONNECTOR of {name} is wrong: "):
        Plugin.of("odd", name)


def test_a_package_without_a_description_has_nothing() -> None:
    """Every part may be left out."""
    assert Plugin.of("bare", "json") == Plugin(name="bare", package="json")


def test_a_module_that_fails_at_import_is_named(package: Write) -> None:
    """When the hub is made, not before."""
    name = package("CONNECTOR = {'modules': ('models',)}", models="import no_such_module")
    plugin = Plugin.of("bad", name)

    with pytest.raises(PluginError) as refused:
        Hub(Settings(database_url="sqlite://", plugins=(), models=()), plugins=[plugin])
    assert str(refused.value) == (
        f"plugin 'bad': module {name}.models cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such_module'"
    )


COMPONENTS = """
from isthmus.component import Component
from isthmus.env import ModelExtension
from isthmus.event import EventListener
from isthmus.job import job

class Thing(Component):
    _name = "{name}.thing"
    _usage = "{name}"

class Listener(EventListener):
    _name = "{name}.listener"
    _apply_on = "project.task"
    def on_record_create(self, record, fields=None): pass

class Jobs(ModelExtension):
    _inherit = "project.task"
    @job
    def {name}_job(self): pass
"""


def test_what_a_disabled_plugin_brings_does_not_exist(package: Write) -> None:
    """Its components, listeners and jobs are there when it is enabled, and only then."""
    name = package("CONNECTOR = {'modules': ('all',)}")
    folder = Path(sys.path[0]) / name
    (folder / "all.py").write_text(COMPONENTS.format(name=name))
    plugin = Plugin.of("extra", name)
    settings = Settings(database_url="sqlite://", plugins=())

    with Hub(settings, plugins=[plugin]) as with_it, Hub(settings, plugins=[]) as without:
        seen = [
            (
                f"{name}.thing" in hub.registry,
                hub.is_heard("project.task"),
                hasattr(hub.services.classes.record_class("project.task"), f"{name}_job"),
            )
            for hub in (with_it, without)
        ]

    assert seen == [(True, True, True), (False, False, False)]


def test_the_models_of_a_disabled_plugin_do_not_exist() -> None:
    """Without the Trello plugin there is no `trello.card` and no branch of migrations."""
    settings = Settings(database_url="sqlite://")
    with Hub(settings) as with_it, Hub(settings, plugins=[]) as without:
        seen = [
            ("trello.card" in hub.services.stores, "trello" in hub.branches) for hub in (with_it, without)
        ]

    assert seen == [(True, True), (False, False)]


def test_a_component_name_used_twice_is_an_error_of_the_hub(package: Write) -> None:
    """Two plugins declare the same component: both places are named."""
    from isthmus.errors import ComponentDefinitionError

    text = "from isthmus.component import Component\nclass Same(Component):\n    _name = 'unit.same'\n"
    names = [package("CONNECTOR = {'modules': ('parts',)}", parts=text) for _ in range(2)]
    plugins = [Plugin.of(f"plugin{number}", name) for number, name in enumerate(names)]

    with pytest.raises(ComponentDefinitionError, match=r"'unit\.same'") as refused:
        Hub(Settings(database_url="sqlite://", plugins=(), models=()), plugins=plugins)
    assert all(f"{name}.parts" in str(refused.value) for name in names)
