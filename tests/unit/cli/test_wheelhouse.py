from __future__ import annotations

import base64
import csv
import hashlib
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import typer

from mastra.cli.wheelhouse import Package, closure, requirements, write_wheel


def test_what_is_needed_is_found_with_what_that_needs() -> None:
    names = {package.name for package in closure(["mastra"])}
    assert {"mastra", "apsw", "httpx", "httpcore", "starlette", "typer", "rich", "pydantic-core"} <= names
    assert "pytest" not in names
    # Extras count only where they are asked for.
    assert "pyjwt" not in names
    with_auth = {package.name for package in closure(["mastra[auth]>=0.0; python_version>'3'"])}
    assert {"pyjwt", "cryptography"} <= with_auth
    assert not closure(["no-such-distribution-anywhere"])


def test_an_application_says_what_it_needs(tmp_path: Path) -> None:
    assert requirements(tmp_path) == ["mastra"]
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["mastra[auth]", "attrs>=1"]\n')
    assert requirements(tmp_path) == ["mastra", "mastra[auth]", "attrs>=1"]
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(typer.Exit):
        requirements(tmp_path)


@pytest.mark.parametrize("name", ["typer", "pydantic-core", "httpx"])
def test_a_wheel_holds_what_is_installed(tmp_path: Path, name: str) -> None:
    package = Package(name, metadata.version(name), metadata.distribution(name))
    wheel = write_wheel(package, tmp_path)
    first = wheel.read_bytes()
    assert write_wheel(package, tmp_path).read_bytes() == first
    assert len(wheel.name.split("-")) == 5
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        (record,) = [one for one in names if one.endswith(".dist-info/RECORD")]
        rows = {row[0]: row[1:] for row in csv.reader(opened.read(record).decode().splitlines())}
        assert set(rows) == names
        for file, (digest, size) in rows.items():
            if file != record:
                data = opened.read(file)
                wanted = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                assert (digest, size) == (f"sha256={wanted}", str(len(data)))
        assert not [one for one in names if one.endswith((".pyc", "direct_url.json", "INSTALLER"))]
        assert not [one for one in names if ".data/scripts/typer" in one]
        opened.extractall(tmp_path / "there")
    module = name.replace("-", "_")
    code = f"import {module}, sys; assert {module}.__file__.startswith({str(tmp_path)!r}), {module}.__file__"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(tmp_path / "there")})
