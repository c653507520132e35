"""A zig toolchain for one target: compiler wrappers, CMake's toolchain file, the environment of the build."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from targets import Target

ROOT = Path(__file__).resolve().parents[2]

# zig names CPUs, not architectures, after -march: the extensions are handed to its clang one by one.
_WRAPPER = """#!/bin/sh
for a do
  shift
  case "$a" in
    -march=armv8.2-a+*)
      rest=${{a#-march=armv8.2-a}}; IFS=+
      for x in $rest; do [ -n "$x" ] && set -- "$@" -Xclang -target-feature -Xclang "+$x"; done
      unset IFS;;
{replaced}    *) set -- "$@" "$a";;
  esac
done
exec {zig} {tool} -target {target} "$@"
"""
# What CMake says and zig must not hear, with what is said in its place. To learn which compiler this is, CMake links a
# program: that alone would make zig build one more variant of its C++ library, which takes minutes.
_ONLY_COMPILED = {"*CMakeCXXCompilerId.cpp": '-c "$a"'}
_REPLACED = {
    "Linux": {},
    # Libraries of this machine's Python, which CMake takes for a static one.
    "Windows": {"-ldl": "", "-lutil": ""},
    # zig's linker crashes over bundles; Python loads a dynamic library as well.
    "Darwin": {"-bundle": "-shared", "-Wl,-headerpad_max_install_names": ""},
}


class NotHere(Exception):
    """This machine lacks something that the target needs; that is no failure of the build."""


def tools(work: Path, python: Path) -> Path:
    """The interpreter of an environment with the pinned build tools."""
    version, _ = interpreter_facts(python)
    venv = work / f"tools-{version}"
    done = venv / "ready"
    pins = ROOT / "wheels" / "build-requirements.txt"
    if not done.exists() or done.read_bytes() != pins.read_bytes():
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([python, "-m", "venv", venv], check=True)
        subprocess.run(
            [venv / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes",
             "--only-binary", ":all:", "-r", pins], check=True)  # fmt: skip
        done.write_bytes(pins.read_bytes())
    return venv / "bin" / "python"


def zig_path(python: Path) -> str:
    """The compiler inside of the `ziglang` package of that environment."""
    code = "import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), 'zig'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def write_toolchain(target: Target, python: Path, folder: Path) -> Path:
    """The wrappers and the toolchain file in `folder`; the path of that file."""
    folder.mkdir(parents=True, exist_ok=True)
    zig = shlex.quote(zig_path(python))
    replaced = "".join(
        f'    {old}) {f"""set -- "$@" {new}""" if new else ""};;\n'
        for old, new in (_ONLY_COMPILED | _REPLACED[target.system]).items()
    )
    for tool in ("cc", "c++"):
        script(folder / tool, _WRAPPER.format(zig=zig, tool=tool, target=target.zig, replaced=replaced))
    for name in ("ar", "ranlib"):
        script(folder / name, f'#!/bin/sh\nexec {zig} {name} "$@"\n')
    lines = [
        f"set(CMAKE_SYSTEM_NAME {target.system})",
        f"set(CMAKE_SYSTEM_PROCESSOR {target.processor})",
        f"set(CMAKE_C_COMPILER {folder}/cc)",
        f"set(CMAKE_CXX_COMPILER {folder}/c++)",
        f'set(CMAKE_AR {folder}/ar CACHE FILEPATH "")',
        f'set(CMAKE_RANLIB {folder}/ranlib CACHE FILEPATH "")',
        "set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)",
        # CMake's trials only compile, for the same reason.
        "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)",
        # The linker strips; this machine's strip knows no other machine.
        'set(CMAKE_STRIP "" CACHE FILEPATH "")',
    ]
    file = folder / "toolchain.cmake"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def script(path: Path, text: str) -> None:
    """An executable file."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def build_environment(
    target: Target, toolchain: Path, include: Path, version: str, library: Path | None = None
) -> dict[str, str]:
    """What scikit-build-core and CMake must be told to build for another machine."""
    suffix = target.suffix.format(version=version)
    arguments = [
        f"-DCMAKE_TOOLCHAIN_FILE={toolchain}",
        f"-DPython_INCLUDE_DIR={include}",
        f"-DPYTHON_MODULE_EXTENSION={suffix}",
        "-DCMAKE_MODULE_LINKER_FLAGS=-s",
        "-DCMAKE_INTERPROCEDURAL_OPTIMIZATION=OFF",
        *([f"-DPython_LIBRARY={library}"] if library else []),
    ]
    return {
        "SETUPTOOLS_EXT_SUFFIX": suffix,
        "_PYTHON_HOST_PLATFORM": target.host,
        "CMAKE_ARGS": " ".join(arguments),
    }


def plain_headers(python: Path, include: Path, folder: Path) -> Path:
    """The headers for a compiler that does not look in /usr/include.

    Debian's pyconfig.h only includes the one of a folder for each machine; a copy has that one in its place, which
    fits every 64-bit Linux.
    """
    code = "import sysconfig; print(sysconfig.get_config_var('MULTIARCH') or '')"
    machine = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    real = include.parent / machine / include.name / "pyconfig.h"
    if not machine or not real.exists():
        return include
    copy = folder / "include"
    shutil.copytree(include, copy, dirs_exist_ok=True)
    shutil.copy2(real, copy / "pyconfig.h")
    return copy


def interpreter_facts(python: Path) -> tuple[str, Path]:
    """The version as in file names ("311") and the folder of the headers."""
    code = "import sys, sysconfig; print('%d%d' % sys.version_info[:2], sysconfig.get_path('include'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    version, _, include = done.stdout.strip().partition(" ")
    if not (Path(include) / "Python.h").exists():
        sys.exit(f"{python} has no headers in {include}: install its development package.")
    return version, Path(include)
