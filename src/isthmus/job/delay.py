"""What ``with_delay`` and ``delayable`` give: proxies whose method calls become jobs."""

import logging
from collections.abc import Callable
from typing import Any, Self

from isthmus.errors import JobDefinitionError
from isthmus.job.call import Call, JobRef
from isthmus.job.definition import find_definition
from isthmus.job.options import read_options

logger = logging.getLogger("isthmus.job")

Put = Callable[[Call], JobRef]
"""Takes a call and makes it a job."""


class DelayProxy:
    """A model or record whose marked methods become jobs when they are called."""

    __slots__ = ("_options", "_put", "_target")

    def __init__(self, put: Put, target: Any, **options: Any) -> None:
        self._put = put
        self._target = target
        self._options = read_options(options)

    def __getattr__(self, name: str) -> Callable[..., JobRef]:
        """Give what delays a method.

        Raises:
            AttributeError: For Python's own special names, so that copying and the like behave.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        find_definition(self._target, name)

        def delay(*args: Any, **kwargs: Any) -> JobRef:
            return self._put(Call.make(self._target, name, args, kwargs, self._options))

        return delay

    def __repr__(self) -> str:
        return f"<with_delay of {self._target!r}>"


class Delayable:
    """A call that is prepared now and delayed by `delay`.

    ``card.delayable(priority=5).export_record().delay()``
    """

    def __init__(self, put: Put, target: Any, **options: Any) -> None:
        self._put = put
        self._target = target
        self._given = options
        self._call: tuple[str, tuple[Any, ...], dict[str, Any]] | None = None
        self._delayed = False
        read_options(options)

    def __getattr__(self, name: str) -> "Callable[..., Delayable]":
        """Give what prepares the call of a method.

        Raises:
            AttributeError: For Python's own special names, so that copying and the like behave.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        find_definition(self._target, name)

        def prepare(*args: Any, **kwargs: Any) -> Delayable:
            Call.make(self._target, name, args, kwargs, read_options(self._given))
            self._call = (name, args, kwargs)
            return self

        return prepare

    def set(self, **options: Any) -> Self:
        """Change options (those of ``with_delay``)."""
        read_options(options)
        self._given = {**self._given, **options}
        return self

    def delay(self) -> JobRef:
        """Make it a job.

        Raises:
            JobDefinitionError: When no method was called on it.
        """
        if self._call is None:
            raise JobDefinitionError(f"{self!r} has nothing to delay: call a method on it first")
        name, args, kwargs = self._call
        self._delayed = True
        return self._put(Call.make(self._target, name, args, kwargs, read_options(self._given)))

    def __del__(self) -> None:
        # A forgotten delay() loses work silently; nothing else would tell.
        if getattr(self, "_call", None) is not None and not self._delayed:
            logger.warning("%r was prepared but never delayed", self)

    def __repr__(self) -> str:
        method = f".{self._call[0]}" if self._call else ""
        return f"<delayable {self._target!r}{method}>"
