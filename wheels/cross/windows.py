"""What a Windows module is built against where there is no Windows: CPython's headers, and an import library of them.

Both come out of Debian's source package of Python, which carries the Windows files of the same version.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from toolchain import zig_path

_DECLARED = re.compile(r"PyAPI_(FUNC|DATA)\((?:[^()]|\([^()]*\))*\)[\s(*]*(\w+)")

# How dlltool calls the processors.
_MACHINES = {"AMD64": "i386:x86-64", "ARM64": "arm64"}


def windows_headers(source: Path, folder: Path) -> Path:
    """CPython's headers with the configuration of Windows among them."""
    include = folder / "include"
    shutil.rmtree(include, ignore_errors=True)
    shutil.copytree(source / "Include", include)
    shutil.copy2(source / "PC" / "pyconfig.h", include)
    return include


def exports(include: Path) -> str:
    """The module definition of the interpreter's library: every function and datum that its headers declare."""
    names: dict[str, str] = {}
    for header in sorted(include.rglob("*.h")):
        for kind, name in _DECLARED.findall(header.read_text(encoding="utf-8")):
            names[name] = " DATA" if kind == "DATA" else ""
    return "".join(f"    {name}{kind}\n" for name, kind in sorted(names.items()))


def import_library(include: Path, tool: Path, version: str, machine: str, folder: Path) -> Path:
    """The library that tells the linker what python3xx.dll will have."""
    definition = folder / f"python{version}.def"
    definition.write_text(f"LIBRARY python{version}.dll\nEXPORTS\n{exports(include)}", encoding="utf-8")
    library = folder / f"libpython{version}.a"
    command = [zig_path(tool), "dlltool", "-m", _MACHINES[machine], "-d", definition, "-l", library]
    subprocess.run(command, check=True)
    return library
