"""The page of `mastra dev` in a real browser: chat, an approval, a trace. Driven over the browser's own protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import shutil
import warnings
from pathlib import Path

import httpx
import pytest
import websockets
from tests.wire.serving import serving
from tests.wire.wire_application import SUNNY, make

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


class Page:
    """One tab: scripts run in it, and what it complains about is kept."""

    def __init__(self, ws):
        self._ws = ws
        self._numbers = itertools.count(1)
        self.complaints = []

    async def call(self, method, **params):
        number = next(self._numbers)
        await self._ws.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(await asyncio.wait_for(self._ws.recv(), 30))
            if told.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
                self.complaints.append(told["params"])
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]

    async def run(self, script):
        result = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, script):
        for _ in range(100):
            if value := await self.run(script):
                return value
            await asyncio.sleep(0.1)
        raise AssertionError(f"{script} never came true: {await self.run('document.body.innerText')}")

    async def say(self, text):
        await self.run(f"$('text').value = {json.dumps(text)}; $('ask').requestSubmit()")

    async def picture(self, path):
        shot = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.asynccontextmanager
async def browser(url, folder):
    """The page at this address; skipped, and said so, where no browser is installed."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        reason = "no Chromium is installed: the page was NOT tried in a browser"
        warnings.warn(pytest.PytestWarning(reason), stacklevel=3)
        pytest.skip(reason)
    process = await asyncio.create_subprocess_exec(
        found, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=1280,800",
        f"--user-data-dir={folder / 'profile'}", url, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        said = ""
        while not (told := re.search(r"DevTools listening on ws://([^/]+)/", said)):
            said += (await asyncio.wait_for(process.stderr.readline(), 60)).decode()
        async with httpx.AsyncClient(trust_env=False) as http:
            listed = (await http.get(f"http://{told[1]}/json/list")).json()
        tab = next(one for one in listed if one["type"] == "page")
        async with websockets.connect(tab["webSocketDebuggerUrl"], max_size=None) as ws:
            page = Page(ws)
            for domain in ("Runtime", "Log", "Page"):
                await page.call(f"{domain}.enable")
            yield page
    finally:
        process.terminate()
        await process.wait()


async def test_a_developer_uses_the_page(tmp_path):
    shots = Path(os.environ.get("MASTRA_SCREENSHOTS") or tmp_path)
    mastra = make(storage="memory:", telemetry=True)
    async with serving(mastra, page=True) as (_, place), browser(f"http://{place}/", tmp_path) as page:
        await page.until("document.querySelectorAll('#agent option').length === 2")
        await page.until("document.querySelectorAll('#workflows li').length === 4")
        await page.say("How is the weather in Paris?")
        await page.until(f"document.querySelector('#log').innerText.includes({json.dumps(SUNNY)})")
        assert await page.run("[...document.querySelectorAll('#log li')].map(one => one.className)") == [
            "user", "tool", "tool", "assistant"]  # fmt: skip
        # Whatever a user or a model says is text, never markup.
        await page.say("<img src=x onerror=alert(1)>")
        await page.until("document.querySelectorAll('#log li.assistant').length === 2")
        assert await page.run("document.querySelectorAll('#log img').length") == 0

        await page.run("$('agent').value = 'guarded'; $('fresh').click()")
        await page.say("the secret record")
        await page.until("document.querySelectorAll('#log .question button').length === 2")
        await page.picture(shots / "approval.png")
        await page.run("document.querySelector('#log .question button').click()")
        await page.until("document.querySelector('#log').innerText.includes('deleted')")

        await page.until("document.querySelectorAll('#traces li').length >= 4")
        await page.run("document.querySelectorAll('#traces button')[3].click()")
        await page.until("document.querySelectorAll('#detail li').length >= 4")
        widths = await page.run(
            "[...document.querySelectorAll('#detail i')].map(one => one.getBoundingClientRect().width)"
        )
        assert all(width > 0 for width in widths)
        await page.picture(shots / "trace.png")
        await page.say("fail-please")
        await page.until("document.querySelector('#log li.error') !== null")
        await page.call("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=True)
        assert await page.run("document.documentElement.scrollWidth") <= 400
        await page.picture(shots / "small.png")
        assert page.complaints == []
