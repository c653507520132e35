from __future__ import annotations

import subprocess
import sys

import pytest

from mastra.platform import DEFAULTS, detect


def nowhere(path: str) -> bool:
    del path
    return False


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("linux", "linux"),
        ("darwin", "macos"),
        ("win32", "windows"),
        ("android", "android"),
        ("ios", "ios"),
        ("ohos", "harmonyos"),
        ("harmonyos", "harmonyos"),
        ("emscripten", "wasm"),
        ("wasi", "wasm"),
        ("freebsd14", "unknown"),
    ],
)
def test_each_system_has_its_name(system: str, name: str) -> None:
    found = detect(system, machine="aarch64", environ={}, abi="", exists=nowhere)
    assert found.name == name
    assert found.defaults is DEFAULTS[found.name]


def test_openharmony_is_known_although_it_calls_itself_linux() -> None:
    found = detect("linux", machine="aarch64", environ={}, abi="", exists="/system/etc/param/ohos.para".__eq__)
    assert (found.name, found.libc) == ("harmonyos", "musl")


def test_old_android_is_known_although_it_calls_itself_linux() -> None:
    environ = {"ANDROID_ROOT": "/system", "ANDROID_DATA": "/data"}
    found = detect("linux", machine="aarch64", environ=environ, abi="", exists=nowhere)
    assert (found.name, found.libc) == ("android", "bionic")


@pytest.mark.parametrize(
    ("abi", "libc"), [("cpython-311-x86_64-linux-gnu", "glibc"), ("cpython-311-aarch64-linux-musl", "musl")]
)
def test_the_c_library_is_read_from_the_interpreter(abi: str, libc: str) -> None:
    assert detect("linux", machine="x86_64", environ={}, abi=abi, exists=nowhere).libc == libc


def test_phones_and_browsers_keep_few_connections() -> None:
    for name in ("android", "ios", "harmonyos", "wasm"):
        assert DEFAULTS[name].max_connections < DEFAULTS["linux"].max_connections
        assert not DEFAULTS[name].processes


def test_no_port_needs_privileges() -> None:
    assert all(defaults.port > 1024 for defaults in DEFAULTS.values())


def test_this_machine_is_detected() -> None:
    found = detect()
    assert found.name in DEFAULTS
    assert found.machine


def test_a_python_that_is_too_old_is_refused_by_name():
    code = "import sys; sys.version_info = (3, 10, 9); import mastra"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "mastra.errors.Unsupported: mastra needs Python 3.11 or newer" in run.stderr
    assert "Install a newer Python" in run.stderr
