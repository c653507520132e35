"""Descriptions of parameters from docstrings in Google, NumPy or reST style."""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

_GOOGLE = re.compile(r"^(args|arguments|parameters|params):\s*$", re.IGNORECASE)
_SECTION = re.compile(
    r"^(returns?|raises|yields?|examples?|notes?|attributes|see also|references|warnings?):?\s*$", re.IGNORECASE
)
_GOOGLE_ITEM = re.compile(r"^(\*{0,2}\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_REST_ITEM = re.compile(r"^:(?:param|parameter|arg|argument|key)\s+(?:[^:]*\s)?(\w+)\s*:\s*(.*)$")
_REST_ANY = re.compile(r"^:(\w+)[^:]*:")
_NUMPY_ITEM = re.compile(r"^(\w+(?:\s*,\s*\w+)*)\s*(?::.*)?$")
_RULE = re.compile(r"^-{3,}\s*$")


class Doc(NamedTuple):
    """A docstring taken apart."""

    description: str
    parameters: dict[str, str]


def read_docstring(text: str | None) -> Doc:
    """The description and what is said about each parameter."""
    if not text:
        return Doc("", {})
    if "\n" not in text:
        return Doc(text.strip(), {})
    lines = inspect.cleandoc(text).splitlines()
    description: list[str] = []
    parameters: dict[str, str] = {}
    index = 0
    while index < len(lines):
        line = lines[index]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if _RULE.match(following) and line.strip():
            if line.strip().lower() in ("parameters", "other parameters"):
                index = _numpy(lines, index + 2, parameters)
            else:
                index = _skip_numpy(lines, index + 2)
        elif _GOOGLE.match(line):
            index = _google(lines, index + 1, parameters)
        elif _SECTION.match(line) and (following.startswith((" ", "\t")) or not following):
            index += 1
            while index < len(lines) and (not lines[index] or lines[index][0].isspace()):
                index += 1
        elif _REST_ANY.match(line):
            index = _rest(lines, index, parameters)
        else:
            description.append(line)
            index += 1
    return Doc(
        "\n".join(description).strip(), {name.lstrip("*"): " ".join(said.split()) for name, said in parameters.items()}
    )


def _google(lines: list[str], index: int, parameters: dict[str, str]) -> int:
    indent: int | None = None
    name = ""
    while index < len(lines):
        line = lines[index]
        if line and not line[0].isspace():
            break
        depth = len(line) - len(line.lstrip())
        if line.strip():
            indent = depth if indent is None else indent
            item = _GOOGLE_ITEM.match(line.strip()) if depth <= indent else None
            if item:
                name = item[1]
                parameters[name] = item[2]
            elif name:
                parameters[name] += " " + line.strip()
        index += 1
    return index


def _numpy(lines: list[str], index: int, parameters: dict[str, str]) -> int:
    names: list[str] = []
    while index < len(lines):
        line = lines[index]
        if index + 1 < len(lines) and _RULE.match(lines[index + 1]):
            break
        if line and not line[0].isspace():
            item = _NUMPY_ITEM.match(line)
            if item is None:
                break
            names = [name.strip() for name in item[1].split(",")]
            parameters.update(dict.fromkeys(names, ""))
        else:
            for name in names:
                parameters[name] += " " + line.strip()
        index += 1
    return index


def _skip_numpy(lines: list[str], index: int) -> int:
    while index < len(lines) and not (index + 1 < len(lines) and _RULE.match(lines[index + 1])):
        index += 1
    return index


def _rest(lines: list[str], index: int, parameters: dict[str, str]) -> int:
    item = _REST_ITEM.match(lines[index])
    if item:
        parameters[item[1]] = item[2]
    index += 1
    while index < len(lines) and lines[index].startswith((" ", "\t")):
        if item:
            parameters[item[1]] += " " + lines[index].strip()
        index += 1
    return index
