"""Settings: read once from ``isthmus.toml`` and the environment, validated, then frozen."""

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
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


class JobSettings(BaseModel):
    """Settings of the queue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    no_delay: bool = False
    """Run delayed methods at once instead of storing them (tests, scripts)."""
    threads: int = Field(default=4, ge=1)
    """Threads of each process of ``isthmus worker``."""
    lease_s: float = Field(default=60, gt=0)
    """Seconds after which a job of a worker that gives no sign may be claimed again."""
    grace_s: float = Field(default=30, ge=0)
    """Seconds that running jobs may go on after a worker was told to stop; then they are handed back."""


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
    poll_s: float = Field(default=60, gt=0)
    """Seconds between two polls of a backend by a running worker."""
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

    @property
    def poll_every(self) -> timedelta:
        """Time between two polls of a backend."""
        return timedelta(seconds=self.poll_s)

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
        return f"an ISTHMUS_ environment variable cannot be read: {error}"
    first = error.errors()[0]
    name = ".".join(str(p) for p in first["loc"])
    variable = f"the environment variable ISTHMUS_{name.upper().replace('.', '__')}"
    where = f"{file} or {variable}" if file else variable
    if first["type"] == "extra_forbidden":
        return f"unknown setting {name!r} in {where}{near(name, cls.model_fields)}"
    return f"setting {name!r} in {where} is wrong: {first['msg']}"
