"""What graphs are made of: prepared calls, and the chains and groups of them."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final, Self
from weakref import ref

from isthmus.errors import JobDefinitionError
from isthmus.job.state import State

logger = logging.getLogger("isthmus.job")

_SHOWN: Final = 5
"""Items that a structure's repr names."""


class Part:
    """A prepared call, a chain or a group.

    Its public names are few, since those of a prepared call's own methods must not be among them.
    """

    __slots__ = ("__weakref__", "_after", "_gone", "_whole")

    def __init__(self) -> None:
        self._after: list[tuple[Part, State]] | None = None
        self._whole: Any = None
        """Weak references to what this is part of: one, a tuple of several, or None."""
        self._gone = False
        """True when it was delayed, or another stands for it."""

    def on_done(self, *items: "Part") -> Self:
        """Let others run when this is done: a chain when its last part is, a group when all of it is.

        Args:
            *items: Prepared calls, chains or groups; they run beside each other.

        Raises:
            JobDefinitionError: When one is something else, or was delayed already.
        """  # noqa: DOC502 - raised by what is called
        return self._follow(items, State.DONE)

    def on_failure(self, *items: "Part") -> Self:
        """Let others run when this fails for good; of a chain or group when the first job of it does.

        They run once at most, and are cancelled when nothing of this can fail any more.

        Args:
            *items: Prepared calls, chains or groups; they run beside each other.

        Raises:
            JobDefinitionError: When one is something else, or was delayed already.
        """  # noqa: DOC502 - raised by what is called
        return self._follow(items, State.FAILED)

    def _follow(self, items: tuple["Part", ...], state: State) -> Self:
        self._check_unused()
        parts = self._take(items)
        self._after = [*(self._after or ()), *((part, state) for part in parts)]
        return self

    def _take(self, items: Iterable["Part"]) -> tuple["Part", ...]:
        """Make others part of this.

        Raises:
            JobDefinitionError: When one is no part, or was delayed already.
        """
        parts = tuple(items)
        for part in parts:
            if not isinstance(part, Part):
                raise JobDefinitionError(
                    f"{part!r} cannot be part of a graph; what delayable(), chain() and group() give can"
                )
            part._check_unused()
        me = ref(self)
        for part in parts:
            part._whole = me if part._whole is None else (*_references(part), me)
        return parts

    def _check_unused(self) -> None:
        if self._gone:
            raise JobDefinitionError(f"{self!r} was delayed already: prepare it once more to run it again")

    def _would_be_lost(self) -> bool:
        """Tell whether work is lost when this is forgotten."""
        return True

    def __del__(self) -> None:
        # A forgotten delay() loses work silently; nothing else would tell. What is part of a
        # structure is told of with that.
        if not getattr(self, "_gone", True) and self._whole is None and self._would_be_lost():
            logger.warning("%r was prepared but never delayed", self)


class Prepared(Part):
    """A call; `isthmus.job.Delayable`."""

    __slots__ = ("_queue",)

    _queue: Any
    """What takes it (`isthmus.job.delay.Takes`)."""

    def _prepared(self) -> Any:
        """Give the checked `Call`.

        Raises:
            JobDefinitionError: When no method was called yet.
        """
        raise NotImplementedError


class Structure(Part):
    """A chain or a group."""

    __slots__ = ("_items",)

    in_line: ClassVar[bool]
    """True when the items run one after the other."""
    word: ClassVar[str]
    """What it is, for people."""

    def __init__(self, items: Iterable[Part]) -> None:
        self._items: tuple[Part, ...] = ()
        super().__init__()
        self._items = self._take(items)

    def _would_be_lost(self) -> bool:
        return bool(self._items) or self._after is not None

    def __repr__(self) -> str:
        if not self._items:
            return f"<empty {self.word}>"
        # Not nested further: a structure may be deeper than Python can recurse.
        shown = ", ".join(
            f"<{item.word} of {len(item._items)}>" if isinstance(item, Structure) else repr(item)
            for item in self._items[:_SHOWN]
        )
        more = len(self._items) - _SHOWN
        return f"<{self.word} of {shown}{f' and {more} more' if more > 0 else ''}>"


def items_of(part: Part) -> tuple[Part, ...]:
    """Give the parts of a structure; a call has none."""
    return part._items if isinstance(part, Structure) else ()


def after(part: Part) -> list[tuple[Part, State]]:
    """Give what follows a part, and on which end of it."""
    return part._after or []


def wholes(part: Part) -> Iterator[Part]:
    """Give what a part belongs to, as far as it is still there."""
    for reference in _references(part):
        whole = reference()
        if whole is not None:
            yield whole


def hand_over(part: Part, heir: Part) -> None:
    """Let another stand for a part: what follows the one now follows the other.

    Raises:
        JobDefinitionError: When the part belongs to a structure already.
    """
    for whole in wholes(part):
        raise JobDefinitionError(f"{part!r} is part of {whole!r} already: split it before that")
    heir._after, part._after = part._after, None
    me = ref(heir)
    for follower, _ in heir._after or ():
        follower._whole = tuple(
            me if reference() is part else reference for reference in _references(follower)
        )
    part._gone = True


def use(part: Part) -> None:
    """Note that a part was delayed, or that another stands for it."""
    part._gone = True


def _references(part: Part) -> tuple[Any, ...]:
    found = part._whole
    if found is None:
        return ()
    return found if isinstance(found, tuple) else (found,)
