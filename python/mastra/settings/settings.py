"""The settings: one frozen object made from defaults, a file, `.env`, the environment and arguments.

Later sources win. Every field has its meaning beside it; `describe()` lists them for the documentation.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, get_type_hints

from mastra.platform import here
from mastra.settings.sources import check_name, find_file, from_environment, from_file, read_dotenv, variable
from mastra.settings.values import Given, convert
from mastra.types.secrets import Secret

_NO_SECRET = Secret("")
_PLATFORM = here()


def _setting(
    default: Any, meaning: str, *, low: float | None = None, high: float | None = None, watched: bool = False
) -> Any:
    """A setting. `watched`: it names a file whose contents belong to the settings."""
    return field(default=default, metadata={"meaning": meaning, "low": low, "high": high, "watched": watched})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The HTTP server."""

    host: str = _setting(_PLATFORM.host, "Address to listen on.")
    port: int = _setting(_PLATFORM.port, "Port to listen on; 0 takes a free one.", low=0, high=65535)
    workers: int = _setting(1, "Server processes.", low=1, high=256)
    api_prefix: str = _setting("/api", "Path before every route.")
    cors_origins: tuple[str, ...] = _setting((), "Origins that browsers may call from; `*` allows all.")
    max_body_bytes: int = _setting(4 * 1024 * 1024, "Longest request body.", low=1024)
    token: Secret = _setting(_NO_SECRET, "A token that every request must carry; empty asks for none.")  # noqa: RUF009 - a field, not a value
    keys_file: str = _setting("", "A TOML or JSON file of API keys (their hashes) and whose they are.", watched=True)
    rate_per_key: float = _setting(0.0, "Requests a second of one key; twice as many at once; 0 is no limit.", low=0)
    rate_per_address: float = _setting(0.0, "The same for one address.", low=0)
    timeout_s: float = _setting(180.0, "Longest wait for an answer that is not streamed.", low=0.1)
    drain_s: float = _setting(20.0, "How long running requests may finish at shutdown.", low=0, high=3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Logging of the command line and the server; as a library mastra leaves logging alone."""

    level: Literal["debug", "info", "warning", "error"] = _setting("info", "Lowest level that is written.")
    format: Literal["console", "json"] = _setting("console", "For people, or one JSON object a line.")
    file: str = _setting("", "Write to this file instead of standard error.")
    rotate_bytes: int = _setting(50 * 1024 * 1024, "Begin a new file at this size; 0 never.", low=0)
    rotate_s: float = _setting(86400.0, "Begin a new file after this time; 0 never.", low=0)
    keep: int = _setting(7, "How many old files are kept.", low=0, high=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, in sections."""

    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    # The names of those that a source has set, whatever to: they win over what an application's code says.
    given: frozenset[str] = frozenset()

    @classmethod
    def load(
        cls,
        file: str | os.PathLike[str] | None = None,
        *,
        dotenv: str | os.PathLike[str] | None = ".env",
        environ: Mapping[str, str] | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Self:
        """The settings of all sources: defaults < `file` < `dotenv` < `environ` < `arguments`.

        Without `file` a `mastra.toml` or `mastra.json` of the working folder is used when there is one. Arguments are
        named `section.field`; those that are None are left out, so a command line can hand over all it has.
        Raises `BadSetting` and `UnknownSetting`, which name the source, with its line where it has lines.
        """
        names = _names()
        values: dict[str, Given] = {}
        path = find_file(file)
        if path is not None:
            values.update(from_file(path, names))
        if dotenv is not None and Path(dotenv).is_file():
            values.update(from_environment(read_dotenv(Path(dotenv)), names, str(dotenv)))
        values.update(from_environment(os.environ if environ is None else environ, names, "the environment"))
        for name, value in (arguments or {}).items():
            if value is not None:
                values[check_name(name, names, "the arguments")] = Given(value, f"the argument {name}")
        return cls._of(values)

    @classmethod
    def _of(cls, values: Mapping[str, Given]) -> Self:
        sections = {}
        for section in _sections():
            kind: Any = type(section.default)
            hints = get_type_hints(kind)
            given = {}
            for item in dataclasses.fields(kind):
                found = values.get(f"{section.name}.{item.name}")
                if found is not None:
                    given[item.name] = convert(f"{section.name}.{item.name}", found, hints[item.name], item.metadata)
            sections[section.name] = kind(**given)
        return cls(**sections, given=frozenset(values))

    def files(self) -> list[Path]:
        """The files beside the settings file whose contents belong to the settings."""
        return [
            Path(value)
            for section in _sections()
            for item in dataclasses.fields(getattr(self, section.name))
            if item.metadata["watched"] and (value := getattr(getattr(self, section.name), item.name))
        ]

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """All values as plain data, secrets masked: for `mastra settings` and bug reports."""
        return {
            section.name: {
                item.name: str(value) if isinstance(value := getattr(part, item.name), Secret) else value
                for item in dataclasses.fields(part)
            }
            for section in _sections()
            for part in [getattr(self, section.name)]
        }


def _sections() -> Iterator[dataclasses.Field[Any]]:
    """The fields of `Settings` that are sections."""
    return (item for item in dataclasses.fields(Settings) if dataclasses.is_dataclass(item.default))


class Description(NamedTuple):
    """One setting, for people."""

    name: str
    variable: str
    type: str
    default: str
    meaning: str


def describe() -> Iterator[Description]:
    """Every setting, in order."""
    for section in _sections():
        kind: Any = type(section.default)
        for item in dataclasses.fields(kind):
            default = item.default
            shown = "" if isinstance(default, Secret) else json.dumps(default)
            name = f"{section.name}.{item.name}"
            yield Description(name, variable(name), str(item.type), shown, item.metadata["meaning"])


def _names() -> dict[str, str]:
    return {item.name: item.variable for item in describe()}
