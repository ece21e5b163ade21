"""What Odoo answers when it refuses: its exception names, texts and arguments.

The texts are those of a recorded Odoo 18.0 where nothing else is said.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

Kind = Literal["", "arguments", "model", "method"]

_TRIES = {"read": "access", "write": "modify", "create": "create", "unlink": "delete"}


class OdooError(Exception):
    """An exception as Odoo puts it on the wire.

    Attributes:
        name: The dotted name of Odoo's exception class.
        message: Its text.
        arguments: Its arguments, as JSON.
        debug: The traceback that Odoo would show, or what stands for it.
        kind: Why a call could not even begin: JSON-2 has a status code for each.
        loading: What `load` says in its message instead, if it does.
    """

    def __init__(
        self,
        name: str,
        message: str,
        arguments: Sequence[Any] | None = None,
        debug: str = "",
        kind: Kind = "",
    ) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.arguments: list[Any] = [message] if arguments is None else list(arguments)
        self.debug = debug or f"Traceback (most recent call last):\n{name}: {message}\n"
        self.kind: Kind = kind
        self.loading: dict[str, str] = {}


def builtin(name: str, message: str, *, kind: Kind = "") -> OdooError:
    """Make one of Python's own exceptions.

    >>> builtin("ValueError", "no").name
    'builtins.ValueError'
    """
    return OdooError(f"builtins.{name}", message, kind=kind)


def value_error(message: str) -> OdooError:
    """Make a ValueError."""
    return builtin("ValueError", message)


def user_error(message: str, *, kind: Kind = "") -> OdooError:
    """Make a UserError."""
    return OdooError("odoo.exceptions.UserError", message, kind=kind)


def validation_error(message: str) -> OdooError:
    """Make a ValidationError."""
    return OdooError("odoo.exceptions.ValidationError", message)


def access_error(message: str) -> OdooError:
    """Make an AccessError."""
    return OdooError("odoo.exceptions.AccessError", message)


def access_denied() -> OdooError:
    """Make the answer to wrong credentials."""
    return OdooError("odoo.exceptions.AccessDenied", "Access Denied")


def missing(model: str, ids: Iterable[int], uid: int) -> OdooError:
    r"""Make the MissingError of records that are not there.

    >>> missing("res.partner", [9], 2).message
    'Record does not exist or has been deleted.\n(Record: res.partner(9,), User: 2)'
    """
    record = f"{model}({', '.join(str(i) for i in ids)},)"
    return OdooError(
        "odoo.exceptions.MissingError",
        f"Record does not exist or has been deleted.\n(Record: {record}, User: {uid})",
    )


def postgres(name: str, message: str) -> OdooError:
    """Make an error of the database that Odoo passes on."""
    return OdooError(f"psycopg2.errors.{name}", message)


def serialization_failure() -> OdooError:
    """Make the error of two transactions that meet in one row."""
    return postgres("SerializationFailure", "could not serialize access due to concurrent update\n")


def not_null(label: str, model: str, field_label: str, field: str, major: int = 18) -> OdooError:
    """Make the error of a mandatory field without a value; 19 has another text (both recorded)."""
    lacking = f"Missing required value for the field '{field_label}' ({field})"
    if major < 19:
        where = f"Model: {label} ({model})\nField: {field_label} ({field})\n"
        text = (
            "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n"
            "- Delete: another model requires the record being deleted. If possible, archive it instead.\n\n"
            f"{_in_one_line(where) if major <= 14 else where}"
        )
    else:
        text = (
            f"The operation cannot be completed: {lacking}.\nModel: '{label}' ({model})\n"
            "- create/update: a mandatory field is not set\n"
            "- delete: another model requires the record being deleted, you can archive it instead\n"
        )
    error = validation_error(text)
    error.loading = {"message": lacking, "field": field}
    return error


def foreign_key_19(label: str, model: str, field_label: str, field: str) -> OdooError:
    """Make the error of a reference to, or from, a record that is not there, as 19.0 has it (recorded)."""
    return validation_error(
        "The operation cannot be completed: Another model is using the record you are trying to delete.\n\n"
        f"The troublemaker is: '{label}' ({model})\n"
        f"Thanks to the following constraint: '{field_label}' ({field})\n"
        "How about archiving the record instead?"
    )


def foreign_key(label: str, model: str, constraint: str, major: int = 18) -> OdooError:
    """Make the error of a reference to, or from, a record that is not there (recorded: 14, 17, 18)."""
    where = f"Model: {label} ({model})\nConstraint: {constraint}\n"
    return validation_error(
        "The operation cannot be completed: another model requires the record being deleted. "
        f"If possible, archive it instead.\n\n{_in_one_line(where) if major <= 14 else where}"
    )


def _in_one_line(where: str) -> str:
    return where.rstrip("\n").replace("\n", ", ")


def constraint(message: str) -> OdooError:
    """Make the error of a constraint of the database that has a text of its own."""
    return validation_error(f"The operation cannot be completed: {message}")


def unknown_field(field: str, model: str, place: str = "on model") -> OdooError:
    """Make the error of a field that the model does not have; 19 names another *place* (recorded)."""
    return value_error(f"Invalid field {field!r} {place} {model!r}")


def wrong_value(model: str, field: str, value: Any) -> OdooError:
    """Make the error of a value that its field cannot take."""
    return value_error(f"Wrong value for {model}.{field}: {value!r}")


def no_rights(operation: str, label: str, model: str, groups: Sequence[str]) -> OdooError:
    """Make the error of a person who may not do this with any record of the model."""
    if groups:
        allowed = "This operation is allowed for the following groups:\n" + "\n".join(
            f"\t- {group}" for group in groups
        )
    else:
        allowed = "No group currently allows this operation."
    return access_error(
        f"You are not allowed to {_TRIES[operation]} '{label}' ({model}) records.\n\n{allowed}\n\n"
        "Contact your administrator to request access if necessary."
    )


def rule_refuses(operation: str, label: str, model: str, person: str, uid: int) -> OdooError:
    """Make the error of a record rule."""
    return access_error(
        "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\n"
        f"Sorry, {person} (id={uid}) doesn't have '{operation}' access to:\n- {label} ({model})\n\n"
        "If you really, really need access, perhaps you can win over your friendly administrator "
        "with a batch of freshly baked cookies."
    )
