from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mastra import Agent, Mastra, logs
from mastra.errors import BadSetting
from mastra.server.auth import StaticKeys, hash_key
from mastra.server.configured import Following, read_keys, server_options
from mastra.server.http import create_app
from mastra.server.limits import Rate
from mastra.server.options import ServerOptions
from mastra.settings import LiveSettings, Settings


def entry(token: str, **owner: object) -> dict[str, object]:
    return {f"sha256:{hash_key(token)}": {"id": "u1", **owner}}


def settings(**given: str) -> Settings:
    names = {f"MASTRA_SERVER_{name.upper()}": value for name, value in given.items()}
    return Settings.load(dotenv=None, environ=names)


def test_the_code_holds_until_a_setting_says_otherwise() -> None:
    base = ServerOptions(max_body=77, timeout_s=3, rate_per_key=Rate(1, 1), cors_origins=("https://a.example",))
    assert server_options(base, settings()) == base
    changed = server_options(base, settings(max_body_bytes="4194304", rate_per_key="5", rate_per_address="0.2"))
    assert (changed.max_body, changed.timeout_s) == (4_194_304, 3)
    assert (changed.rate_per_key, changed.rate_per_address) == (Rate(5, 10), Rate(0.2, 1))
    assert changed.cors_origins == ("https://a.example",)
    assert server_options(base, settings(rate_per_key="0")).rate_per_key is None


async def test_keys_of_code_file_and_setting_are_good_side_by_side(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(entry("of-the-file", roles=["viewer"])))
    base = ServerOptions(auth=StaticKeys({"of-the-code": {"id": "u0"}}))
    options = server_options(base, settings(token="of-the-setting", keys_file=str(file)))
    assert options.auth is not None
    found = [await options.auth.authenticate(f"of-the-{name}") for name in ("code", "file", "setting", "moon")]
    assert [one and (one.id, one.roles) for one in found] == [
        ("u0", ("member",)), ("u1", ("viewer",)), ("token", ("owner",)), None]  # fmt: skip


HASH = f"sha256:{hash_key('k')}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "neither JSON nor TOML"),
        ("[]", "not a table of keys"),
        ('{"a-key-in-the-clear": {"id": "u"}}', "entry 1: the key is no hash"),
        (f'{{"{HASH}": "u1"}}', "does not say whose"),
        (f'{{"{HASH}": {{"id": 1}}}}', "does not say whose"),
        (f'{{"{HASH}": {{"id": "u", "roles": ["king"]}}}}', "roles is not a list of owner, admin, member, viewer"),
        (f'{{"{HASH}": {{"id": "u", "roles": "owner"}}}}', "roles is not a list"),
        (f'{{"{HASH}": {{"id": "u", "tenant": 3}}}}', "tenant is not a text"),
        (f'{{"{HASH}": {{"id": "u", "expiresAt": true}}}}', "expiresAt is not a number"),
        (f'{{"{HASH}": {{"id": "u", "permissions": "*"}}}}', "permissions is not a list of texts"),
        ("{}", "There is no API key"),
    ],
)
def test_a_keys_file_that_is_wrong_is_refused_without_showing_a_key(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    with pytest.raises(BadSetting, match=reason) as caught:
        read_keys(file)
    assert "clear" not in str(caught.value)
    assert HASH not in str(caught.value)


def test_a_keys_file_may_be_toml_and_must_be_there(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    with pytest.raises(BadSetting, match="No such file"):
        read_keys(file)
    file.write_text(f'["{HASH}"]\nid = "u1"\nroles = ["admin"]\n')
    read_keys(file)


async def test_a_running_application_follows_its_settings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    file, keys = tmp_path / "mastra.toml", tmp_path / "keys.json"
    keys.write_text(json.dumps(entry("one")))
    file.write_text(f'[server]\nkeys_file = "{keys}"\n')
    live = LiveSettings(file, dotenv=None, environ={})
    base = ServerOptions(guess_rate=Rate(1e6, 1_000_000))
    app = create_app(Mastra(agents=[Agent("clerk", model="scripted/hi")]), server_options(base, live.current))
    app.companions.append(Following(app, base, live, every_s=0.02))

    async def status(token: str, **options: str) -> int:
        headers = {"authorization": f"Bearer {token}", **options}
        answer = await client.post("/api/agents/clerk/generate", json={"messages": "x" * 900}, headers=headers)
        return answer.status_code

    async def becomes(token: str, wanted: int) -> None:
        async with asyncio.timeout(20):
            while await status(token) != wanted:  # noqa: ASYNC110 - only a request can tell
                await asyncio.sleep(0.02)

    await app.startup()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            assert [await status("one"), await status("two")] == [200, 401]
            keys.write_text(json.dumps({**entry("two")}))
            await becomes("two", 200)
            assert await status("one") == 401
            file.write_text(f'[server]\nkeys_file = "{keys}"\nmax_body_bytes = 1024\nport = 99\n')
            await becomes("two", 200)
            file.write_text(f'[server]\nkeys_file = "{keys}"\nrate_per_key = 0.001\n')
            await becomes("two", 429)
            keys.write_text("{")
            async with asyncio.timeout(20):
                while "neither JSON nor TOML" not in caplog.text:  # noqa: ASYNC110 - the log tells nobody
                    await asyncio.sleep(0.02)
            assert await status("two") == 429
            assert "the old ones stay in force" in caplog.text
    finally:
        await app.shutdown()


def test_what_is_read_at_the_start_waits_for_the_next_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    file = tmp_path / "mastra.toml"
    file.write_text("")
    live = LiveSettings(file, dotenv=None, environ={})
    app = create_app(Mastra(), ServerOptions())
    Following(app, ServerOptions(), live)
    file.write_text('[server]\nport = 99\napi_prefix = "/x"\ncors_origins = ["https://a.example"]\n')
    assert live.reload()
    assert "next start: server.port, server.api_prefix" in caplog.text
    assert (app.options.prefix, app.options.cors_origins) == ("/api", ("https://a.example",))


def test_a_change_that_would_open_the_house_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mastra.toml"
    file.write_text('[server]\nhost = "0.0.0.0"\ntoken = "a-long-enough-token"\n')
    live = LiveSettings(file, dotenv=None, environ={})
    app = create_app(Mastra(), server_options(ServerOptions(), live.current))
    Following(app, ServerOptions(), live)
    before = app.options
    file.write_text('[server]\nhost = "127.0.0.1"\n')
    assert not live.reload()
    assert app.options is before


def test_the_log_follows_too(tmp_path: Path) -> None:
    file = tmp_path / "mastra.toml"
    file.write_text("")
    live = LiveSettings(file, dotenv=None, environ={})
    Following(create_app(Mastra(), ServerOptions()), ServerOptions(), live)
    try:
        file.write_text('[log]\nlevel = "debug"\n')
        assert live.reload()
        assert logging.getLogger("mastra").level == logging.DEBUG
    finally:
        logs.release()
        logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 150
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


# Asking again and again with a key that is not known yet must not look like guessing.
APPLICATION = """
from mastra import Mastra
from mastra.server.limits import Rate
from mastra.server.options import ServerOptions
mastra = Mastra(server=ServerOptions(guess_rate=Rate(1e6, 1_000_000)))
"""


@pytest.mark.timeout(200)
def test_a_server_of_the_command_line_changes_its_keys_while_it_runs(tmp_path: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "keys.json").write_text(json.dumps(entry("one")))
    (tmp_path / "mastra.toml").write_text(f'[server]\nport = {port}\nkeys_file = "keys.json"\n')
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MASTRA_")}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mastra", "start"], cwd=tmp_path, stdout=log, stderr=log, env=environ
        )

    def status(token: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        try:
            return httpx.get(f"http://127.0.0.1:{port}/api/agents", headers=headers).status_code
        except httpx.TransportError:
            assert process.poll() is None, (tmp_path / "log").read_text()
            return 0

    try:
        until(lambda: status("one") == 200, "it did not start with the port and the key of its settings")
        assert status("two") == 401
        (tmp_path / "keys.json").write_text(json.dumps(entry("two")))
        until(lambda: status("two") == 200, "the new key is not known")
        assert status("one") == 401
        (tmp_path / "mastra.toml").write_text(f'[server]\nport = {port}\nkeys_file = "gone.json"\n')
        until(lambda: "refused" in (tmp_path / "log").read_text(), "the broken settings were not refused")
        assert status("two") == 200
    finally:
        process.terminate()
        process.wait(20)
