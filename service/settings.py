"""The configuration: layers of files, environment and command line, merged, validated, and traceable.

Every value knows which layer it came from (`origin`), and every name that is not known is refused with
the nearest one that is: a typo in a deployment is an error at the start, not a default in production.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from service import sections
from service.errors import SettingsError
from service.resources import checkout, config_dir

PREFIX = "ANNALS_"
# These name a layer instead of a value of one.
STEERING = {"ANNALS_ENV", "ANNALS_CONFIG"}
# Below these the next name is free.
FREE_NAMES = ("ANNALS_TASK_TYPES__", "ANNALS_SCHEDULES__")

Layer = tuple[str, dict[str, Any]]


class Settings(BaseSettings):
    """All values in force; frozen. Build it with `load`, which knows the layers."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_parse_none_str="null",
        enable_decoding=False,
    )

    environment: str
    home: Annotated[Path, AfterValidator(lambda home: home.expanduser().absolute())]
    database: sections.DatabaseSettings
    api: sections.ApiSettings
    worker: sections.WorkerSettings
    relay: sections.RelaySettings
    retention: sections.RetentionSettings
    events: sections.EventSettings
    wakeup: sections.WakeupSettings
    background_tasks: sections.BackgroundTaskSettings
    coverage: sections.CoverageSettings
    webhooks: sections.WebhookSettings
    task_types: dict[str, sections.TaskTypeSettings]
    schedules: dict[str, sections.ScheduleSettings]
    log: sections.LogSettings
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the merged layers as they are: `load` has read the environment already."""
        return (init_settings,)

    def origin(self, path: str) -> str:
        """Which layer set the value at a dotted path, as in `database.url`; "default" when none did."""
        return self._origins.get(path, "default")


def load(overrides: Mapping[str, object] | None = None) -> Settings:
    """Read every layer and validate the result.

    `overrides` maps dotted paths to values (`{"api.port": 0}`) and wins over everything; its origin is
    "command line". Raises SettingsError, naming the layer, for whatever is unknown or does not fit.
    """
    given = dict(overrides or {})
    environment = str(given.pop("environment", None) or os.environ.get("ANNALS_ENV") or "development")
    layers = [*_file_layers(environment), *_environment_layers(), ("command line", _nest(given))]
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, values in layers:
        _merge(merged, values)
        origins |= {path: name for path, _ in flatten(values)}
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        raise _explain(error, origins) from None
    settings._origins.update(_name_variables(origins))
    return settings


def recorded(values: Mapping[str, Any]) -> Settings:
    """The settings that another process had, as `Settings.model_dump` gave them, or by dotted paths.

    Nothing of this machine is read but default.toml, for names that it did not have yet; names that are not
    known here are left out. Raises SettingsError for values that do not fit.
    """
    known = set(known_paths())
    given = {
        path: value for path, value in flatten(values) if path in known or path.startswith("task_types.")
    }
    merged: dict[str, Any] = {"environment": "development", "home": Path.home()}
    origins: dict[str, str] = {}
    for name, layer in (("default.toml", _read(config_dir() / "default.toml")), ("record", _nest(given))):
        _merge(merged, layer)
        origins |= {path: name for path, _ in flatten(layer)}
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        raise _explain(error, origins) from None
    settings._origins.update(origins)
    return settings


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings as (dotted path, value), in order."""
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{path}.")
        else:
            yield path, value


def _file_layers(environment: str) -> Iterator[Layer]:
    home = (checkout() or Path("~/.local/share").expanduser()) / ("var" if checkout() else "annals")
    yield "default", {"environment": environment, "home": home}
    yield "default.toml", _read(config_dir() / "default.toml")
    known = sorted(path.stem for path in (config_dir() / "environments").glob("*.toml"))
    if environment not in known:
        raise SettingsError(
            f"There is no environment {environment!r}.", hint=f"Known are {', '.join(known)}."
        )
    yield f"environments/{environment}.toml", _read(config_dir() / "environments" / f"{environment}.toml")
    if path := os.environ.get("ANNALS_CONFIG"):
        yield path, _read(Path(path))


def _environment_layers() -> Iterator[Layer]:
    if url := os.environ.get("DATABASE_URL"):
        yield "DATABASE_URL", {"database": {"url": url}}
    _refuse_unknown_variables()
    values = EnvSettingsSource(Settings)()
    values.pop("environment", None)
    yield "environment", values


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"Cannot read {path}: {error.strerror}.", hint="Check ANNALS_CONFIG.") from None
    except ValueError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from None


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = dict(value) if isinstance(value, Mapping) else value


def _nest(paths: Mapping[str, object]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in paths.items():
        *parents, last = path.split(".")
        inner = nested
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return nested


def known_paths() -> list[str]:
    """Every dotted path that has a value, without the free names below task_types and schedules."""
    paths = []
    for name, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        paths += [f"{name}.{leaf}" for leaf in inner] if inner else [name]
    return paths


def variable(path: str) -> str:
    """The environment variable that sets a dotted path."""
    return "ANNALS_ENV" if path == "environment" else PREFIX + path.upper().replace(".", "__")


def _refuse_unknown_variables() -> None:
    known = STEERING | {variable(path) for path in known_paths()}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known and not name.startswith(FREE_NAMES):
            raise SettingsError(f"Unknown variable {name}.", hint=_nearest(name, known))


def _name_variables(origins: Mapping[str, str]) -> dict[str, str]:
    return {path: variable(path) if name == "environment" else name for path, name in origins.items()}


def _explain(error: ValidationError, origins: Mapping[str, str]) -> SettingsError:
    """Say the first thing that is wrong, where it was said, and what would be right."""
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    named = _name_variables({p: o for p, o in origins.items() if p == path or p.startswith(f"{path}.")})
    place = " and ".join(sorted({*named.values()} - {"default.toml"})) or "default.toml"
    if first["type"] == "extra_forbidden":
        return SettingsError(f"Unknown setting {path} (from {place}).", hint=_nearest(path, known_paths()))
    message = first["msg"].removeprefix("Value error, ")
    return SettingsError(f"Setting {path} (from {place}): {message}.", hint="See config/default.toml.")


def _nearest(name: str, known: "set[str] | list[str]") -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else "Run `annals config` for every name there is."
