"""How declared classes become the built classes of one registry.

Per name one class is made: ``(extensions, newest first ..., the original, built parents ...)``. C3 puts
a built parent between a child's own class and the parent's declared class, so that zero-argument
``super()`` reaches extensions while ``isinstance(x, Declared)`` holds; no declared class is changed.
"""

import inspect
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.component.declaration import (
    ComponentClass,
    Declaration,
    as_names,
    base_abstract,
    python_bases,
    read_declaration,
    with_ancestors,
    without_disabled,
)
from isthmus.component.root import ComponentRoot, where
from isthmus.errors import ComponentDefinitionError, near

BASE = "base"


@dataclass(slots=True)
class Draft:
    """All that the declared classes say of one component.

    Attributes:
        original: The class that declares it.
        extensions: Those that extend it in place, oldest first.
        parents: Names of the components it inherits, without "base".
    """

    original: Declaration
    extensions: list[Declaration] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)


def build_classes(
    classes: Iterable[ComponentClass], *, disabled: Sequence[str] = ()
) -> tuple[dict[str, ComponentClass], dict[ComponentClass, str]]:
    """Build one class per component name.

    Args:
        classes: The declared classes; their Python ancestors among components belong to them.
        disabled: Modules of disabled plugins: what is in or below them does not exist, and takes its
            Python children and extensions with it.

    Returns:
        The built classes by name, in the order in which the components were declared, and the
        component name of each declared class that is part of them.

    Raises:
        ComponentDefinitionError: In each case in which the declarations do not fit together.
    """  # noqa: DOC502 - raised by the steps below
    kept, dropped = without_disabled(with_ancestors(classes), disabled)
    declarations = {cls: read_declaration(cls) for cls in kept}
    drafts = _draft(declarations, dropped)
    built: dict[str, ComponentClass] = {}
    for name in drafts:
        _build(name, drafts, built, ())
    for cls in built.values():
        cls._complete_component_build()
    return {name: built[name] for name in drafts}, {cls: d.name for cls, d in declarations.items()}


def _draft(
    declarations: dict[ComponentClass, Declaration], dropped: list[ComponentClass]
) -> dict[str, Draft]:
    """Group the declarations by name and settle who inherits whom.

    Raises:
        ComponentDefinitionError: When a name is declared twice or unknown.
    """
    drafts: dict[str, Draft] = {}
    for said in declarations.values():
        if said.extends:
            continue
        if said.name in drafts:
            raise ComponentDefinitionError(_used_twice(drafts[said.name].original, said))
        drafts[said.name] = Draft(said)
    for said in declarations.values():
        if not said.extends:
            continue
        if said.name not in drafts:
            raise ComponentDefinitionError(_unknown(said, said.name, "extends", drafts, dropped))
        _check_extension(drafts[said.name].original, said)
        drafts[said.name].extensions.append(said)
    for draft in drafts.values():
        names = [declarations[base].name for base in python_bases(draft.original.cls)]
        names += draft.original.inherits
        for said in draft.extensions:
            names += said.inherits
        draft.parents = [name for name in dict.fromkeys(names) if name != BASE]
        for said in (draft.original, *draft.extensions):
            for name in said.inherits:
                if name not in drafts:
                    raise ComponentDefinitionError(_unknown(said, name, "inherits", drafts, dropped))
    for draft in drafts.values():
        for said in draft.extensions:
            _check_python_bases(said, draft, drafts, declarations)
    return drafts


def _used_twice(first: Declaration, second: Declaration) -> str:
    if where(first.cls) == where(second.cls):
        return (
            f"{where(first.cls)} was declared again, but another class still subclasses its earlier "
            f"declaration; declare (import, run) that one again, too"
        )
    return (
        f"component {second.name!r} is declared twice: by {where(first.cls)} and by {where(second.cls)}; "
        f"to extend the first, the second needs _inherit = {second.name!r}, else another _name"
    )


def _unknown(
    said: Declaration, name: str, verb: str, drafts: dict[str, Draft], dropped: list[ComponentClass]
) -> str:
    for cls in dropped:
        lost = read_declaration(cls)
        if lost.name == name and not lost.extends:
            return (
                f"{where(said.cls)} {verb} {name!r}, which is gone with a disabled plugin ({where(cls)}); "
                f"enable that plugin, or disable this one"
            )
    return f"{where(said.cls)} {verb} unknown component {name!r}{near(name, drafts)}"


def _check_extension(original: Declaration, said: Declaration) -> None:
    concrete = said.cls.__dict__.get("_abstract", base_abstract(said.cls))
    if original.abstract and concrete is False:
        raise ComponentDefinitionError(
            f"{where(said.cls)} would make the abstract component {said.name!r} ({where(original.cls)}) "
            f"concrete: derive it from AbstractComponent, or give it a _name of its own"
        )
    version = said.cls.__dict__.get("_version")
    if version is not None and version != original.cls._version:
        raise ComponentDefinitionError(
            f"{where(said.cls)} extends {said.name!r} in place, so its _version = {version!r} would take "
            f"that component from all other versions: give it a _name of its own"
        )


def _check_python_bases(
    said: Declaration, draft: Draft, drafts: dict[str, Draft], declarations: dict[ComponentClass, Declaration]
) -> None:
    """Allow an extension to subclass only what its component is made of.

    Raises:
        ComponentDefinitionError: When it subclasses another component.
    """
    for base in python_bases(said.cls):
        name = declarations[base].name
        if name in {said.name, BASE} or name in _ancestors(draft, drafts):
            continue
        if said.name in _ancestors(drafts[name], drafts):
            raise ComponentDefinitionError(
                f"{where(said.cls)} extends {said.name!r} in place, but subclasses {where(base)}, "
                f"a component that inherits {said.name!r}: that is a cycle"
            )
        raise ComponentDefinitionError(
            f"{where(said.cls)} extends {said.name!r} in place, but subclasses {where(base)} "
            f"of another component; write _name = {said.name!r} and "
            f"_inherit = [{said.name!r}, {name!r}] to add that one to it"
        )


def _ancestors(draft: Draft, drafts: dict[str, Draft]) -> set[str]:
    found: set[str] = set()
    waiting = list(draft.parents)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += drafts[name].parents
    return found


def _build(
    name: str, drafts: dict[str, Draft], built: dict[str, ComponentClass], path: tuple[str, ...]
) -> ComponentClass:
    if name in built:
        return built[name]
    if name in path:
        circle = (*path[path.index(name) :], name)
        steps = " inherits ".join(f"{step!r} ({where(drafts[step].original.cls)})" for step in circle)
        raise ComponentDefinitionError(f"components inherit each other in a circle: {steps}")
    draft = drafts[name]
    parents = [_build(parent, drafts, built, (*path, name)) for parent in draft.parents]
    if name != BASE:
        parents.append(_build(BASE, drafts, built, (*path, name)))
    # A parent that another one already inherits would only make C3 fail when written before it.
    needed = [p for p in parents if not any(q is not p and issubclass(q, p) for q in parents)]
    _check_parents(draft, needed)
    built[name] = _make(draft, needed)
    return built[name]


def _check_parents(draft: Draft, parents: list[ComponentClass]) -> None:
    for parent in parents:
        if draft.original.abstract and not parent._abstract:
            raise ComponentDefinitionError(
                f"abstract component {draft.original.name!r} ({where(draft.original.cls)}) cannot inherit "
                f"from {parent._name!r} ({where(parent)}), which is not abstract"
            )


def _make(draft: Draft, parents: list[ComponentClass]) -> ComponentClass:
    original = draft.original.cls
    bases = (*(said.cls for said in reversed(draft.extensions)), original, *parents)

    def fill(namespace: dict[str, Any]) -> None:
        namespace.update(
            _built=True,
            _name=draft.original.name,
            _abstract=draft.original.abstract,
            __module__=original.__module__,
            __qualname__=original.__qualname__,
            __doc__=original.__doc__,
        )

    try:
        made: ComponentClass = types.new_class(original.__name__, bases, exec_body=fill)
    except TypeError as exc:
        raise ComponentDefinitionError(
            f"component {draft.original.name!r} cannot be put together from "
            f"{', '.join(where(base) for base in bases)}: they inherit common classes in contradicting "
            f"orders, or are of different kinds ({exc})"
        ) from exc
    for hook in ("_component_match", "_complete_component_build"):
        if not isinstance(inspect.getattr_static(made, hook), classmethod):
            raise ComponentDefinitionError(
                f"component {draft.original.name!r} ({where(original)}): {hook} must be a classmethod"
            )
    made.apply_on_models = _models_of(made)
    return made


def _models_of(made: ComponentClass) -> tuple[str, ...] | None:
    """Read the models from the most derived class that says any, in either spelling.

    Raises:
        ComponentDefinitionError: When one class uses both spellings, or says no model at all.
    """
    for cls in made.__mro__:
        said = [name for name in ("_apply_on", "_model_name") if name in cls.__dict__]
        if cls is ComponentRoot or not said:
            continue
        if len(said) > 1:
            raise ComponentDefinitionError(
                f"{where(cls)} has both _apply_on and _model_name, its older spelling: keep _apply_on"
            )
        models = as_names(cls, said[0], cls.__dict__[said[0]])
        if models == ():
            raise ComponentDefinitionError(
                f"{where(cls)}: {said[0]} is empty; None says that it is for any model"
            )
        return models
    return None
