"""`mastra create`: every template makes an application that works by following its own README to the letter."""

import json
import os
import re
import socket
import subprocess
import sys
import time

import httpx
import pytest

from mastra.cli.create import TEMPLATES, template_files


def mastra(*arguments, cwd, ok=True):
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "mastra", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert (done.returncode == 0) == ok, done.stderr
    return done


@pytest.mark.parametrize(
    "template",
    ["assistant", *(pytest.param(name, marks=pytest.mark.slow) for name in TEMPLATES if name != "assistant")],
)
def test_a_new_application_does_what_its_readme_says(tmp_path, template):
    made = json.loads(mastra("create", "shop", "--template", template, "--yes", "--json", cwd=tmp_path).stdout)
    assert "app.py" in made["files"]
    readme = (tmp_path / "shop" / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^mastra (?!create|dev)(.+)$", readme, flags=re.MULTILINE)
    assert len(commands) == 2
    for line in commands:
        mastra(*[part.strip("'\"") for part in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", line)], cwd=tmp_path / "shop")


@pytest.mark.slow
def test_the_mcp_template_is_a_server_that_clients_can_ask(tmp_path):
    mastra("create", "shop", "--template", "mcp", "--yes", cwd=tmp_path)
    asked = """
import asyncio, httpx
from app import mastra
from mastra.server.http import create_app

async def main():
    transport = httpx.ASGITransport(create_app(mastra))
    async with mastra, httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        tools = (await client.get("/api/mcp/shop/tools")).json()["tools"]
        print(sorted(one["name"] for one in tools))
        made = await client.post("/api/mcp/shop/tools/opening_hours/execute", json={"data": {"day": "Sunday"}})
        print(made.json())

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=tmp_path / "shop",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "['ask_assistant', 'opening_hours']" in done.stdout, done.stderr
    assert "closed" in done.stdout


def test_nothing_that_is_there_is_replaced(tmp_path):
    (tmp_path / "app.py").write_text("mine", encoding="utf-8")
    refused = mastra("init", "--yes", cwd=tmp_path, ok=False)
    assert "app.py" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["app.py"]
    assert (tmp_path / "app.py").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["Shop", "../shop", "-x", "a/b"])
def test_a_bad_name_is_refused(tmp_path, name):
    refused = mastra("create", "--yes", "--", name, cwd=tmp_path, ok=False)
    assert refused.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_templates_are_python():
    for template in TEMPLATES:
        compile(template_files(template, "x")["app.py"], "app.py", "exec")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="the README is for a POSIX shell")
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_stranger_follows_the_readme_to_the_letter(tmp_path, stranger, run, template):
    bin_folder = stranger.parent
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    path = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PORT": port}
    run(bin_folder / "mastra", "create", "shop", "--template", template, "--yes", cwd=tmp_path)
    folder = tmp_path / "shop"
    block = re.search(r"```bash\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)[1]
    lines = block.strip().splitlines()
    assert lines[0] == "python -m pip install -e ."
    assert lines[-1] == "mastra dev"
    for line in lines[:-1]:
        run("sh", "-ec", line, cwd=folder, **path)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MASTRA_", "VIRT"))}
    with (tmp_path / "log").open("wb") as log:
        serving = subprocess.Popen(
            ["sh", "-ec", f"exec {lines[-1]}"], cwd=folder, env={**environ, **path}, stdout=log, stderr=log
        )
    try:
        end = time.monotonic() + 240
        while True:
            try:
                page = httpx.get(f"http://127.0.0.1:{port}/", follow_redirects=True)
                break
            except httpx.TransportError:
                assert serving.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < end, (tmp_path / "log").read_text()
                time.sleep(0.1)
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]
        assert f"http://localhost:{port}" in (tmp_path / "log").read_text()
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").json()["ready"]
    finally:
        serving.terminate()
        serving.wait(60)
