"""Workflows over HTTP: what cannot be done with a run as it stands is told apart from a fault of the server."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from mastra import Mastra, StepContext, Workflow, step
from mastra.server.http import create_app
from mastra.storage.memory import MemoryStorage

broken: set[str] = set()


@step
async def act(value: dict[str, Any], ctx: StepContext) -> dict[str, Any]:
    if ctx.run_id in broken:
        raise ValueError("asked to fail")
    return {"n": value["n"] + 1}


@step(resume={"ok": bool})
async def ask(value: dict[str, Any], ctx: StepContext) -> Any:
    if ctx.resume_data is None:
        ctx.suspend({"why": "?"})
    return ctx.resume_data


def application() -> Mastra:
    flows = [Workflow("plain").then(act).commit(), Workflow("asks").then(act).then(ask).commit()]
    return Mastra(workflows=flows, storage=MemoryStorage())


def client(app: Mastra) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(app)), base_url="http://localhost/api/workflows")


async def start(http: httpx.AsyncClient, flow: str, run_id: str) -> Any:
    await http.post(f"/{flow}/create-run", params={"runId": run_id}, json={})
    return (await http.post(f"/{flow}/start-async", params={"runId": run_id}, json={"inputData": {"n": 1}})).json()


@pytest.mark.parametrize("way", ["restart", "restart-async"])
async def test_the_restart_of_a_run_that_has_succeeded_runs_nothing_and_tells_its_end(way: str) -> None:
    async with (app := application()), client(app) as http:
        ended = await start(http, "plain", "r1")
        assert ended["status"] == "success"
        answer = await http.post(f"/plain/{way}", params={"runId": "r1"}, json={})
        assert answer.status_code == 200
        assert answer.json() == (ended if way == "restart-async" else {"message": "Workflow run restarted"})
        missing = await http.post(f"/plain/{way}", params={"runId": "nobody"}, json={})
        assert missing.status_code == 404


async def test_a_failed_run_is_restarted_from_the_step_that_failed() -> None:
    broken.add("r2")
    async with (app := application()), client(app) as http:
        assert (await start(http, "plain", "r2"))["status"] == "failed"
        broken.discard("r2")
        answer = await http.post("/plain/restart-async", params={"runId": "r2"}, json={})
        assert (answer.status_code, answer.json()["status"]) == (200, "success")


async def test_one_of_many_resumes_wins_and_the_others_are_told_of_a_conflict() -> None:
    async with (app := application()), client(app) as http:
        for number in range(20):
            run_id = f"many{number}"
            assert (await start(http, "asks", run_id))["status"] == "suspended"
            body = {"step": "ask", "resumeData": {"ok": True}}
            calls = [http.post("/asks/resume-async", params={"runId": run_id}, json=body) for _ in range(8)]
            answers = await asyncio.gather(*calls)
            assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
        listed = (await http.get("/asks/runs")).json()
        assert {one["runId"] for one in listed["runs"]} == {f"many{number}" for number in range(20)}


async def test_what_is_not_there_is_not_found() -> None:
    async with (app := application()), client(app) as http:
        assert (await http.get("/nowhere")).status_code == 404
        assert (await http.get("/plain/runs/nobody")).status_code == 404
        assert (await http.post("/plain/runs/nobody/cancel")).status_code == 404
