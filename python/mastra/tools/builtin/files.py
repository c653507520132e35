"""Files inside one folder: read, write, list, search. No path leads out of it, not by `..`, not by a link."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from mastra.errors import AccessDenied, InvalidInput, NotFound
from mastra.tools.tool import Tool, tool

MAX_BYTES = 1_000_000


class Root:
    """A folder that tools may not leave."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).resolve()
        if not self.folder.is_dir():
            raise NotFound(f"The folder {self.folder} does not exist.", hint="Make it first.")

    def path(self, given: str) -> Path:
        """The real path of a name inside the folder; links that lead out are refused."""
        if "\0" in given or len(given) > 1000:
            raise InvalidInput("This is not a path.")
        path = (self.folder / given.lstrip("/\\")).resolve()
        if not path.is_relative_to(self.folder):
            raise AccessDenied(f"{given[:80]!r} lies outside of the folder.", hint="Use paths inside of it.")
        return path

    def shown(self, path: Path) -> str:
        """The path as tools name it."""
        return path.relative_to(self.folder).as_posix()


def file_tools(folder: str | os.PathLike[str], *, write: bool = False) -> list[Tool]:
    """Tools for the files of a folder; those that change something only with `write=True`."""
    root = Root(folder)

    @tool
    def read_file(path: str, start_line: int = 1, lines: int = 2000) -> str:
        """Read a text file, or some of its lines (counted from 1)."""
        return _read(root, path, start_line, lines)

    @tool
    def list_files(path: str = ".", pattern: str = "*") -> list[dict[str, Any]]:
        """The files of a folder that fit a pattern like "*.txt" or "**/*.md": path, size and kind."""
        return _list(root, path, pattern)

    @tool
    def find_in_files(text: str, pattern: str = "**/*", ignore_case: bool = True) -> list[dict[str, Any]]:
        """The lines that contain a text, in the files that fit a pattern: path, line and text (at most 200)."""
        return _find(root, text, pattern, ignore_case=ignore_case)

    @tool
    def file_info(path: str) -> dict[str, Any]:
        """Size, kind and time of the last change of a file."""
        found = root.path(path)
        if not found.exists():
            raise NotFound(f"There is no file {path[:80]!r}.")
        facts = found.stat()
        kind = "folder" if stat.S_ISDIR(facts.st_mode) else "file"
        return {"path": root.shown(found), "kind": kind, "size": facts.st_size, "changed": facts.st_mtime}

    reading = [read_file, list_files, find_in_files, file_info]
    return [*reading, *_writing(root)] if write else reading


def _writing(root: Root) -> list[Tool]:
    @tool
    def write_file(path: str, text: str, overwrite: bool = False) -> dict[str, Any]:
        """Write a text file; an existing one only with overwrite."""
        found = root.path(path)
        if found.exists() and not overwrite:
            raise InvalidInput(f"{path[:80]!r} exists.", hint="Set overwrite to replace it.")
        return _write(root, found, text)

    @tool
    def append_to_file(path: str, text: str) -> dict[str, Any]:
        """Add text to the end of a file."""
        found = root.path(path)
        before = found.read_text(encoding="utf-8") if found.exists() else ""
        return _write(root, found, before + text)

    @tool
    def edit_file(path: str, find: str, replace: str) -> dict[str, Any]:
        """Replace a text that occurs exactly once in a file."""
        found = root.path(path)
        before = _text(found, path)
        if before.count(find) != 1 or not find:
            raise InvalidInput(f"The text occurs {before.count(find)} times.", hint="Give a text that occurs once.")
        return _write(root, found, before.replace(find, replace))

    @tool(require_approval=True)
    def delete_file(path: str) -> dict[str, Any]:
        """Delete a file. A person is asked first."""
        found = root.path(path)
        if not found.is_file():
            raise NotFound(f"There is no file {path[:80]!r}.")
        found.unlink()
        return {"deleted": root.shown(found)}

    return [write_file, append_to_file, edit_file, delete_file]


def _text(found: Path, given: str) -> str:
    if not found.is_file():
        raise NotFound(f"There is no file {given[:80]!r}.")
    if found.stat().st_size > MAX_BYTES:
        raise InvalidInput(f"{given[:80]!r} is larger than {MAX_BYTES} bytes.")
    try:
        return found.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{given[:80]!r} is no text file.") from error


def _read(root: Root, path: str, start_line: int, lines: int) -> str:
    text = _text(root.path(path), path)
    kept = text.splitlines(keepends=True)[max(0, start_line - 1) :][: max(0, lines)]
    return "".join(kept)


def _matching(root: Root, start: Path, pattern: str) -> list[Path]:
    if ".." in Path(pattern).parts or pattern.startswith("/"):
        raise AccessDenied("The pattern leads out of the folder.")
    try:
        found = start.glob(pattern)
        return [path for path in sorted(found) if path.resolve().is_relative_to(root.folder)]
    except (ValueError, NotImplementedError) as error:
        raise InvalidInput(f"{pattern[:80]!r} is no pattern.") from error


def _list(root: Root, path: str, pattern: str) -> list[dict[str, Any]]:
    start = root.path(path)
    if not start.is_dir():
        raise NotFound(f"There is no folder {path[:80]!r}.")
    return [
        {"path": root.shown(one), "kind": "folder" if one.is_dir() else "file", "size": one.stat().st_size}
        for one in _matching(root, start, pattern)[:1000]
    ]


def _find(root: Root, text: str, pattern: str, *, ignore_case: bool) -> list[dict[str, Any]]:
    if not text:
        raise InvalidInput("There is nothing to find.")
    wanted = text.lower() if ignore_case else text
    out: list[dict[str, Any]] = []
    for path in _matching(root, root.folder, pattern):
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            continue
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                if wanted in (line.lower() if ignore_case else line):
                    out.append({"path": root.shown(path), "line": number, "text": line.strip()[:300]})
                    if len(out) >= 200:
                        return out
    return out


def _write(root: Root, found: Path, text: str) -> dict[str, Any]:
    data = text.encode()
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"The text is larger than {MAX_BYTES} bytes.")
    found.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: a reader never sees half a file.
    beside = found.with_name(f".{found.name}.{os.getpid()}.tmp")
    beside.write_bytes(data)
    beside.replace(found)
    return {"path": root.shown(found), "size": len(data)}
