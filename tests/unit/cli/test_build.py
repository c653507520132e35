from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mastra.cli.build import sbom
from mastra.cli.main import make_app
from mastra.cli.wheelhouse import Package, write_wheel

Run = Callable[..., str]
APPLICATION = 'from mastra import Agent, Mastra\nmastra = Mastra(agents=[Agent("clerk", model="scripted/built")])\n'


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`mastra build` in the folder of an application."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text(APPLICATION)
    monkeypatch.chdir(folder)
    return lambda *arguments: CliRunner().invoke(make_app("build"), ["build", *arguments])


def test_what_belongs_to_the_machine_stays_there(build: Callable[..., Result]) -> None:
    for file in (".env", "app.db", "app.db-wal", ".venv/x.py", "__pycache__/app.pyc", "pages/index.html", "dist/old"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text("x")
    done = build("--no-wheels", "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    out = Path("dist/mastra")
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "Dockerfile", "app/app.py", "app/pages/index.html", "app/serve.py", "mastra-build.json", "requirements.lock",
        "sbom.json"]  # fmt: skip
    lock = (out / "requirements.lock").read_text().splitlines()
    assert f"starlette=={metadata.version('starlette')}" in lock
    assert (facts["files"], facts["packages"], facts["wheels"]) == (2, len(lock), 0)
    image = (out / "Dockerfile").read_text()
    for line in image.splitlines():
        if line.startswith("COPY "):
            assert (out / line.split()[1]).exists(), line
    # Once more: what it made itself it replaces.
    assert build("--no-wheels").exit_code == 0


def test_nothing_that_is_not_its_own_is_removed(build: Callable[..., Result]) -> None:
    Path("precious").mkdir()
    Path("precious/file").write_text("x")
    for out in ("precious", ".", "..", "app.py"):
        done = build("--no-wheels", "--out", out)
        assert done.exit_code == 1, done.output
        assert "--out" in done.stderr
    assert Path("precious/file").read_text() == "x"
    assert Path("app.py").read_text() == APPLICATION


def test_an_application_that_is_not_there_is_told(build: Callable[..., Result]) -> None:
    done = build("shop.main:mastra")
    assert done.exit_code == 1
    assert "There is no application 'shop.main:mastra'" in done.stderr
    assert not Path("dist").exists()


@pytest.mark.skipif(util.find_spec("cyclonedx") is None, reason="cyclonedx-python-lib is missing: NOT tried")
def test_the_bill_of_materials_fits_cyclonedx(tmp_path: Path) -> None:
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415 - the oracle
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415 - the same

    packages = [Package(name, metadata.version(name), metadata.distribution(name)) for name in ("httpx", "typer")]
    made = sbom("shop", packages, {one.name: write_wheel(one, tmp_path) for one in packages})
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    assert validator.validate_str(json.dumps(made)) is None
    made["components"][0]["hashes"][0]["content"] = "none"
    assert validator.validate_str(json.dumps(made)) is not None


def answer(url: str, process: subprocess.Popen[Any], **data: Any) -> Any:
    end = time.monotonic() + 240
    while True:
        body = json.dumps(data).encode() if data else None
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as got:
                return json.load(got)
        except ConnectionError:
            pass
        except OSError as error:
            if not isinstance(getattr(error, "reason", None), ConnectionError):
                raise
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < end, "the server does not answer"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="wheels for a Linux image")
def test_what_is_built_installs_without_an_index_and_serves(tmp_path: Path, stranger: Path, run: Run) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text(APPLICATION)
    facts = json.loads(run(stranger.parent / "mastra", "build", "--json", cwd=folder))
    out = folder / "dist/mastra"
    assert facts["wheels"] == facts["packages"] == len(list((out / "wheels").iterdir()))

    # The steps of its Dockerfile, in a fresh environment.
    fresh = tmp_path / "fresh/bin/python"
    run(sys.executable, "-m", "venv", tmp_path / "fresh", cwd=tmp_path)
    lines = (out / "Dockerfile").read_text().splitlines()
    (install,) = [line for line in lines if "pip install" in line]
    words = install[install.index("pip install") :].replace("/wheels", str(out / "wheels")).split()
    assert "--no-index" in words
    run(fresh, "-m", *words, cwd=out)
    assert "No broken requirements" in run(fresh, "-m", "pip", "check", cwd=out)

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    commands = [[fresh, "serve.py"], [fresh.parent / "mastra", *json.loads(lines[-1].removeprefix("CMD "))[1:]]]
    for command in commands:
        environ = {"PATH": os.environ["PATH"], "PORT": str(port)}
        process = subprocess.Popen([*map(str, command)], cwd=out / "app", env=environ)
        try:
            assert answer(f"http://127.0.0.1:{port}/health", process) == {"success": True}
            url = f"http://127.0.0.1:{port}/api/agents/clerk/generate"
            assert answer(url, process, messages="x")["text"] == "built"
        finally:
            process.terminate()
            process.wait(60)
