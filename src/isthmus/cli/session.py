"""What one run of a command works with: settings, hub, run ID, output; and how an error ends it."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

import typer

from isthmus.cli.log import start_log
from isthmus.cli.output import Output
from isthmus.cli.user import user_name
from isthmus.errors import DatabaseBusyError, IsthmusError, SettingsError

# Not to hide a cycle: these bring SQLAlchemy, which `isthmus --help` shall not wait for.
if TYPE_CHECKING:
    from isthmus.env import Env
    from isthmus.hub import Hub
    from isthmus.settings import Settings

_FILE: Final = "isthmus.toml"
_LEVELS: Final = ("CRITICAL", "INFO", "DEBUG")
"""What -v asks for, by how often it is given."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The options that every command has.

    Attributes:
        as_json: Print one JSON document instead of tables.
        verbose: How much more to log.
        debug: Show tracebacks.
        settings: The settings file.
    """

    as_json: bool = False
    verbose: int = 0
    debug: bool = False
    settings: Path | None = None

    def over(self, above: "Shared") -> "Shared":
        """Join what stood behind a command's name with what stood before it.

        >>> Shared(verbose=1).over(Shared(as_json=True, verbose=1)).verbose
        2
        """
        return Shared(
            as_json=self.as_json or above.as_json,
            verbose=self.verbose + above.verbose,
            debug=self.debug or above.debug,
            settings=self.settings or above.settings,
        )


class Session:
    """One run of a command.

    Args:
        shared: The options that every command has.

    Attributes:
        run_id: Names the run in the log, in the jobs it delays and in the journal.
        out: Where results go.
        log_level: Threshold of the log when the settings say nothing.
        log_keys: What stands on each line of the log beside the run.
    """

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.run_id = uuid4().hex[:12]
        self.out = Output(as_json=shared.as_json)
        self.log_level = "ERROR"
        self.log_keys: dict[str, Any] = {}
        self._open = ExitStack()
        self._logs_from: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # -- parts -------------------------------------------------------------------------

    @property
    def settings_file(self) -> Path:
        """Where the settings are, or would be."""
        return self.shared.settings or Path(_FILE)

    @cached_property
    def settings(self) -> "Settings":
        """The settings; the log begins with them.

        Raises:
            SettingsError: When there are none, or they are wrong.
        """
        from isthmus.settings import Settings

        named = self.shared.settings is not None or "ISTHMUS_DATABASE_URL" in os.environ
        if not named and not self.settings_file.exists():
            # Defaults alone would make an empty database wherever one happens to stand.
            raise SettingsError(
                f"there is no {_FILE} in {Path.cwd()}: run `isthmus init` here, or name the file by "
                f"--settings PATH"
            )
        settings = Settings.load(self.shared.settings)
        # What nobody has set is the command's own affair: one that ends by a sentence logs little.
        self.start_log(settings.log_level if "log_level" in settings.model_fields_set else self.log_level)
        return settings

    def begin_run(self) -> None:
        """Begin another run in the same process, with an ID of its own."""
        self.run_id = uuid4().hex[:12]
        if self._logs_from is not None:
            self.start_log(self._logs_from)

    def start_log(self, level: str) -> None:
        """Log to standard error from now on, from a level on, or from the one that -v asks for."""
        self._logs_from = level
        start_log((level, _LEVELS[min(self.shared.verbose, len(_LEVELS) - 1)]), self.run_id, **self.log_keys)

    @cached_property
    def raw_hub(self) -> "Hub":
        """The hub, whatever state its database is in."""
        from isthmus.hub import Hub

        return self._open.enter_context(Hub(self.settings))

    @cached_property
    def hub(self) -> "Hub":
        """The hub, its database checked."""
        hub = self.raw_hub
        hub.check()
        return hub

    @contextmanager
    def env(self, *, readonly: bool = False) -> "Iterator[Env]":
        """Open a unit of work of this run, as the user of the machine."""
        with self.hub.env(user=user_name(), readonly=readonly, run_id=self.run_id) as env:
            yield env

    # -- errors ------------------------------------------------------------------------

    def guard(self, action: Callable[[], int | None]) -> int:
        """Do what the command does and tell the exit code; an error becomes one sentence.

        Args:
            action: The command.
        """  # noqa: DOC501 - what typer ends the program by
        try:
            return action() or 0
        except DatabaseBusyError as exc:
            return self._fail(exc, f"{exc}; try again, or look at the setting database_url", exc.exit_code)
        except IsthmusError as exc:
            return self._fail(exc, str(exc), exc.exit_code)
        except KeyboardInterrupt:
            self.out.tell("stopped")
            return 130
        except (BrokenPipeError, typer.Exit, typer.Abort):
            raise  # typer ends quietly
        except OSError as exc:
            return self._fail(exc, f"{exc.strerror or exc}{f': {exc.filename}' if exc.filename else ''}", 1)
        except Exception as exc:  # noqa: BLE001 - the last place where an error can become a sentence
            first = next(iter(str(exc).strip().splitlines()), "")
            what = f"{type(exc).__name__}{': ' if first else ''}{first}"
            return self._fail(exc, f"unexpected {what} (run the command with --debug to see where)", 1)

    def _fail(self, error: Exception, message: str, code: int) -> int:
        if self.shared.debug:
            traceback.print_exception(error, file=sys.stderr)
        return self.fail(type(error).__name__, message, code)

    def fail(self, kind: str, message: str, code: int) -> int:
        """Say why the command failed.

        Args:
            kind: The error's class.
            message: One sentence.
            code: The exit code, which it gives back.
        """
        self.out.error(message)
        self.out.document({
            "error": {"type": kind, "message": message, "exit_code": code},
            "run": self.run_id,
        })
        return code
