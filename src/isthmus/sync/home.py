"""Homes: where the records of ours are that bindings name."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from isthmus.binding import BindingState
from isthmus.env import Env
from isthmus.errors import ConfigurationError, RecordValueError
from isthmus.sync.cursor import HOME, CursorBook
from isthmus.sync.table import Cursor


def check_homes(env: Env, backend: Any, models: Iterable[str]) -> None:
    """Refuse to go on when bound records would be looked for elsewhere than they were bound.

    A binding knows the key of its record, and elsewhere that key is no record or another one: all would look
    deleted or changed. What was noted first counts, as long as records are bound; without a note they were
    bound in our own database.

    Args:
        env: The unit of work; what is noted becomes part of its transaction.
        backend: The backend.
        models: Its binding models.

    Raises:
        ConfigurationError: When the records of a model have moved; says how to go on.
    """
    book = CursorBook(env, backend.id)
    ours = {"place": env[Cursor._name].store.place()}
    # Asked before anything is written: a store may have to connect.
    places = {model: env[env[model].binds].store.place() for model in models}
    marks = {model: book.load(HOME + model) for model in places}
    known = {model: ours if mark is None else mark for model, mark in marks.items()}
    moved = [model for model, place in places.items() if known[model] != {"place": place}]
    for model in moved:
        bound = [("backend_id", "=", backend.id), ("state", "=", BindingState.LINKED.value)]
        if known[model] and env[model].search(bound, limit=1):
            name, before = backend["name"], known[model]["place"]
            raise ConfigurationError(
                f"{env[model].binds} was in {before} when its records were bound with {name!r}; it is in "
                f"{places[model]} now, where their keys are other records. Use a hub of its own for that; "
                f"if it is the same one by another name: isthmus cursor reset {name} --stream {HOME}{model}"
            )
        # Another process notes the same.
        with suppress(RecordValueError), env.savepoint():
            book.save(HOME + model, {"place": places[model]})
            env.flush()
