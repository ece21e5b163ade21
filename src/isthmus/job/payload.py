"""Job arguments as JSON text, with records, instants, decimals and their like kept as they are."""

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from isthmus.env import Env, Record
from isthmus.errors import JobArgumentError

LARGEST: Final = 1_000_000
"""Bytes of the arguments of one job."""

_RESERVED: Final = "$"
"""An object whose only key begins so stands for a value that JSON has not; see `_encode`."""


class _Unfit(Exception):  # noqa: N818 - never leaves this module
    """A value that cannot be stored, and where in the argument it is."""

    def __init__(self, value: Any, path: str) -> None:
        super().__init__()
        self.kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        self.path = path


_SCALARS: Final[Mapping[type, Callable[[Any], Any]]] = {
    datetime: lambda v: {"$datetime": v.isoformat()},
    date: lambda v: {"$date": v.isoformat()},
    time: lambda v: {"$time": v.isoformat()},
    timedelta: lambda v: {"$timedelta": [v.days, v.seconds, v.microseconds]},
    Decimal: lambda v: {"$decimal": str(v)},
    UUID: lambda v: {"$uuid": v.hex},
    bytes: lambda v: {"$bytes": base64.b64encode(v).decode("ascii")},
}


def _encode(value: Any, path: str = "") -> Any:
    """Turn a value into what JSON has.

    Args:
        value: The value.
        path: Where in the argument it is, as one would write it in Python.

    Raises:
        _Unfit: When it, or something in it, cannot be brought back as it is.
    """
    kind = type(value)
    if value is None or kind in {str, int, bool}:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if isinstance(value, Record):
        return {"$record": [value._name, str(value.id)]}
    if kind is list:
        return _items(value, path)
    if kind is tuple:
        return {"$tuple": _items(value, path)}
    if isinstance(value, (set, frozenset)):
        tag = "$frozenset" if isinstance(value, frozenset) else "$set"
        return {tag: sorted((_encode(v, f"{path}{{...}}") for v in value), key=_dumps)}
    if kind is dict:
        return _mapping(value, path)
    raise _Unfit(value, path)


def _items(values: Sequence[Any], path: str) -> list[Any]:
    return [_encode(value, f"{path}[{index}]") for index, value in enumerate(values)]


def _mapping(value: dict[Any, Any], path: str) -> Any:
    if all(type(key) is str for key in value) and not any(key.startswith(_RESERVED) for key in value):
        return {key: _encode(item, f"{path}[{key!r}]") for key, item in value.items()}
    return {"$dict": [[_encode(k, f"{path}{{key}}"), _encode(v, f"{path}[{k!r}]")] for k, v in value.items()]}


def _decode(value: Any, env: Env | None) -> Any:
    if isinstance(value, list):
        return [_decode(item, env) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, inner),) = value.items()
        if tag.startswith(_RESERVED):
            return _special(tag, inner, env)
    return {key: _decode(item, env) for key, item in value.items()}


_PARSERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$timedelta": lambda v: timedelta(*v),
    "$decimal": Decimal,
    "$uuid": UUID,
    "$bytes": base64.b64decode,
    "$float": float,
}
_CONTAINERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "$tuple": tuple,
    "$set": set,
    "$frozenset": frozenset,
    "$dict": dict,
}


def _special(tag: str, inner: Any, env: Env | None) -> Any:
    if tag in _PARSERS:
        return _PARSERS[tag](inner)
    if tag in _CONTAINERS:
        return _CONTAINERS[tag](_decode(item, env) for item in inner)
    if tag == "$record" and env is not None:
        return browse(env, inner[0], inner[1])
    raise JobArgumentError(f"a stored job argument has the unknown form {tag!r}")


def browse(env: Env, model: str, key: str) -> Record:
    """Give the record of a model and the text form of its key, without reading it."""
    found = env[model]
    record: Record = found.browse(found.store.key(model, key))
    return record


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def dump_arguments(
    label: str,
    names: Sequence[str],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    canonical: bool = False,
) -> str:
    """Write the arguments of a call as JSON text.

    Args:
        label: The job, for messages.
        names: Parameter names of the positional arguments, as far as they have any.
        args: Positional arguments.
        kwargs: Keyword arguments.
        canonical: True when equal arguments must give equal text.

    Raises:
        JobArgumentError: When one cannot be kept as it is, or all are too large; names it, never
            its value.
    """
    named = [*names, *(f"*args[{i}]" for i in range(len(args) - len(names)))]
    value: dict[str, Any] = {
        "args": [_argument(label, name, item) for name, item in zip(named, args, strict=False)],
        "kwargs": {name: _argument(label, name, item) for name, item in kwargs.items()},
    }
    text = _dumps(value) if canonical else _encode_plain(value)
    if len(text) > LARGEST:
        sizes = {name: len(_dumps(item)) for name, item in zip(named, value["args"], strict=False)}
        sizes |= {name: len(_dumps(item)) for name, item in value["kwargs"].items()}
        worst = max(sizes, key=lambda name: sizes[name])
        raise JobArgumentError(
            f"the arguments of job {label} take {len(text):,} bytes, at most {LARGEST:,} are possible; the "
            f"largest is {worst!r}: store what it holds and pass a record or a key"
        )
    return text


def dump_positional(label: str, names: Sequence[str], args: Sequence[Any]) -> str:
    """Write positional arguments as `dump_arguments` does, quickly where all are plain JSON values.

    Raises:
        JobArgumentError: When one cannot be kept as it is, or all are too large.
    """  # noqa: DOC502 - raised by what is called
    if _PLAIN.issuperset(map(type, args)):
        text = f'{{"args":{_encode_plain(list(args))},"kwargs":{{}}}}'
        if len(text) <= LARGEST:
            return text
    return dump_arguments(label, names, args, {})


_NOTHING: Final = "{}"
_PLAIN: Final = frozenset({str, int, bool, type(None)})
_encode_plain: Final = json.JSONEncoder(separators=(",", ":")).encode


def _argument(label: str, name: str, value: Any) -> Any:
    try:
        return _encode(value)
    except _Unfit as exc:
        where = f" (at {name}{exc.path})" if exc.path else ""
        raise JobArgumentError(
            f"argument {name!r} of job {label} cannot be stored: {exc.kind} is neither JSON nor a record, "
            f"date, decimal, bytes, set, tuple or UUID{where}"
        ) from None
    except RecursionError:
        raise JobArgumentError(
            f"argument {name!r} of job {label} cannot be stored: it is nested too deeply, or contains itself"
        ) from None


def load_arguments(text: str, env: Env) -> tuple[list[Any], dict[str, Any]]:
    """Read what `dump_arguments` wrote; records belong to *env*.

    Raises:
        JobArgumentError: When somebody else has written it.
    """
    try:
        value = json.loads(text)
        return (
            [_decode(item, env) for item in value["args"]],
            {name: _decode(item, env) for name, item in value["kwargs"].items()},
        )
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as exc:
        raise JobArgumentError(f"the stored arguments cannot be read: {type(exc).__name__}: {exc}") from exc


def dump_context(keys: Mapping[str, Any]) -> str:
    """Write context keys as JSON text.

    Raises:
        JobArgumentError: When one cannot be kept as it is.
    """  # noqa: DOC502 - raised by what is called
    if not keys:
        return _NOTHING
    return _dumps({name: _argument("context", name, value) for name, value in keys.items()})


def load_context(text: str) -> dict[str, Any]:
    """Read what `dump_context` wrote."""
    return {} if text == _NOTHING else {n: _decode(value, None) for n, value in json.loads(text).items()}


def dump_result(label: str, value: Any, largest: int) -> str | None:
    """Write what a job returned as JSON text; of a value that cannot be stored only its type is kept.

    Args:
        label: The job, for the message.
        value: What it returned.
        largest: Bytes that the text may have.

    Raises:
        JobArgumentError: When it is too large.
    """
    if value is None:
        return None
    try:
        text = _dumps(_encode(value))
    except _Unfit:
        text = _dumps(f"<{type(value).__module__}.{type(value).__qualname__}>")
    if len(text) > largest:
        raise JobArgumentError(
            f"the result of job {label} takes {len(text):,} bytes, at most {largest:,} are possible: "
            f"return less, or store it"
        )
    return text


def load_result(text: str | None, env: Env) -> Any:
    """Read what `dump_result` wrote; records belong to *env*."""
    return None if text is None else _decode(json.loads(text), env)
