"""One record on its way through a mapper, and the options of that way."""

from collections.abc import Iterable
from typing import Any, Protocol


class MapOptions(dict[str, Any]):
    """The keywords given to `MapRecord.values`; one that was not given is None.

    >>> options = MapOptions(lang="fr")
    >>> options.lang, options["lang"], options.unknown, options["unknown"]
    ('fr', 'fr', None, None)
    """

    __slots__ = ()

    def __missing__(self, key: str) -> None:
        """Give None for an option that was not given."""
        return

    def __getattr__(self, name: str) -> Any:
        """Read an option as an attribute.

        Raises:
            AttributeError: For names that Python itself looks for.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)


class _RunsRecords(Protocol):
    """What a `MapRecord` needs of its mapper."""

    def _run(
        self, map_record: "MapRecord", options: MapOptions, for_create: bool, fields: frozenset[str]
    ) -> dict[str, Any]: ...


_ALL: frozenset[str] = frozenset()


class MapRecord:
    """A source that is to be mapped, as `Mapper.map_record` gives it.

    Attributes:
        mapper: The mapper that will do it.
        source: **Payload** ``{field: value}`` on import, a record of ours on export.
        parent: The map record this one is a line of; None at the top.
        options: Those of the run under way.
    """

    __slots__ = ("_forced", "mapper", "options", "parent", "source")

    def __init__(self, mapper: Any, source: Any, parent: "MapRecord | None" = None) -> None:
        self.mapper: Any = mapper
        self.source = source
        self.parent = parent
        self.options = _NO_OPTIONS
        self._forced: dict[str, Any] | None = None

    def update(self, *args: Any, **values: Any) -> None:
        """Force values, as `dict.update` takes them: they win over whatever is mapped."""
        if self._forced is None:
            self._forced = {}
        self._forced.update(*args, **values)

    def values(
        self, for_create: bool | None = None, fields: str | Iterable[str] | None = None, **options: Any
    ) -> dict[str, Any]:
        """Map the source.

        Args:
            for_create: True adds what is marked `only_create`.
            fields: Source fields that changed: only what depends on them is mapped. None, or
                none of them, maps everything. They do not reach the mappers of lines.
            options: Readable in the mapper as ``self.options.name``. Known are ``external_id``
                (for messages) and ``existing`` (our record, whose lines children compare with).

        Returns:
            **Values** ``{target field: value}``.
        """
        given = MapOptions(options)
        if for_create is not None:
            given["for_create"] = for_create
        wanted = _ALL
        if fields is not None:
            wanted = frozenset((fields,) if isinstance(fields, str) else fields)
            given["fields"] = wanted
        mapper: _RunsRecords = self.mapper
        values = mapper._run(self, given, bool(for_create), wanted)
        if self._forced is not None:
            values.update(self._forced)
        return values

    def __repr__(self) -> str:
        """Show the mapper and the kind of source, never values."""
        return f"<map record of {type(self.source).__name__} for {self.mapper._name}>"


_NO_OPTIONS = MapOptions()
