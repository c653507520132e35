"""The targets that can be cross-built on an x86-64 Linux machine, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One platform: how zig calls it, how wheels call it, and how it can be tried here."""

    name: str
    zig: str
    # What CMake calls the system and the processor.
    system: Literal["Linux", "Windows", "Darwin"]
    processor: str
    # The platform tag of the wheel, the ending of the module, and Python's own name of the build host.
    tag: str
    suffix: str
    host: str
    # Newest glibc that the objects may ask for; None where there is no glibc.
    glibc: tuple[int, int] | None = None
    # The oldest macOS that the module may start on.
    oldest: tuple[int, ...] = ()
    # How the wheel is run here: natively, under an emulator, or not at all.
    runs: Literal["native", "qemu", "wine", "no"] = "no"
    why_not: str = ""


def _linux(name: str, zig: str, machine: str, tag: str, *, glibc: tuple[int, int] | None, runs: str) -> Target:
    libc = "musl" if glibc is None else "gnu"
    return Target(
        name=name,
        zig=zig,
        system="Linux",
        processor=machine,
        tag=f"{tag}_{machine}",
        suffix=f".cpython-{{version}}-{machine}-linux-{libc}.so",
        host=f"linux-{machine}",
        glibc=glibc,
        runs=runs,  # type: ignore[arg-type]  # one of the three words, below
        why_not="not tried under an emulator: built and read, not run" if runs == "no" else "",
    )


def _windows(name: str, machine: str, runs: str, why_not: str = "") -> Target:
    tag = f"win_{machine.lower()}"
    return Target(
        name=name,
        zig=name,
        system="Windows",
        processor=machine,
        tag=tag,
        suffix=f".cp{{version}}-{tag}.pyd",
        host=tag.replace("_", "-"),
        runs=runs,  # type: ignore[arg-type]  # one of the words that a target knows
        why_not=why_not,
    )


def _macos(name: str, machine: str, oldest: str) -> Target:
    return Target(
        name=name,
        zig=f"{name}.{oldest}",
        system="Darwin",
        processor=machine,
        tag=f"macosx_{oldest.replace('.', '_')}_{machine}",
        suffix=".cpython-{version}-darwin.so",
        host=f"macosx-{oldest}-{machine}",
        oldest=tuple(map(int, oldest.split("."))),
        why_not="no macOS to run it on: built and read, not run",
    )


TARGETS = {
    target.name: target
    for target in (
        _linux("x86_64-linux-gnu", "x86_64-linux-gnu.2.17", "x86_64", "manylinux_2_17", glibc=(2, 17), runs="native"),
        _linux("aarch64-linux-gnu", "aarch64-linux-gnu.2.17", "aarch64", "manylinux_2_17", glibc=(2, 17), runs="qemu"),
        _linux("x86_64-linux-musl", "x86_64-linux-musl", "x86_64", "musllinux_1_2", glibc=None, runs="native"),
        _linux("aarch64-linux-musl", "aarch64-linux-musl", "aarch64", "musllinux_1_2", glibc=None, runs="qemu"),
        _linux("riscv64-linux-gnu", "riscv64-linux-gnu.2.39", "riscv64", "manylinux_2_39", glibc=(2, 39), runs="no"),
        _windows("x86_64-windows-gnu", "AMD64", "wine"),
        _windows("aarch64-windows-gnu", "ARM64", "no", "no Windows on ARM to run it on: built and read, not run"),
        _macos("aarch64-macos", "arm64", "11.0"),
        _macos("x86_64-macos", "x86_64", "10.15"),
    )
}
