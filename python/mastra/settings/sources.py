"""Where settings are written: a TOML or JSON file, a `.env` file, the environment."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from mastra.errors import BadSetting, UnknownSetting, near_miss
from mastra.settings.values import Given

PREFIX = "MASTRA_"
# Looked for in the working folder when no file is named.
FILE_NAMES = ("mastra.toml", "mastra.json")


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.replace(".", "_").upper()


def check_name(name: str, names: Mapping[str, str], source: str) -> str:
    """`name` when it is one of the settings `names`; else an `UnknownSetting` with a suggestion."""
    if name not in names:
        sections = sorted({known.partition(".")[0] for known in names})
        hint = near_miss(name, names) or f"Sections: {', '.join(sections)}."
        raise UnknownSetting(f"There is no setting {name!r} ({source}).", hint=hint, details={"name": name})
    return name


def find_file(file: str | os.PathLike[str] | None) -> Path | None:
    """The settings file: the named one, or the one of the working folder, or None."""
    if file is None:
        return next((path for name in FILE_NAMES if (path := Path(name)).is_file()), None)
    path = Path(file)
    if not path.is_file():
        raise BadSetting(f"The settings file {str(path)!r} is not there.", hint="Check the path.")
    return path


def from_file(path: Path, names: Mapping[str, str]) -> dict[str, Given]:
    """What a file sets; a syntax error, an unknown name and a loose value are refused with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, OSError, RecursionError) as error:
        # Both parsers name the line themselves.
        raise BadSetting(f"The settings file {str(path)!r} cannot be read: {error}.") from error
    if not isinstance(data, dict):
        raise BadSetting(f"The settings file {str(path)!r} is not a table of sections.")
    out: dict[str, Given] = {}
    for section, part in data.items():
        if not isinstance(part, dict):
            where = _place(path, text, section)
            known = {name.partition(".")[0] for name in names}
            raise UnknownSetting(
                f"{section!r} stands outside of a section ({where}).",
                hint=near_miss(section, known) or f"Sections: {', '.join(sorted(known))}.",
            )
        for key, value in part.items():
            where = _place(path, text, key, section)
            out[check_name(f"{section}.{key}", names, where)] = Given(value, where)
    return out


def _place(path: Path, text: str, key: str, section: str = "") -> str:
    """File and line of a key, as well as a search can tell."""
    inside = not section
    header = re.compile(rf'\s*(?:\[\s*"?{re.escape(section)}"?\s*\]|"{re.escape(section)}"\s*:|{re.escape(section)}\.)')
    entry = re.compile(rf'(?:^|[\s{{.,"]){re.escape(key)}"?\s*[=:]')
    for number, line in enumerate(text.splitlines(), 1):
        if section and header.match(line):
            inside = True
        if inside and entry.search(line):
            return f"{path}, line {number}"
    return str(path)


_DOTENV_LINE = re.compile(r"""(?:export\s+)?([A-Za-z_]\w*)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^#]*?)\s*(?:\s#.*)?""")


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a `.env` file: `NAME=value` lines, quotes and `export` allowed, `#` begins a comment."""
    out: dict[str, str] = {}
    for number, raw in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _DOTENV_LINE.fullmatch(line)
        if match is None:
            raise BadSetting(f"{path}, line {number} is not NAME=value.", hint="Quote a value with spaces or #.")
        value = match[2]
        if value.startswith("'"):
            value = value[1:-1]
        elif value.startswith('"'):
            value = re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), value[1:-1])
        out[match[1]] = value
    return out


def from_environment(environ: Mapping[str, str], names: Mapping[str, str], source: str) -> dict[str, Given]:
    """The settings among the variables. A near miss of one is an error; other `MASTRA_` names belong to others."""
    by_variable = {variable(name): name for name in names}
    out = {}
    for key, value in environ.items():
        if key in by_variable:
            out[by_variable[key]] = Given(value, f"{key} in {source}")
        elif key.startswith(PREFIX) and (near := near_miss(key, by_variable, cutoff=0.9)):
            raise UnknownSetting(f"{key} in {source} is no setting.", hint=near, details={"name": key})
    return out
