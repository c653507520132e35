"""Reads a wheel's compiled module: what it needs from the system, and whether its tag tells the truth."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

MAX_BYTES = 3 * 1024 * 1024
# What a module may be linked with: the C library and the parts of it that older ones keep apart.
GLIBC_PARTS = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2",
               "ld-linux-aarch64.so.1", "ld-linux-riscv64-lp64d.so.1"}  # fmt: skip
COMPILER_PARTS = {"libstdc++.so.6", "libgcc_s.so.1"}
MUSL_PARTS = {"libc.so"}
# The names of the C library that a musl wheel may ask for. All are in musl 1.2.3, of which OpenHarmony's libc is a
# changed copy; a new name is looked up in both before it is added.
MUSL_NAMES = frozenset((Path(__file__).parent / "musl-names.txt").read_text(encoding="utf-8").split())


@dataclass(slots=True)
class Module:
    """The facts of one compiled module."""

    machine: str
    needed: set[str] = field(default_factory=set)
    # Highest version of each versioned library interface: {"GLIBC": (2, 17)}.
    versions: dict[str, tuple[int, ...]] = field(default_factory=dict)
    # What others must have; a weak name may be missing.
    undefined: set[str] = field(default_factory=set)
    weak: set[str] = field(default_factory=set)
    exported: set[str] = field(default_factory=set)
    has_debug: bool = False
    size: int = 0


def read_module(data: bytes) -> Module:
    """The facts of an ELF file."""
    elf = ELFFile(io.BytesIO(data))
    module = Module(elf["e_machine"], size=len(data))
    for section in elf.iter_sections():
        if isinstance(section, DynamicSection):
            tags = section.iter_tags("DT_NEEDED")
            module.needed = {vars(tag)["needed"] for tag in tags}  # an attribute of this kind of tag only
        elif isinstance(section, GNUVerNeedSection):
            for _, entries in section.iter_versions():
                for entry in entries:
                    _raise_version(module.versions, entry.name)
        elif isinstance(section, SymbolTableSection) and section.name == ".dynsym":
            for symbol in section.iter_symbols():
                if symbol.name:
                    wanted = module.weak if symbol["st_info"]["bind"] == "STB_WEAK" else module.undefined
                    (wanted if symbol["st_shndx"] == "SHN_UNDEF" else module.exported).add(symbol.name)
        elif section.name.startswith(".debug"):
            module.has_debug = True
    return module


def _raise_version(versions: dict[str, tuple[int, ...]], name: str) -> None:
    family, _, number = name.partition("_")
    if re.fullmatch(r"[\d.]+", number):
        found = tuple(map(int, number.split(".")))
        versions[family] = max(versions.get(family, (0,)), found)


def module_of(wheel: Path) -> bytes:
    """The compiled module inside of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [item for item in archive.namelist() if re.search(r"/_core\.[^/]*(so|pyd)$", item)]
        return archive.read(name)


def fat(wheel: Path) -> list[str]:
    """Whether the wheel is larger than promised."""
    size = wheel.stat().st_size
    return [f"the wheel has {size:,} bytes, more than {MAX_BYTES:,}"] if size > MAX_BYTES else []


def complaints(wheel: Path, *, glibc: tuple[int, int] | None) -> list[str]:
    """What is wrong with a Linux wheel; an empty list when its tag tells the truth. `glibc` None means musl."""
    module = read_module(module_of(wheel))
    out = fat(wheel)
    allowed = MUSL_PARTS if glibc is None else GLIBC_PARTS | COMPILER_PARTS
    if strangers := module.needed - allowed:
        out.append(f"it is linked with {', '.join(sorted(strangers))}")
    asked = module.versions.get("GLIBC")
    if glibc is None and asked is not None:
        out.append(f"a musl wheel asks for glibc {'.'.join(map(str, asked))}")
    if glibc is None and (
        strange := sorted(n for n in module.undefined - MUSL_NAMES if not n.startswith(("Py", "_Py")))
    ):
        out.append(f"it asks for names that are not known of every musl: {', '.join(strange[:5])}")
    if glibc is not None and asked is not None and asked > glibc:
        out.append(f"it asks for glibc {'.'.join(map(str, asked))}, newer than {'.'.join(map(str, glibc))}")
    if unresolved := sorted(name for name in module.undefined if "mastra" in name):
        out.append(f"parts of the core were not linked in: {', '.join(unresolved[:3])}")
    if module.has_debug:
        out.append("it is not stripped of debug sections")
    if module.exported - {"PyInit__core"} - {"_init", "_fini", "__bss_start", "_edata", "_end"}:
        names = sorted(module.exported - {"PyInit__core"})[:5]
        out.append(f"it exports more than its entry point: {', '.join(names)}")
    with zipfile.ZipFile(wheel) as archive:
        bundled = [name for name in archive.namelist() if ".libs/" in name]
    if bundled:
        out.append(f"it carries foreign libraries: {', '.join(bundled)}")
    return out
