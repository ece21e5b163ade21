"""Code tables: single values that both sides spell differently."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from isthmus.component import AbstractComponent
from isthmus.errors import MappingError

CodePairs = Iterable[tuple[Any, Any]]


class RecordMapper(AbstractComponent):
    """Translates single values of a model's records, in both directions, declared once.

    Import and export mappers reach it by the modifier `translate`.

    Attributes:
        codes: **Tables** ``{name: [(theirs, ours), ...]}``. Where a code stands several times,
            its first pair counts.
    """

    _name = "base.record.mapper"
    _inherit = "base"
    _usage = "record.mapper"

    codes: ClassVar[Mapping[str, CodePairs]] = {}

    _to_ours: ClassVar[dict[str, dict[Any, Any]]] = {}
    _to_theirs: ClassVar[dict[str, dict[Any, Any]]] = {}

    @classmethod
    def _complete_component_build(cls) -> None:
        super()._complete_component_build()
        cls._to_ours = {}
        cls._to_theirs = {}
        for name, pairs in cls.codes.items():
            to_ours = cls._to_ours.setdefault(name, {})
            to_theirs = cls._to_theirs.setdefault(name, {})
            for theirs, ours in pairs:
                to_ours.setdefault(theirs, ours)
                to_theirs.setdefault(ours, theirs)

    def to_internal(self, table: str, value: Any) -> Any:
        """Translate a code of theirs into ours; None stays None, unless the table has it.

        Args:
            table: Name of the table.
            value: Their code.

        Raises:
            MappingError: When the table or the code is unknown; names both.
        """  # noqa: DOC502 - raised by _translated
        return self._translated(self._to_ours, table, value)

    def to_external(self, table: str, value: Any) -> Any:
        """Translate a code of ours into theirs; None stays None, unless the table has it.

        Args:
            table: Name of the table.
            value: Our code.

        Raises:
            MappingError: When the table or the code is unknown; names both.
        """  # noqa: DOC502 - raised by _translated
        return self._translated(self._to_theirs, table, value)

    def _translated(self, tables: dict[str, dict[Any, Any]], table: str, value: Any) -> Any:
        codes = tables.get(table)
        if codes is None:
            raise MappingError(
                f"record mapper {self._name!r} has no table {table!r}; it has {sorted(tables)}"
            )
        try:
            return codes[value]
        except (KeyError, TypeError) as fault:
            if value is None:
                return None
            raise MappingError(
                f"record mapper {self._name!r}: table {table!r} has no code {value!r} "
                f"({type(value).__name__}); it has {list(codes)}"
            ) from fault
