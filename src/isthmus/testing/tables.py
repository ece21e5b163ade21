"""Tables for tests of what lies below migrations."""

from importlib import import_module

from isthmus.models import GROUPS
from isthmus.store.sql import SqlModel, make_engine


def bundled_models() -> dict[str, type]:
    """Give the mapped classes of all bundled model groups, by model name."""
    modules = {import_module(module).__name__ for module, _ in GROUPS.values()}
    mapped = [mapper.class_ for mapper in SqlModel.registry.mappers]
    return {cls._name: cls for cls in mapped if cls.__module__ in modules and cls._name}


def make_tables(url: str) -> None:
    """Make every table at once, as `Databases.fresh` wants it: what migrations would have made.

    These are the tables of our own, of the bundled models, and of all that a test has mapped so far.

    Args:
        url: The database.
    """
    bundled_models()  # whichever test runs first: they are imported now
    engine = make_engine(url)
    SqlModel.metadata.create_all(engine)
    engine.dispose()
