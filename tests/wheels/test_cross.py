"""The cross build: its matrix, the headers that it takes, and the names that a musl wheel may ask for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "wheels" / "cross"), str(ROOT / "wheels")]

import build as cross  # noqa: E402 - a script, not a package
from roots import kernel_of  # noqa: E402 - the same
from targets import TARGETS  # noqa: E402 - the same
from toolchain import build_environment, plain_headers  # noqa: E402 - the same
from windows import exports, windows_headers  # noqa: E402 - the same


def test_a_row_takes_the_place_of_the_older_one_and_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "matrix.json"
    cross.record([cross.Row("aarch64-linux-musl", "311"), cross.Row("x86_64-linux-gnu", "313", ran="natively")], file)
    cross.record([cross.Row("aarch64-linux-musl", "311", built="yes"), cross.Row("x86_64-linux-gnu", "311")], file)
    rows = json.loads(file.read_text(encoding="utf-8"))
    assert [(row["target"], row["python"], row["built"], row["ran"]) for row in rows] == [
        ("x86_64-linux-gnu", "311", "no", "no"),
        ("x86_64-linux-gnu", "313", "no", "natively"),
        ("aarch64-linux-musl", "311", "yes", "no"),
    ]


def test_the_windows_library_has_what_the_headers_declare(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "Include" / "cpython").mkdir(parents=True)
    (source / "PC").mkdir()
    (source / "Include" / "object.h").write_text(
        "PyAPI_FUNC(PyObject *) PyObject_Str(PyObject *);\n"
        "PyAPI_DATA(PyTypeObject) PyType_Type;\nint PyNot_Exported(void);\n"
    )
    (source / "Include" / "cpython" / "hooks.h").write_text("PyAPI_DATA(int) (*PyOS_InputHook)(void);\n")
    (source / "Include" / "cpython" / "err.h").write_text(
        "PyAPI_DATA(PyObject *) PyExc_ValueError;\nPyAPI_FUNC(void (*)(int)) PyOS_setsig(int, void (*)(int));\n"
    )
    (source / "PC" / "pyconfig.h").write_text("#define MS_WINDOWS\n")
    include = windows_headers(source, tmp_path)
    assert (include / "pyconfig.h").read_text() == "#define MS_WINDOWS\n"
    assert exports(include).split("\n") == [
        "    PyExc_ValueError DATA",
        "    PyOS_InputHook DATA",
        "    PyOS_setsig",
        "    PyObject_Str",
        "    PyType_Type DATA",
        "",
    ]


def test_headers_that_need_no_detour_are_taken_as_they_are(tmp_path: Path) -> None:
    include = tmp_path / "include" / "python3.11"
    include.mkdir(parents=True)
    assert plain_headers(Path(sys.executable), include, tmp_path / "work") == include


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_each_target_says_its_tag_to_the_build(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    environment = build_environment(target, tmp_path / "t.cmake", tmp_path, "312")
    assert "{" not in environment["SETUPTOOLS_EXT_SUFFIX"]
    assert "312" in environment["SETUPTOOLS_EXT_SUFFIX"]
    assert environment["_PYTHON_HOST_PLATFORM"] == target.host
    assert f"CMAKE_TOOLCHAIN_FILE={tmp_path / 't.cmake'}" in environment["CMAKE_ARGS"]


def test_every_target_has_the_musl_or_the_glibc_that_its_tag_says() -> None:
    for target in TARGETS.values():
        assert (target.glibc is None) == ("linux_" not in target.tag or "musllinux" in target.tag)
        if target.glibc:
            assert target.zig.endswith(".".join(map(str, target.glibc)))
            assert "manylinux_{}_{}".format(*target.glibc) in target.tag


def test_a_target_that_is_not_run_says_why() -> None:
    assert [target.name for target in TARGETS.values() if (target.runs == "no") != bool(target.why_not)] == []


def test_a_proof_that_does_not_end_is_a_failure_of_its_row_and_not_of_the_command() -> None:
    with pytest.raises(SystemExit, match=r"smoke.py did not end within 0.5 s"):
        kernel_of([sys.executable, "-c", "import time; time.sleep(60)"], {}, 0.5)
