"""Wheels of what is installed here, written from its own files: the same bytes, no network, no pip."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from mastra.cli.output import fail

if TYPE_CHECKING:
    from collections.abc import Iterable

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
# What an installer writes about this machine; a wheel must not carry it.
_OF_THE_INSTALLER = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
# The same files give the same wheel.
_MOMENT = (2020, 1, 1, 0, 0, 0)


class Package(NamedTuple):
    """An installed distribution under its normal name."""

    name: str
    version: str
    found: metadata.Distribution


def requirements(folder: Path) -> list[str]:
    """What an application asks for in its pyproject.toml, and mastra."""
    file = folder / "pyproject.toml"
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {}) if file.is_file() else {}
    except (ValueError, OSError) as error:
        raise fail(f"{file.name} cannot be read: {error}.") from None
    return ["mastra", *project.get("dependencies", [])]


def closure(wanted: Iterable[str]) -> list[Package]:
    """The installed distributions that these requirements need, with those that they need in turn."""
    found: dict[str, Package] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(wanted)
    while waiting:
        match = _REQUIREMENT.match(waiting.pop())
        if match is None:
            continue
        name = re.sub(r"[-_.]+", "-", match[1]).lower()
        extras = frozenset(part.strip() for part in (match[2] or "").split(",") if part.strip())
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            there = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system, or an extra that nobody asked for
        found[name] = Package(name, there.version, there)
        for line in there.requires or ():
            extra = _EXTRA.search(line)
            if extra is None or extra[1] in extras:
                waiting.append(line)
    return [found[name] for name in sorted(found)]


def write_wheel(package: Package, folder: Path) -> Path:
    """A wheel of an installed distribution, in `folder`."""
    source = _editable_source(package.found)
    if source is not None:
        return _build(source, folder)
    tag = _tag(package.found.read_text("WHEEL") or "")
    stem = f"{re.sub(r'[-.]+', '_', package.name)}-{package.version}"
    target = folder / f"{stem}-{tag}.whl"
    rows: list[tuple[str, str, int | str]] = []
    info = ""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, path in _files(package.found, stem):
            data = path.read_bytes()
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (path.stat().st_mode & 0o777 | 0o100000) << 16
            wheel.writestr(entry, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append((name, f"sha256={digest}", len(data)))
            if name.endswith(".dist-info/METADATA"):
                info = name.removesuffix("METADATA")
        record = io.StringIO()
        csv.writer(record, lineterminator="\n").writerows([*rows, (f"{info}RECORD", "", "")])
        wheel.writestr(zipfile.ZipInfo(f"{info}RECORD", _MOMENT), record.getvalue())
    return target


def _files(found: metadata.Distribution, stem: str) -> Iterable[tuple[str, Path]]:
    """The files of a distribution: their names in a wheel, and where they are."""
    scripts = {entry.name for entry in found.entry_points if entry.group in {"console_scripts", "gui_scripts"}}
    for file in sorted(found.files or (), key=str):
        path = Path(str(found.locate_file(file)))
        if path.suffix == ".pyc" or not path.is_file():
            continue
        if file.parts[0] != "..":
            if not (file.parent.name.endswith(".dist-info") and file.name in _OF_THE_INSTALLER):
                yield file.as_posix(), path
        elif path.parent.name in {"bin", "Scripts"}:
            # Those of entry points are made anew where the wheel is installed.
            if path.stem not in scripts:
                yield f"{stem}.data/scripts/{path.name}", path
        else:
            kept = [part for part in file.parts if part != ".."]
            yield f"{stem}.data/data/{'/'.join(kept)}", path


def _tag(text: str) -> str:
    """The tag of a wheel's file name, from its WHEEL file."""
    tags = [line.partition(":")[2].strip().split("-") for line in text.splitlines() if line.startswith("Tag:")]
    if not tags:
        return "py3-none-any"
    return "-".join(".".join(dict.fromkeys(tag[at] for tag in tags)) for at in range(3))


def _editable_source(found: metadata.Distribution) -> Path | None:
    """The folder that an editable installation points to: what is installed is only a pointer."""
    facts = json.loads(found.read_text("direct_url.json") or "{}")
    if not facts.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(facts["url"]).path))


def _build(source: Path, folder: Path) -> Path:
    """A wheel of a source folder, by uv or pip, whichever is there."""
    uv = shutil.which("uv")
    with tempfile.TemporaryDirectory() as scratch:
        command = (
            [uv, "build", "--wheel", "-q", "--python", sys.executable, "--out-dir", scratch, str(source)]
            if uv is not None
            else [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", scratch, str(source)]
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        made = list(Path(scratch).glob("*.whl"))
        if done.returncode != 0 or not made:
            reason = (done.stderr or done.stdout).strip()[-400:]
            raise fail(f"{source} is installed as a folder and its wheel cannot be built: {reason}", "Use --no-wheels.")
        return Path(shutil.move(made[0], folder / made[0].name))
