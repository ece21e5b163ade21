"""Settings: read once from ``isthmus.toml`` and the environment, validated, then frozen."""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import (
    SettingsError as PydanticSettingsError,
)

from isthmus.errors import SettingsError, near

FILE_NAME = "isthmus.toml"
CHANNEL_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
"""How a lane is named."""
LARGEST_CAPACITY: Final = 10_000
"""More would be no bound but a list to search."""

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_LONGEST_S: Final = 100 * 365 * 86_400.0


def seconds(value: Any) -> float:
    """Read a length of time.

    Args:
        value: Seconds, or text with a unit: ``500ms``, ``1s``, ``15m``, ``2h``, ``30d``.

    Raises:
        ValueError: When it is neither, or negative.

    >>> seconds("1.5m"), seconds(2)
    (90.0, 2.0)
    """
    length = -1.0
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        length = float(value)
    elif found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?", str(value).strip()):
        length = float(found[1]) * _UNITS[found[2] or "s"]
    if not 0 <= length <= _LONGEST_S:
        raise ValueError(f"a length of time is seconds, or like 500ms, 1s, 15m, 2h, 30d; not {value!r}")
    return length


def capacity(value: Any) -> Any:
    """Read the capacity of a lane.

    Args:
        value: A number from 1 on, or ``unlimited``.

    Raises:
        ValueError: When it is neither; says what to write instead of 0.

    >>> capacity("2"), capacity("unlimited")
    (2, 'unlimited')
    """
    if value is None or value == "unlimited":
        return value
    text = "" if isinstance(value, bool) else str(value)
    if not re.fullmatch(r"\d{1,9}", text) or int(text) > LARGEST_CAPACITY:
        raise ValueError(f"a capacity is a number from 1 to {LARGEST_CAPACITY}, or unlimited; not {value!r}")
    if int(text) == 0:
        raise ValueError("capacity 0 could mean two things: say paused to stop a lane, or unlimited")
    return int(text)


Seconds = Annotated[float, BeforeValidator(seconds)]
Capacity = Annotated[int | Literal["unlimited"] | None, BeforeValidator(capacity)]


class ChannelSettings(BaseModel):
    """What the settings say of one lane; None says nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    capacity: Capacity = None
    """How many of its jobs, and of those in lanes below it, run at the same time anywhere."""
    paused: bool | None = None
    """True: none of them is begun."""
    sequential: bool | None = None
    """True: one after the other in order, and none past a failed one."""
    throttle: Seconds | None = None
    """Time at least between two beginnings."""
    keep_done: Seconds | None = None
    """Time after which its ended jobs are removed."""
    default_capacity: Capacity = None
    """Capacity of each lane directly below it that sets none itself."""
    default_sequential: bool | None = None
    """The same for `sequential`."""

    @model_validator(mode="after")
    def _one_by_one(self) -> "ChannelSettings":
        if self.sequential and self.capacity not in {None, 1}:
            raise ValueError("a sequential lane runs one job at a time: leave capacity out, or set it to 1")
        return self


def _channels(value: Any) -> Any:
    """Give each lane its full name.

    Raises:
        ValueError: When it is no table, or a name is malformed or there twice; says what to write instead.
    """
    if not isinstance(value, Mapping):
        raise ValueError('lanes are tables, such as [job.channels."root.trello"] with capacity = 2')  # noqa: TRY004 - pydantic's
    named: dict[str, Any] = {}
    for name, wishes in value.items():
        if not isinstance(name, str) or not CHANNEL_NAME.fullmatch(name):
            raise ValueError(f"a channel is named like root.trello.import, not {name!r}")
        full = name if name == "root" or name.startswith("root.") else f"root.{name}"
        if not isinstance(wishes, (Mapping, ChannelSettings)):
            raise ValueError(f'{full} is a table: [job.channels."{full}"] with capacity = 2 and such')  # noqa: TRY004
        if isinstance(wishes, Mapping) and (
            inner := [k for k, v in wishes.items() if isinstance(v, Mapping)]
        ):
            raise ValueError(f'put the name in quotes: [job.channels."{name}.{inner[0]}"]')
        if full in named:
            raise ValueError(f"{full} is there twice, with and without the prefix root.")
        named[full] = wishes
    return named


class JobSettings(BaseModel):
    """Settings of the queue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    no_delay: bool = False
    """Run delayed methods at once instead of storing them (tests, scripts)."""
    threads: int = Field(default=4, ge=1)
    """Threads of each process of ``isthmus worker``."""
    lease_s: float = Field(default=60, gt=0)
    """Seconds after which a job of a worker that gives no sign may be claimed again."""
    keep_done: Seconds = 2_592_000
    """Time after which ended jobs are removed, unless their lane says otherwise."""
    channels: Annotated[Mapping[str, ChannelSettings], BeforeValidator(_channels)] = {}
    """Lanes and their rules; what is set at run time (``isthmus channel set``) wins."""
    grace_s: float = Field(default=30, ge=0)
    """Seconds that running jobs may go on after a worker was told to stop; then they are handed back."""
    force_s: float = Field(default=10, ge=0)
    """Seconds that a job which was cancelled, or took too long, has to stop; then its process is ended."""
    schedules: dict[str, str] = {}
    """When methods marked with ``@cron`` are due, by model and method, instead of what the code says."""


class StoreSettings(BaseModel):
    """Models of ours that live in an Odoo."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    """Name of the ``odoo.backend`` that says where the Odoo is and who we are there."""
    models: tuple[str, ...] = Field(min_length=1)
    """Names of the models that live there."""
    lag: Seconds = 300
    """How long a transaction there may last: changes are looked for again for so long."""
    context: Mapping[str, Any] = {}
    """Added to the context of every call, such as allowed_company_ids."""


class Settings(BaseSettings):
    """What a hub needs to know.

    Each field can be set in ``isthmus.toml`` under its name, or in the environment as
    ``ISTHMUS_<NAME>`` (nested: ``ISTHMUS_JOB__THREADS``), which wins.
    """

    model_config = SettingsConfigDict(
        env_prefix="ISTHMUS_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    database_url: SecretStr = SecretStr("sqlite:///isthmus.db")
    """SQLAlchemy URL of the hub's database. Secret because it may carry a password."""
    key_file: Path = Path("isthmus.key")
    """File with the encryption keys, newest first, one per line; mode 0600."""
    plugins: tuple[str, ...] = ("trello",)
    """Names of the connector plugins that are enabled in this database."""
    models: tuple[str, ...] = ("project",)
    """Bundled groups of record models that live in the hub's own database."""
    stores: Mapping[str, StoreSettings] = {}
    """Stores of ours outside the hub's own database, a table for each: ``[stores.company]``."""
    poll_s: float = Field(default=60, gt=0)
    """Seconds between two polls of a backend by a running worker."""
    full_walk: str = "30 2 * * *"
    """When everything on a backend is walked through, also to find deletions: a cron expression in UTC, a
    period or ``off``."""
    id_walk_s: Seconds = 900
    """Time between two walks over the IDs of records of ours in a store that tells of no deletion; 0: each
    poll."""
    page_size: int = Field(default=500, ge=1, le=5_000)
    """Records per page of an import."""
    log_level: str = "WARNING"
    """Threshold of the log on standard error."""
    job: JobSettings = JobSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what `load` has put together."""
        return (init_settings,)

    @classmethod
    def load(cls, path: Path | None = None, **overrides: Any) -> "Settings":
        """Read the settings.

        Relative paths in the file, also of a SQLite database, are relative to the file.

        Args:
            path: The TOML file; None takes ``isthmus.toml`` of the working directory if it is there.
            overrides: Values that win over everything (command line, tests).

        Raises:
            SettingsError: When the file is missing or malformed, or a value does not fit; names it.
        """
        file = path or Path(FILE_NAME)
        values: dict[str, Any] = {}
        if file.exists():
            values = _read(file)
        elif path is not None:
            raise SettingsError(f"settings file {path} does not exist: run `isthmus init`")
        try:
            environment = EnvSettingsSource(cls)()
            return cls(**_merged(_merged(values, environment), overrides))
        except (ValidationError, PydanticSettingsError) as exc:
            raise SettingsError(_explain(exc, file if values else None, cls)) from exc


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if nested else value
    return merged


def _read(file: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise SettingsError(f"settings file {file} cannot be read: {exc}") from exc
    base = file.resolve().parent
    if "key_file" in values:
        values["key_file"] = str(base / str(values["key_file"]))
    url = str(values.get("database_url", ""))
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        values["database_url"] = f"sqlite:///{base / url.removeprefix('sqlite:///')}"
    return values


def _explain(
    error: ValidationError | PydanticSettingsError, file: Path | None, cls: type[BaseSettings]
) -> str:
    if isinstance(error, PydanticSettingsError):
        hint = ""
        if "ISTHMUS_JOB__CHANNELS" in {name.upper() for name in os.environ}:
            hint = '; ISTHMUS_JOB__CHANNELS is JSON, such as {"root.trello": {"capacity": 2}}'
        return f"an ISTHMUS_ environment variable cannot be read: {error}{hint}"
    first = error.errors()[0]
    path, known = _place(first["loc"], cls)
    name = ".".join(path)
    # The names of lanes stand in the variable's value.
    variable = "__".join(path[:2] if path[:2] == ["job", "channels"] else path).upper()
    where = f"the environment variable ISTHMUS_{variable}"
    where = f"{file} or {where}" if file else where
    if first["type"] == "extra_forbidden":
        return f"unknown setting {name!r} in {where}{near(path[-1], known)}"
    return f"setting {name!r} in {where} is wrong: {first['msg'].removeprefix('Value error, ')}"


def _place(loc: Sequence[int | str], cls: type[BaseModel]) -> tuple[list[str], Iterable[str]]:
    """Spell where a value is, and tell which names there are where its name is looked up."""
    path = [str(part) for part in loc]
    if path[:2] == ["job", "channels"]:
        quoted = [*path[:2], *(f'"{name}"' for name in path[2:3]), *path[3:4]]
        return quoted, ChannelSettings.model_fields
    if path[0] == "stores" and len(path) > 2:
        return path, StoreSettings.model_fields
    return path, JobSettings.model_fields if path[0] == "job" and len(path) > 1 else cls.model_fields
