"""Which component answers a lookup: what fits one place, and the most specific of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from isthmus.component.declaration import ComponentClass
from isthmus.component.root import ComponentRoot, where
from isthmus.errors import NoComponentError, SeveralComponentError, near

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lookup is made.

    Attributes:
        collection_name: Name of the collection. None: there is none.
        version_chain: Its version, then the versions it descends from. Empty: it has none.
        model_name: The model. None: there is none.
    """

    collection_name: str | None
    version_chain: tuple[str, ...]
    model_name: str | None

    def exclusion(self, cls: ComponentClass) -> str | None:
        """Say why *cls* cannot be used here; None when it can.

        >>> Place("shop.backend", ("1.7",), "sale.order").exclusion(ComponentRoot)
        'is abstract'
        """
        if cls._abstract:
            return "is abstract"
        if cls._collection is not None and cls._collection != self.collection_name:
            return f"is bound to collection {cls._collection!r}"
        if cls._version is not None and cls._version not in self.version_chain:
            return f"is for version {cls._version!r}"
        models = cls.apply_on_models
        if models is not None and self.model_name not in models:
            return f"is for {'model' if len(models) == 1 else 'models'} {', '.join(map(repr, models))}"
        return None

    def rank(self, cls: ComponentClass) -> tuple[int, int]:
        """Tell how specific a fitting *cls* is: the lower, the more specific.

        First the distance of versions (own, parents, unversioned), then collection and model,
        collection, model, generic.
        """
        chain = self.version_chain
        distance = len(chain) if cls._version is None else chain.index(cls._version)
        return distance, 2 * (cls._collection is None) + (cls.apply_on_models is None)

    def __str__(self) -> str:
        words = [f"model {self.model_name!r}" if self.model_name else "no model"]
        words.append(f"collection {self.collection_name!r}" if self.collection_name else "no collection")
        if self.version_chain:
            words.append(f"version {self.version_chain[0]!r}")
        return ", ".join(words)


def may_veto(cls: ComponentClass) -> bool:
    """Tell whether *cls* overrides ``_component_match``, so that it must be asked at every lookup."""
    return cls._component_match.__func__ is not ComponentRoot._component_match.__func__  # type: ignore[attr-defined]  # a bound classmethod


class Shelf:
    """What one registry offers at one place; answers that no component may veto are kept.

    Attributes:
        place: The place.
        answers: The class that answers a usage or declared class, where that is settled for good.
    """

    __slots__ = ("_all", "_built", "_fitting", "answers", "place")

    def __init__(
        self, place: Place, components: dict[str, ComponentClass], built: dict[ComponentClass, ComponentClass]
    ) -> None:
        self.place = place
        self.answers: dict[str | type | None, ComponentClass] = {}
        self._all = components
        self._built = built
        self._fitting: dict[str | None, tuple[tuple[ComponentClass, bool], ...]] = {}

    def choose(self, work: Any, usage: str | type | None, kw: dict[str, Any]) -> ComponentClass:
        """Choose the most specific component.

        Args:
            work: The work context, for ``_component_match``.
            usage: The usage, or a declared class: itself if it is concrete, else the most specific of
                the components that inherit it.
            kw: Further criteria, for ``_component_match``.

        Raises:
            NoComponentError: When there is none.
            SeveralComponentError: When several are equally specific.
        """
        if isinstance(usage, type):
            candidates, asked = self._of_class(usage), None
        else:
            candidates, asked = self.fitting(usage), usage
        ranked = sorted(candidates, key=lambda item: self.place.rank(item[0]))
        vetoed: list[ComponentClass] = []
        best: list[ComponentClass] = []
        settled = True
        for cls, veto in ranked:
            if best and self.place.rank(cls) > self.place.rank(best[0]):
                break
            settled = settled and not veto
            if veto and not cls._component_match(work, usage=asked, model_name=self.place.model_name, **kw):
                vetoed.append(cls)
            else:
                best.append(cls)
        if not best:
            raise NoComponentError(self._explain_none(usage, vetoed))
        if len(best) > 1:
            raise SeveralComponentError(self._explain_several(usage, best))
        if settled:
            self.answers[usage] = best[0]
        return best[0]

    def choose_all(self, work: Any, usage: str | None, kw: dict[str, Any]) -> list[ComponentClass]:
        """List all components that fit, in the order of their registration."""
        return [
            cls
            for cls, veto in self.fitting(usage)
            if not veto or cls._component_match(work, usage=usage, model_name=self.place.model_name, **kw)
        ]

    def by_name(self, name: str) -> ComponentClass:
        """Give the component of that name.

        Raises:
            NoComponentError: When it does not exist or cannot be used here; says why.
        """
        cls = self._all.get(name)
        if cls is None:
            raise NoComponentError(f"no component is named {name!r}{near(name, self._all)}")
        reason = self.place.exclusion(cls)
        if reason is None:
            return cls
        hint = ""
        models = cls.apply_on_models
        if models and replace(self.place, model_name=models[0]).exclusion(cls) is None:
            hint = f"; try component_by_name({name!r}, model_name={models[0]!r})"
        raise NoComponentError(f"component {name!r} ({where(cls)}) {reason}; this is {self.place}{hint}")

    def fitting(self, usage: str | None) -> tuple[tuple[ComponentClass, bool], ...]:
        """List what fits a usage (None: any), each with whether it must be asked."""
        found = self._fitting.get(usage)
        if found is None:
            found = tuple(
                (cls, may_veto(cls))
                for cls in self._all.values()
                if (usage is None or cls._usage == usage) and self.place.exclusion(cls) is None
            )
            self._fitting[usage] = found
        return found

    def _of_class(self, declared: type) -> tuple[tuple[ComponentClass, bool], ...]:
        built = self._built.get(declared)
        if built is None:
            raise NoComponentError(
                f"{where(declared)} is not part of this registry; is it a component, and is its plugin "
                f"enabled?"
            )
        if not built._abstract:
            return ((built, may_veto(built)),) if self.place.exclusion(built) is None else ()
        return tuple(item for item in self.fitting(None) if issubclass(item[0], built))

    def _explain_several(self, usage: str | type | None, best: list[ComponentClass]) -> str:
        shown = ", ".join(f"{cls._name!r} ({where(cls)})" for cls in best[:_SHOWN])
        more = f" and {len(best) - _SHOWN} more" if len(best) > _SHOWN else ""
        child = next((c for c in best if any(p is not c and issubclass(c, p) for p in best)), None)
        remedy = (
            "narrow one by _collection, _apply_on, _version or _component_match, or ask for all by "
            "many_components()"
            if child is None
            else f"{child._name!r} inherits another of them: to replace that one, extend it in place by "
            f"_inherit alone"
        )
        message = f"several components with {_asked(usage)} for {self.place} are equally specific"
        return f"{message}: {shown}{more}; {remedy}"

    def _explain_none(self, usage: str | type | None, vetoed: list[ComponentClass]) -> str:
        message = f"no component with {_asked(usage)} for {self.place}"
        misses = [f"{cls._name!r} ({where(cls)}) refused by its _component_match" for cls in vetoed]
        misses += list(self._near_misses(usage))
        if misses:
            more = f"; and {len(misses) - _SHOWN} more" if len(misses) > _SHOWN else ""
            return f"{message}: {'; '.join(misses[:_SHOWN])}{more}"
        known = {cls._usage for cls, _ in self.fitting(None) if cls._usage}
        if isinstance(usage, str) and known:
            return f"{message}{near(usage, known)}"
        return f"{message}; nothing is registered for it: is the plugin that should bring it enabled?"

    def _near_misses(self, usage: str | type | None) -> Iterator[str]:
        if isinstance(usage, type):
            related = [cls for cls in self._all.values() if issubclass(cls, usage)]
        elif usage is not None:
            related = [cls for cls in self._all.values() if cls._usage == usage]
        else:
            related = list(self._all.values())
        # Abstract ones are worth a word only where there is nothing better to tell.
        concrete = [cls for cls in related if not cls._abstract]
        for cls in concrete or (related if usage is not None else []):
            reason = self.place.exclusion(cls)
            if reason is not None:
                yield f"{cls._name!r} ({where(cls)}) {reason}"


def _asked(usage: str | type | None) -> str:
    if isinstance(usage, type):
        return f"class {where(usage)}"
    return "any usage" if usage is None else f"usage {usage!r}"
