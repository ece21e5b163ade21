"""How a command is made: its help with examples, and the options that every command has."""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from isthmus.cli.session import Session, Shared

JsonFlag: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output.")
]
Verbosity: TypeAlias = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Log more on standard error; -vv logs most."
    ),
]
DebugFlag: TypeAlias = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
SettingsFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--settings", metavar="PATH", help="Settings file, instead of isthmus.toml in this folder."),
]

__all__ = ["DebugFlag", "JsonFlag", "SettingsFile", "Shared", "Verbosity", "command", "group"]


@dataclass(frozen=True, slots=True)
class _Common:
    name: str
    kind: Any
    default: Any

    def parameter(self) -> inspect.Parameter:
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=self.default, annotation=self.kind
        )


_COMMON = (
    _Common("as_json", JsonFlag, default=False),
    _Common("verbose", Verbosity, default=0),
    _Common("debug", DebugFlag, default=False),
    _Common("settings", SettingsFile, default=None),
)


def group(name: str, *, help: str, examples: Sequence[str] = ()) -> typer.Typer:  # noqa: A002 - the library's word
    """Make a group of commands.

    Args:
        name: What it is called on the command line.
        help: What its commands are about, in one sentence.
        examples: Command lines, with or without a comment.
    """
    return typer.Typer(
        name=name,
        help=help,
        epilog=_epilog(examples),
        no_args_is_help=True,
        # Without markup the help is plain text: `[...]` stays what it is, and rich is not imported for it.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 110},
        add_completion=name == "isthmus",
    )


def command(
    app: typer.Typer, name: str, *, examples: Sequence[str]
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Make a function a command.

    The function's first parameter is a `Session`; the others are typer's. Its docstring is the
    help; what it returns is the exit code, None for 0. The options that every command has
    are added, and stand before or after the command's name.

    Args:
        app: Where the command belongs.
        name: What it is called there.
        examples: Command lines, with or without a comment.
    """

    def register(function: Callable[..., int | None]) -> Callable[..., int | None]:
        own = list(inspect.signature(function).parameters.values())[1:]

        @functools.wraps(function)
        def run(context: typer.Context, **values: Any) -> None:
            given = Shared(**{common.name: values.pop(common.name) for common in _COMMON})
            above = context.obj if isinstance(context.obj, Shared) else Shared()
            with Session(given.over(above)) as session:
                code = session.guard(lambda: function(session, **values))
            raise typer.Exit(code)

        first = inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        )
        keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        shared = [common.parameter() for common in _COMMON]
        run.__signature__ = inspect.Signature([first, *keyword, *shared])  # type: ignore[attr-defined]  # read by typer
        run.__annotations__ = {}
        app.command(name, help=_help(function), epilog=_epilog(examples))(run)
        return function

    return register


def _help(function: Callable[..., Any]) -> str:
    """Take the part of a docstring that is for users."""
    text = inspect.getdoc(function) or ""
    return text.partition("\n\nArgs:")[0].partition("\n\nRaises:")[0]


def _epilog(examples: Sequence[str]) -> str | None:
    # The mark keeps the lines as they are.
    return "\n".join(["\b", "Examples:", *(f"  {example}" for example in examples)]) if examples else None
