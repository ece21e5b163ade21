"""What one version of Odoo spells differently: its fields in the words that connectors use.

A connector is written once, with the names and types of the bundled models (those of Odoo 18). Where an
older version has another name or type, a `Dialect` for that model and version translates, in descriptions,
values, domains and orders. Dialects are components of ``odoo.backend`` with the usage ``record.dialect``,
chosen by version, so a plugin can add or extend them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Any, ClassVar, Final

from isthmus.component import AbstractComponent
from isthmus.env import Field, FieldType

COLLECTION: Final = "odoo.backend"
USAGE: Final = "record.dialect"


def same(value: Any) -> Any:
    """Give a value back: there is nothing to translate."""
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """How one field is spelled in some versions.

    Attributes:
        name: Its name in connectors.
        there: Its name in those versions.
        type: Its type in connectors.
        here: Brings a value from there into the form of connectors.
        back: Brings a value into the form of those versions.
    """

    name: str
    there: str
    type: FieldType
    here: Callable[[Any], Any] = same
    back: Callable[[Any], Any] = same

    def describe(self, told: Field) -> Field:
        """Describe the field as connectors see it."""
        return replace(told, name=self.name, type=self.type)


class Dialect(AbstractComponent):
    """How a model is spelled in one version and those that descend from it.

    Attributes:
        translations: The fields that differ; the others are taken as they are.
    """

    _name = "base.record.dialect"
    _inherit = "base"
    _collection = COLLECTION
    _usage = USAGE
    _abstract = True

    translations: ClassVar[tuple[Translation, ...]] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """One field, in both spellings.

    Attributes:
        field: As connectors see it.
        told: As the server describes it.
        here: Brings a value from there into the form of connectors.
        back: Brings a value into the form of the server's version.
    """

    field: Field
    told: Field
    here: Callable[[Any], Any] = same
    back: Callable[[Any], Any] = same


class Spelling:
    """The translations of one model in one version, ready for use.

    Args:
        translations: Those of its dialect.
        told: The fields as the server describes them.

    Attributes:
        words: The fields in both spellings, by the name that connectors use.
        heard: The same by the name that the server uses.
        fields: The fields by the name that connectors use.
        told: The fields by the name that the server uses.
    """

    def __init__(self, translations: Iterable[Translation], told: Mapping[str, Field]) -> None:
        self.told = told
        translated = {
            t.there: Word(t.describe(told[t.there]), told[t.there], t.here, t.back)
            for t in translations
            if t.there in told
        }
        self.heard: Mapping[str, Word] = {n: Word(field, field) for n, field in told.items()} | translated
        # A field that goes by a translated name is hidden by the translation.
        words = (*self.heard.values(), *translated.values())
        self.words: Mapping[str, Word] = {word.field.name: word for word in words}
        self.fields: Mapping[str, Field] = MappingProxyType({n: word.field for n, word in self.words.items()})

    def there(self, name: str) -> str:
        """Spell a field as the server does."""
        return self.words[name].told.name


def instant_of_day(day: Any) -> datetime | None:
    """Read a day as the instant at which it begins in UTC.

    >>> instant_of_day(date(2026, 1, 31))
    datetime.datetime(2026, 1, 31, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return datetime.combine(day, time(), UTC) if isinstance(day, date) else None


def day_of_instant(instant: Any) -> Any:
    """Cut an instant to its day in UTC; text that spells one too.

    >>> day_of_instant(datetime(2026, 1, 31, 15, 30, tzinfo=UTC)), day_of_instant("2026-01-31 15:30:00")
    (datetime.date(2026, 1, 31), '2026-01-31')
    """
    if isinstance(instant, datetime):
        return instant.astimezone(UTC).date()
    return instant[:10] if isinstance(instant, str) else instant


def one_as_list(key: Any) -> list[Any]:
    """Show a single record as a list of one.

    >>> one_as_list(7), one_as_list(None)
    ([7], [])
    """
    return [] if key is None else [key]


def first_of_list(value: Any) -> Any:
    """Keep the first record of a list, which is all that a single one can hold.

    Raises:
        ValueError: For a command that only a real list can follow.

    >>> first_of_list([7, 8]), first_of_list([(6, 0, [3])]), first_of_list([])
    (7, 3, None)
    """
    if not isinstance(value, (list, tuple)):
        return value
    found = None
    for item in value:
        if not isinstance(item, (list, tuple)):
            return item
        match item[0]:
            case 4:
                found = item[1]
            case 5:
                found = None
            case 6:
                found = item[2][0] if item[2] else None
            case _:
                raise ValueError(f"this version holds one record there: command {item[0]} means nothing")
    return found
