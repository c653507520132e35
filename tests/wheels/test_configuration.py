"""What the release promises: the wheels of the list, pinned tools, a bill of materials."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHEELS = ROOT / "wheels"
sys.path[:0] = [str(WHEELS)]

import sbom  # noqa: E402 - a script, not a package


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_identifiers_are_those_that_cibuildwheel_would_build() -> None:
    pytest.importorskip("cibuildwheel", reason="pip install cibuildwheel")
    found = []
    asked = {"linux": [], "macos": [], "windows": [], "android": ["all"], "ios": ["all"], "pyodide": ["all"]}
    for platform, archs in [*asked.items(), ("linux", ["riscv64"])]:
        command = [sys.executable, "-m", "cibuildwheel", "--config-file", str(WHEELS / "cibuildwheel.toml"),
                   "--print-build-identifiers", "--platform", platform]  # fmt: skip
        command += ["--archs", *archs] if archs else []
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found += done.stdout.split()
    assert found == (WHEELS / "identifiers.txt").read_text(encoding="utf-8").split()


def test_every_promised_platform_has_every_python() -> None:
    names = (WHEELS / "identifiers.txt").read_text(encoding="utf-8").split()
    wanted = [
        f"cp3{minor}-{platform}"
        for minor in (11, 12, 13, 14)
        for platform in ("manylinux_x86_64", "manylinux_aarch64", "musllinux_x86_64", "musllinux_aarch64",
                         "macosx_x86_64", "macosx_arm64", "win_amd64", "win_arm64")
    ]  # fmt: skip
    assert set(wanted) <= set(names)


@pytest.mark.parametrize("name", ["build-requirements.txt", "requirements.txt"])
def test_every_requirement_is_pinned_by_hash(name: str) -> None:
    text = (WHEELS / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.match(r"[a-z0-9._-]+==\S+.*--hash=sha256:[0-9a-f]{64}", line)] == []


def test_every_action_is_pinned_by_commit() -> None:
    loose = [
        f"{path.name}: {action}"
        for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
        for action in re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))
        if not re.search(r"@[0-9a-f]{40}$", action)
    ]
    assert loose == []


def test_every_workflow_fits_the_schema() -> None:
    pytest.importorskip("check_jsonschema", reason="pip install check-jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    for schema, files in (
        ("vendor.github-workflows", sorted((ROOT / ".github" / "workflows").glob("*.yml"))),
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
    ):
        done = subprocess.run([*command, schema, *files], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_simulators_run_the_proof_as_a_module() -> None:
    """cibuildwheel refuses paths of the project where the tests run on another machine."""
    options = tomllib.loads((WHEELS / "cibuildwheel.toml").read_text(encoding="utf-8"))["tool"]["cibuildwheel"]
    for system in ("android", "ios"):
        assert options[system]["test-command"] == "python -m wheels.smoke"
        assert options[system]["test-sources"] == ["wheels/smoke.py"]


def test_the_page_on_installing_names_every_extra() -> None:
    page = (ROOT / "docs" / "guide" / "install.md").read_text(encoding="utf-8")
    text = page.partition("as an extra:")[2].partition("There are")[2].partition(" for most of them")[0]
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"`([^`]+)`", text)) == set(declared)


@pytest.mark.parametrize("page", ["docs/guide/install.md", "CONTRIBUTING.md"])
def test_the_pages_name_the_compilers_that_cmake_demands(page: str) -> None:
    build = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    demanded = dict(re.findall(r"^set\(MASTRA_OLDEST_(\w+) ([\d.]+)\)$", build, re.MULTILINE))
    assert demanded.keys() == {"GNU", "Clang", "MSVC"}
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.search(r"gcc ([\d.]+), clang ([\d.]+), MSVC ([\d.]+)[^)]* or newer\)", text.replace("\n", " "))
    assert named is not None
    assert list(named.groups()) == [demanded["GNU"], demanded["Clang"], demanded["MSVC"]]


@pytest.mark.skipif(sys.platform != "linux" or not (shutil.which("g++") and shutil.which("cmake")), reason="needs g++")
def test_an_older_compiler_is_refused_by_its_name(tmp_path: Path) -> None:
    environment = {**os.environ, "CXX": "g++", "CXXFLAGS": "-U__GNUC__ -D__GNUC__=10"}
    command = ["cmake", "-S", str(ROOT), "-B", str(tmp_path), "-DMASTRA_BUILD_PYTHON=OFF"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "mastra needs GNU 11 or newer, this is 10." in done.stderr


METADATA = """Metadata-Version: 2.4
Name: mastra
Version: 9.9.9
Requires-Dist: httpx>=0.28
Requires-Dist: redis>=5.2; extra == "redis"
"""


def wheel(path: Path, order: int) -> Path:
    entries = {"mastra/__init__.py": "x = 1\n", "mastra-9.9.9.dist-info/METADATA": METADATA,
               "mastra-9.9.9.dist-info/RECORD": ""}  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(entries, reverse=bool(order)):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), entries[name])
    return path


def test_a_wheel_gets_its_bill_of_materials_and_the_same_bytes_every_time(tmp_path: Path) -> None:
    one, two = wheel(tmp_path / "a.whl", 0), wheel(tmp_path / "b.whl", 1)
    for path in (one, two, two):
        sbom.add_to_wheel(path, {"pybind11": "3.1.0"})
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.testzip() is None
        bill = json.loads(archive.read("mastra-9.9.9.dist-info/sboms/mastra.cdx.json"))
        record = archive.read("mastra-9.9.9.dist-info/RECORD").decode()
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert [item["name"] for item in bill["components"]] == ["pybind11", "httpx"]
    assert "mastra-9.9.9.dist-info/sboms/mastra.cdx.json,sha256=" in record
    assert set(bill["dependencies"][0]["dependsOn"]) == {item["bom-ref"] for item in bill["components"]}


def test_the_bill_fits_cyclonedx() -> None:
    schema = pytest.importorskip("cyclonedx.schema", reason="pip install cyclonedx-python-lib[json-validation]")
    validation = pytest.importorskip("cyclonedx.validation.json", reason="the same")
    text = json.dumps(sbom.bill(METADATA, {"pybind11": "3.1.0"}))
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text) is None


def test_a_source_distribution_gets_its_bill_and_the_same_bytes_every_time(tmp_path: Path) -> None:
    for turn, name in enumerate(("a.tar.gz", "b.tar.gz")):
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            for inner, text in sorted({"PKG-INFO": METADATA, "python/x.py": "x = 1\n"}.items(), reverse=bool(turn)):
                item = tarfile.TarInfo(f"mastra-9.9.9/{inner}")
                item.size, item.mtime = len(text), 1_700_000_000
                archive.addfile(item, io.BytesIO(text.encode()))
        sbom.add_to_sdist(tmp_path / name)
    sbom.add_to_sdist(tmp_path / "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        names = archive.getnames()
        member = archive.extractfile("mastra-9.9.9/sboms/mastra.cdx.json")
        assert member is not None
        bill = json.load(member)
    assert names == ["mastra-9.9.9/PKG-INFO", "mastra-9.9.9/python/x.py", "mastra-9.9.9/sboms/mastra.cdx.json"]
    assert [item["name"] for item in bill["components"]] == ["httpx"]


def test_the_release_builds_with_the_pins_and_adds_the_bill_everywhere() -> None:
    options = tomllib.loads((WHEELS / "cibuildwheel.toml").read_text(encoding="utf-8"))["tool"]["cibuildwheel"]
    assert "--no-isolation" in options["build-frontend"]["args"]
    assert "--require-hashes -r {project}/wheels/build-requirements.txt" in options["before-build"]
    for system in ("linux", "macos", "windows"):
        assert "wheels/sbom.py" in str(options[system]["repair-wheel-command"])
        assert not {"build-frontend", "before-build"} & set(options[system])


def test_the_table_of_wheels_is_that_of_the_matrix() -> None:
    done = subprocess.run([sys.executable, str(WHEELS / "table.py"), "--check"], capture_output=True, check=False)
    assert done.returncode == 0, "Run: python wheels/table.py"
