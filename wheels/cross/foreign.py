"""Reads the compiled modules of Windows and macOS: what they need, and whether the wheel's tag tells the truth."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

# The C library of Windows since version 10, and the system beneath it.
WINDOWS_PARTS = re.compile(r"(kernel32|ntdll|advapi32|api-ms-win-(crt|core)-[a-z0-9-]+|ucrtbase)\.dll")
MACOS_PARTS = {"/usr/lib/libSystem.B.dylib", "/usr/lib/libc++.1.dylib"}
_PE_MACHINES = {0x8664: "AMD64", 0xAA64: "ARM64"}
_MACHO_MACHINES = {0x01000007: "x86_64", 0x0100000C: "arm64"}
_LOAD_DYLIB, _LOAD_WEAK_DYLIB, _SYMTAB, _BUILD_VERSION, _VERSION_MIN = 0xC, 0x80000018, 0x2, 0x32, 0x24


@dataclass(slots=True)
class Foreign:
    """The facts of one module."""

    machine: str
    # Names that are asked for, by the library that has them; "" is whoever has loaded the module.
    asks: dict[str, set[str]] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    # The oldest macOS that it says it starts on.
    oldest: tuple[int, ...] = ()


def read_pe(data: bytes) -> Foreign:
    """The facts of a 64-bit Windows module."""
    start = _number(data, 0x3C)
    machine, sections = struct.unpack_from("<HH", data, start + 4)
    if data[:2] != b"MZ" or data[start : start + 4] != b"PE\0\0" or machine not in _PE_MACHINES:
        raise ValueError("this is no 64-bit Windows module")
    optional = start + 24
    table = optional + struct.unpack_from("<H", data, start + 20)[0]
    places = [struct.unpack_from("<4I", data, table + 40 * index + 8) for index in range(sections)]

    def at(address: int) -> int:
        """Where in the file that is which gets loaded at this address."""
        for _, loaded, size, stored in places:
            if loaded <= address < loaded + size:
                return address - loaded + stored
        raise ValueError(f"no section holds the address {address:#x}")

    module = Foreign(_PE_MACHINES[machine])
    exports, imports = _number(data, optional + 112), _number(data, optional + 120)
    entry = at(imports) if imports else len(data)
    while entry < len(data) and (name := _number(data, entry + 12)):
        thunk = at(_number(data, entry) or _number(data, entry + 16))
        names = module.asks.setdefault(_text(data, at(name)), set())
        while value := struct.unpack_from("<Q", data, thunk)[0]:
            names.add(f"#{value & 0xFFFF}" if value >> 63 else _text(data, at(value) + 2))
            thunk += 8
        entry += 20
    if exports:
        table = at(exports)
        first = at(_number(data, table + 32))
        shown = range(_number(data, table + 24))
        module.exported = {_text(data, at(_number(data, first + 4 * index))) for index in shown}
    return module


def read_macho(data: bytes) -> Foreign:
    """The facts of a 64-bit macOS module."""
    magic, machine, _, _, commands = struct.unpack_from("<5I", data)
    if magic != 0xFEEDFACF or machine not in _MACHO_MACHINES:
        raise ValueError("this is no 64-bit macOS module")
    module = Foreign(_MACHO_MACHINES[machine])
    libraries, symbols, place = [""], (0, 0, 0), 32
    for _ in range(commands):
        command, size = struct.unpack_from("<2I", data, place)
        if command in {_LOAD_DYLIB, _LOAD_WEAK_DYLIB}:
            libraries.append(_text(data, place + _number(data, place + 8)))
        elif command == _SYMTAB:
            symbols = struct.unpack_from("<3I", data, place + 8)
        elif command in {_BUILD_VERSION, _VERSION_MIN}:
            packed = _number(data, place + (12 if command == _BUILD_VERSION else 8))
            module.oldest = (packed >> 16, packed >> 8 & 0xFF)
        place += size
    module.asks = {name: set() for name in libraries}
    first, count, strings = symbols
    for index in range(count):
        text, kind, _, about = struct.unpack_from("<IBBH", data, first + 16 * index)
        name = _text(data, strings + text).removeprefix("_")
        if kind & 0xE0 or not kind & 1:  # for the debugger, or private
            continue
        if kind & 0x0E:
            module.exported.add(name)
        else:
            library = about >> 8
            module.asks[libraries[library] if library < len(libraries) else ""].add(name)
    return module


def _number(data: bytes, place: int) -> int:
    return int(struct.unpack_from("<I", data, place)[0])


def _text(data: bytes, place: int) -> str:
    return data[place : data.index(b"\0", place)].decode("ascii")


def windows_complaints(data: bytes, machine: str, version: str) -> list[str]:
    """What is wrong with the module of a Windows wheel for this version of Python."""
    module = read_pe(data)
    out = [] if module.machine == machine else [f"it is for {module.machine}, not for {machine}"]
    dll = f"python{version}.dll"
    strangers = sorted(name for name in module.asks if name != dll and not WINDOWS_PARTS.fullmatch(name.lower()))
    if strangers:
        out.append(f"it is linked with {', '.join(strangers)}")
    if not module.asks.get(dll):
        out.append(f"it asks {dll} for nothing")
    # pybind11 shows its own exceptions, so that modules know each other's.
    if strange := sorted(name for name in module.exported if name != "PyInit__core" and "pybind11" not in name):
        out.append(f"it shows more than its entry point: {', '.join(strange[:5])}")
    return out + _entry(module)


def macos_complaints(data: bytes, machine: str, oldest: tuple[int, ...]) -> list[str]:
    """What is wrong with the module of a macOS wheel that is tagged for `oldest` and newer."""
    module = read_macho(data)
    out = [] if module.machine == machine else [f"it is for {module.machine}, not for {machine}"]
    if strangers := sorted(module.asks.keys() - MACOS_PARTS - {""}):
        out.append(f"it is linked with {', '.join(strangers)}")
    if not module.oldest or module.oldest > oldest:
        out.append(f"it starts on macOS {module.oldest}, the tag says {oldest}")
    if strange := sorted(name for name in module.asks[""] if not name.startswith(("Py", "_Py"))):
        out.append(f"nobody is named to have {', '.join(strange[:5])}")
    return out + _entry(module)


def _entry(module: Foreign) -> list[str]:
    return [] if "PyInit__core" in module.exported else ["it does not show PyInit__core"]
