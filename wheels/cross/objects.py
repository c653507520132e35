"""Reads the objects of an x86-64 build: any such processor must be able to start the module, whoever built it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

# The files that may hold wide instructions, each chosen at run time.
SETS = re.compile(r"avx\w*\.cpp\.o(bj)?")
# Every instruction of AVX and what came after begins with a v; two of the oldest do as well.
_WIDE = re.compile(r"^\s*[0-9a-f]+:\s+(v(?!er[rw]\b)\w+)", re.MULTILINE)
_THIS_MACHINE = re.compile(r"-m(?:arch|cpu|tune)=native")


def wide_instructions(file: Path) -> set[str]:
    """The instructions beyond SSE in an object."""
    command = ["objdump", "-d", "--no-show-raw-insn", file]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(_WIDE.findall(done.stdout))


def build_complaints(build: Path) -> list[str]:
    """What in a build folder of x86-64 fits some processors only."""
    if shutil.which("objdump") is None:
        return ["objdump is not installed: apt-get install binutils"]
    objects = [path for path in sorted(build.rglob("*.o*")) if re.search(r"\.cpp\.o(bj)?$", path.name)]
    out = [] if objects else [f"no objects in {build}"]
    for file in objects:
        found = wide_instructions(file)
        if SETS.fullmatch(file.name):
            # An empty answer would mean that objdump cannot read these objects.
            out += [] if found else [f"{file.name} has no wide instruction"]
        elif found:
            out.append(f"{file.name} uses {', '.join(sorted(found)[:3])}")
    plans = (path.read_text(encoding="utf-8") for path in build.rglob("build.ninja"))
    told = {flag for plan in plans for flag in _THIS_MACHINE.findall(plan)}
    return [*out, *(f"compiled with {flag}" for flag in sorted(told))]
