"""What is read of the modules of Windows and macOS, and that a wheel whose tag lies is told."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "wheels" / "cross")]

import foreign  # noqa: E402 - a script, not a package


def windows_program(name: str) -> bytes:
    """A program that setuptools carries: real, and linked by somebody else's tools."""
    setuptools = pytest.importorskip("setuptools", reason="pip install setuptools")
    return (Path(setuptools.__file__).parent / name).read_bytes()


def test_a_windows_program_says_its_machine_and_what_it_asks_for() -> None:
    program = foreign.read_pe(windows_program("cli-64.exe"))
    assert program.machine == "AMD64"
    names = {library.lower() for library in program.asks}
    assert "kernel32.dll" in names
    assert {"CreateFileA", "CreateProcessA"} <= set().union(*program.asks.values())
    assert foreign.read_pe(windows_program("cli-arm64.exe")).machine == "ARM64"


def test_a_windows_program_is_no_module_of_ours() -> None:
    told = "\n".join(foreign.windows_complaints(windows_program("cli-64.exe"), "ARM64", "311"))
    assert "it is for AMD64, not for ARM64" in told
    assert "it asks python311.dll for nothing" in told
    assert "it does not show PyInit__core" in told


# name, type, description: 0x0f is shown, 0x01 is asked for; the library's number is the description's upper byte.
SYMBOLS = [("_PyInit__core", 0x0F, 0), ("_PyLong_Type", 0x01, 0xFE00), ("_malloc", 0x01, 0x0100), ("_own", 0x0E, 0)]


def module(
    *symbols: tuple[str, int, int], machine: int = 0x0100000C, oldest: int = 11 << 16, library: str = ""
) -> bytes:
    """A macOS module with a system library, an oldest system and these symbols."""
    path = (library or "/usr/lib/libSystem.B.dylib").encode().ljust(40, b"\0")
    commands = struct.pack("<6I", 0xC, 24 + len(path), 24, 0, 0, 0) + path
    commands += struct.pack("<6I", 0x32, 24, 1, oldest, oldest, 0)
    strings, table = b"\0", b""
    for name, kind, about in symbols:
        table += struct.pack("<IBBHQ", len(strings), kind, 0, about, 0)
        strings += name.encode() + b"\0"
    first = 32 + len(commands) + 24
    commands += struct.pack("<6I", 2, 24, first, len(symbols), first + len(table), len(strings))
    head = struct.pack("<8I", 0xFEEDFACF, machine, 0, 6, 3, len(commands), 0, 0)
    return head + commands + table + strings


def test_a_macos_module_that_keeps_its_word() -> None:
    data = module(*SYMBOLS)
    read = foreign.read_macho(data)
    assert (read.machine, read.oldest, read.exported) == ("arm64", (11, 0), {"PyInit__core"})
    assert read.asks == {"": {"PyLong_Type"}, "/usr/lib/libSystem.B.dylib": {"malloc"}}
    assert foreign.macos_complaints(data, "arm64", (11, 0)) == []


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (module(*SYMBOLS, machine=0x01000007), "it is for x86_64"),
        (module(*SYMBOLS, oldest=14 << 16), "it starts on macOS"),
        (module(*SYMBOLS, library="/opt/homebrew/lib/libz.dylib"), "libz.dylib"),
        (module(*SYMBOLS, ("___cxa_throw", 0x01, 0xFE00)), "nobody is named to have __cxa_throw"),
        (module(*SYMBOLS[1:]), "does not show PyInit__core"),
    ],
)
def test_a_macos_module_that_does_not(data: bytes, told: str) -> None:
    assert told in "; ".join(foreign.macos_complaints(data, "arm64", (11, 0)))


@pytest.mark.parametrize("read", [foreign.read_pe, foreign.read_macho])
def test_what_is_no_module_is_refused(read: object) -> None:
    assert callable(read)
    with pytest.raises(ValueError, match="this is no 64-bit"):
        read(bytes(4096))
