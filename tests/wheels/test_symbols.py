"""What the compiled module needs and shows; and that the check of wheels sees a wheel whose tag lies."""

from __future__ import annotations

import importlib.util
import platform
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("elftools", reason="pip install pyelftools")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "wheels" / "cross")]

import check  # noqa: E402 - a script, not a package
import symbols  # noqa: E402 - the same
from targets import TARGETS  # noqa: E402 - the same

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads ELF files")


@pytest.fixture(scope="module")
def core() -> Path:
    spec = importlib.util.find_spec("mastra._core")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def packed(module: bytes, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mastra/_core.cpython-311-x86_64-linux-gnu.so", module)
    return path


def test_the_module_shows_its_entry_point_and_nothing_else(core: Path) -> None:
    module = symbols.read_module(core.read_bytes())
    assert module.exported == {"PyInit__core"}


def test_the_module_needs_the_c_and_compiler_libraries_only(core: Path) -> None:
    module = symbols.read_module(core.read_bytes())
    assert module.needed <= symbols.GLIBC_PARTS | symbols.COMPILER_PARTS


def test_a_glibc_module_is_no_musl_wheel_and_not_for_an_old_glibc(core: Path, tmp_path: Path) -> None:
    wheel = packed(core.read_bytes(), tmp_path / "a.whl")
    assert any("musl" in complaint for complaint in symbols.complaints(wheel, glibc=None))
    assert any("newer than 2.2" in complaint for complaint in symbols.complaints(wheel, glibc=(2, 2)))


def test_a_musl_wheel_asks_for_nothing_that_an_older_musl_or_openharmony_lacks(core: Path, tmp_path: Path) -> None:
    """This module is linked with glibc and libstdc++: their names are told, those of every C library are not."""
    wheel = packed(core.read_bytes(), tmp_path / "a.whl")
    (told,) = (line for line in symbols.complaints(wheel, glibc=None) if "not known of every musl" in line)
    assert "_Z" in told
    names = symbols.MUSL_NAMES
    assert {"malloc", "memcpy", "mprotect", "pthread_create", "open"} <= names
    # What only glibc has: fortified calls, versions of its own, its C++ library.
    assert [
        name for name in names if name.endswith(("_chk", "64")) or name.startswith(("_Z", "__isoc", "__libc_"))
    ] == []


def test_a_bundled_library_and_a_fat_wheel_are_seen(core: Path, tmp_path: Path) -> None:
    wheel = packed(core.read_bytes(), tmp_path / "a.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("mastra.libs/libstdc++-1234.so.6", b"x" * (4 << 20))
    found = "\n".join(symbols.complaints(wheel, glibc=(9, 9)))
    assert "foreign libraries" in found
    assert "more than" in found


@pytest.mark.parametrize(
    ("target", "calls", "told"),
    [
        ("x86_64-linux-gnu", "manylinux_2_17_x86_64", ""),
        ("x86_64-linux-gnu", "manylinux_2_5_x86_64", ""),
        ("x86_64-linux-gnu", "manylinux_2_34_x86_64", "manylinux_2_34_x86_64"),
        ("x86_64-linux-gnu", "linux_x86_64", "linux_x86_64"),
        ("aarch64-linux-gnu", "manylinux_2_17_x86_64", "manylinux_2_17_x86_64"),
        ("aarch64-linux-musl", "musllinux_1_1_aarch64", ""),
        ("aarch64-linux-musl", "manylinux_2_17_aarch64", "manylinux_2_17_aarch64"),
    ],
)
def test_a_tag_that_auditwheel_does_not_grant_is_told(target: str, calls: str, told: str) -> None:
    found = check.audit_complaints({"overall_tag": calls, "unsupported_isa": False}, TARGETS[target])
    assert found == ([f"auditwheel calls it {told}"] if told else [])
    (isa,) = check.audit_complaints({"overall_tag": TARGETS[target].tag, "unsupported_isa": True}, TARGETS[target])
    assert "instructions" in isa


def test_a_musl_that_is_not_installed_is_no_fault_of_the_wheel_but_another_library_is() -> None:
    report = {"overall_tag": "linux_aarch64", "sym_tag": "musllinux_1_2_aarch64", "unsupported_isa": False}
    target = TARGETS["aarch64-linux-musl"]
    assert check.audit_complaints({**report, "external_libs": {"libc.so": None}}, target) == []
    for libraries in ({"libc.so": None, "libz.so": None}, {"libc.so.6": None}):
        told = check.audit_complaints({**report, "external_libs": libraries}, target)
        assert told == ["auditwheel calls it linux_aarch64"]


def test_auditwheel_reads_the_module_of_this_machine(core: Path, tmp_path: Path) -> None:
    pytest.importorskip("auditwheel", reason="pip install auditwheel")
    wheel = packed(core.read_bytes(), tmp_path / f"mastra-1-cp311-cp311-linux_{platform.machine()}.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("mastra-1.dist-info/RECORD", "".join(f"{name},,\n" for name in archive.namelist()))
        archive.writestr("mastra-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
    report = check.audit(wheel)
    assert platform.machine() in report["overall_tag"]
    assert set(report["external_libs"]) <= symbols.GLIBC_PARTS | symbols.COMPILER_PARTS
    assert not report["unsupported_isa"]
    with pytest.raises(SystemExit, match="auditwheel cannot read it"):
        check.audit(packed(core.read_bytes(), wheel))


def test_no_wide_instruction_is_in_the_portable_code(core: Path) -> None:
    """Functions outside of the instruction-set tables use no ymm or zmm register: any x86-64 can start the module."""
    if platform.machine() != "x86_64":
        pytest.skip("about x86-64")
    code = "import mastra.native.distance as d; print(d.active_kernel())"
    environment = {"PATH": "/usr/bin:/bin", "MASTRA_KERNEL": "scalar"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "scalar"
    emulator = next(
        (Path(p) for p in ("/usr/bin/qemu-x86_64-static", "/usr/bin/qemu-x86_64") if Path(p).exists()), None
    )
    if emulator is None:
        pytest.skip("qemu-user-static is not installed")
    # The oldest 64-bit machine that the emulator knows has nothing beyond SSE2.
    old = subprocess.run(
        [emulator, "-cpu", "qemu64,-avx,-avx2,-sse4.2", sys.executable, "-c", code],
        env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert old.stdout.strip() == "scalar", old.stderr


def test_what_is_no_elf_file_is_refused() -> None:
    with pytest.raises(Exception, match="Magic"):
        symbols.read_module(struct.pack("<I", 0) * 100)
