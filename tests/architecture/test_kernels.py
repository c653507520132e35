"""The kernel objects export one table each and share nothing; the ARM ones are run, not only written."""

from __future__ import annotations

import platform
import shutil
import subprocess

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SETS = {"x86_64": ["avx2", "avx512", "avx512vnni", "avxvnni"], "aarch64": ["neon", "neondot", "neoni8mm"]}


def build(root, where, target, *options):
    configure = ["cmake", "-S", root, "-B", where, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                 "-DMASTRA_BUILD_PYTHON=OFF", *options]  # fmt: skip
    for command in (configure, ["cmake", "--build", where, "--target", target, "--parallel", "2"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_an_instruction_set_object_exports_its_table_and_nothing_else(root, tmp_path):
    build(root, tmp_path, "mastra_kernels")
    objects = {path.name.split(".")[0]: path for path in tmp_path.rglob("*.o")}
    for name in ["scalar", *SETS.get(platform.machine(), [])]:
        lines = subprocess.run(["nm", objects[name]], capture_output=True, text=True, check=True).stdout.splitlines()
        shared = [line.split()[-2:] for line in lines if line.split()[-2] not in "trdb"]
        assert [symbol.endswith(f"{len(name)}{name}E") for _, symbol in shared] == [True], (name, shared)


@pytest.mark.skipif(
    shutil.which("aarch64-linux-gnu-g++") is None or shutil.which("qemu-aarch64-static") is None,
    reason="needs g++-aarch64-linux-gnu and qemu-user-static",
)
def test_the_arm_kernels_pass_under_emulation(root, tmp_path):
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE={root}/cmake/aarch64.cmake"
    build(root, tmp_path, "test_kernels", toolchain, "-DMASTRA_BUILD_TESTS=ON")
    run = ["qemu-aarch64-static", "-cpu", "max", "-L", "/usr/aarch64-linux-gnu", tmp_path / "cpp/tests/test_kernels"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "0 failures" in done.stdout
