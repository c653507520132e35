"""Several worker processes of one server on one SQLite file, as `mastra start --workers` runs them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

# Three interpreters start for each server: on a busy machine that takes its time.
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="workers find each other over Unix sockets"),
    pytest.mark.timeout(300),
]

# `hold` blocks the whole worker that answers it: whoever connects meanwhile gets another one.
APPLICATION = """
import asyncio, logging, os, time
from pathlib import Path
from typing import TypedDict

from starlette.responses import JSONResponse
from starlette.routing import Route

from mastra import Agent, Mastra, Memory, Workflow, step, tool
from mastra.server.options import ServerOptions


class Text(TypedDict):
    text: str


class Yes(TypedDict):
    yes: bool


def note(file, text):
    with open(file, "a") as out:
        out.write(f"{text} {os.getpid()}\\n")


@tool
async def wait(file: str) -> str:
    "Waits for a file."
    while not Path(file).exists():
        await asyncio.sleep(0.02)
    return "waited"


@step(id="first")
async def first(input: Text, context) -> Text:
    note("first", context.run_id)
    return input


@step(id="second")
async def second(input: Text) -> Text:
    while not Path(input["text"]).exists():
        await asyncio.sleep(0.02)
    return input


@step(id="ask", resume=Yes)
async def ask(input: Text, context) -> Text:
    if context.resume_data is None:
        context.suspend({"question": "?"})
    note("asked", context.run_id)
    return input


@step(id="tick")
async def tick(input: Text, context) -> Text:
    note("ticks", context.run_id)
    return input


async def whoami(request):
    return JSONResponse({"pid": os.getpid()})


async def hold(request):
    name = request.query_params["name"]
    Path(name).touch()
    until = time.monotonic() + 80
    while Path(name).exists() and time.monotonic() < until:
        time.sleep(0.01)
    return JSONResponse({"pid": os.getpid()})


async def say(request):
    logging.getLogger("mastra.test").warning("said by %s", os.getpid())
    return JSONResponse({})


def flow(name, *steps):
    made = Workflow(name, input=Text, output=Text)
    for one in steps:
        made = made.then(one)
    return made.commit()


mastra = Mastra(
    agents=[
        Agent("clerk", instructions="x", model="scripted/noted", memory=Memory(last_messages=10)),
        Agent("waiter", instructions="x", model='scripted/call wait {"file": "agent-go"} | all done', tools=[wait]),
    ],
    workflows=[flow("slow", first, second), flow("asking", ask), flow("ticking", tick)],
    storage="sqlite:///app.db",
    server=ServerOptions(
        drain_s=90, timeout_s=100, stall_s=100, keep_logs=True,
        routes=[Route("/whoami", whoami), Route("/hold", hold), Route("/say", say)],
    ),
)
"""


def until(holds: Callable[[], Any], what: str, within_s: float = 90) -> Any:
    end = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < end, what
        time.sleep(0.03)
    return found


class House:
    """A running server, and connections that are tied to one of its workers each."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], port: int) -> None:
        self.folder = folder
        self.process = process
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self._clients: list[httpx.Client] = []

    def client(self) -> httpx.Client:
        limits = httpx.Limits(max_connections=1, keepalive_expiry=None)
        made = httpx.Client(base_url=self.base, timeout=90, limits=limits)
        self._clients.append(made)
        return made

    def pid(self, client: httpx.Client) -> int:
        pid: int = client.get("/whoami").json()["pid"]
        return pid

    def two(self) -> tuple[httpx.Client, httpx.Client]:
        """Connections to two different workers."""
        one = self.client()
        self.pid(one)
        return one, self.other(one)

    def other(self, one: httpx.Client) -> httpx.Client:
        """A connection to another worker than this one's, which stands still while it is made."""
        name = f"held-{len(self._clients)}"
        holding = threading.Thread(target=one.get, args=("/hold",), kwargs={"params": {"name": name}})
        holding.start()
        try:
            until((self.folder / name).exists, "the worker was not held")
            found = self.client()
            self.pid(found)
        finally:
            (self.folder / name).unlink(missing_ok=True)
            holding.join()
        return found

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def serving(folder: Path, workers: int = 2) -> Iterator[House]:
    (folder / "app.py").write_text(APPLICATION)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    command = [sys.executable, "-m", "mastra", "start", "--port", str(port), "--workers", str(workers)]
    # What the first interpreter compiles the others need not.
    environ = {**os.environ, "MASTRA_LOG_LEVEL": "warning", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environ, start_new_session=True)
    house = House(folder, process, port)
    try:
        until(lambda: process.poll() is not None or answers(house), "the server did not start", 200)
        assert process.poll() is None, house.log()
        yield house
    finally:
        house.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(house: House) -> bool:
    try:
        return httpx.get(f"{house.base}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with serving(tmp_path_factory.mktemp("workers")) as running:
        yield running


def lines(file: Path) -> list[str]:
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


def events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if line.startswith("data: {"):
            yield json.loads(line[6:])


def test_a_thread_begun_on_one_worker_goes_on_on_another(house: House) -> None:
    one, other = house.two()
    assert house.pid(one) != house.pid(other)
    memory = {"memory": {"thread": "shared", "resource": "u1"}}
    for client, said in ((one, "first"), (other, "second"), (one, "third")):
        assert client.post("/api/agents/clerk/generate", json={"messages": said, **memory}).status_code == 200
    for client in (one, other):
        told = client.get("/api/memory/threads/shared/messages", params={"agentId": "clerk"}).json()["messages"]
        assert [message["role"] for message in told] == ["user", "assistant"] * 3


def test_a_run_is_made_here_started_there_and_read_anywhere(house: House) -> None:
    one, other = house.two()
    run_id = one.post("/api/workflows/ticking/create-run", json={}).json()["runId"]
    path = f"/api/workflows/ticking/start-async?runId={run_id}"
    started = other.post(path, json={"inputData": {"text": "x"}})
    assert started.json()["status"] == "success"
    assert one.get(f"/api/workflows/ticking/runs/{run_id}").json()["status"] == "success"


def test_of_answers_on_two_workers_one_wins(house: House) -> None:
    clients = house.two()
    for _ in range(5):
        run_id = clients[0].post("/api/workflows/asking/create-run", json={}).json()["runId"]
        path = f"/api/workflows/asking/{{}}?runId={run_id}"
        waits = clients[0].post(path.format("start-async"), json={"inputData": {"text": "x"}})
        assert waits.json()["status"] == "suspended"
        got: list[httpx.Response] = []

        def answer(client: httpx.Client, path: str = path, got: list[httpx.Response] = got) -> None:
            body = {"step": "ask", "resumeData": {"yes": True}}
            got.append(client.post(path.format("resume-async"), json=body))

        threads = [threading.Thread(target=answer, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won, lost = sorted(got, key=lambda one: one.status_code)
        assert (won.status_code, won.json()["status"]) == (200, "success")
        # Who comes at the same moment meets a conflict, who comes later a run that waits for nothing any more.
        assert lost.status_code == 409 or lost.json() == {"error": "This workflow run was not suspended"}
        assert lines(house.folder / "asked").count(run_id) == 1


def test_a_run_of_an_agent_is_followed_from_another_worker(house: House) -> None:
    one, other = house.two()
    body = {"messages": "x", "detached": True, "runId": "detached-1"}
    with one.stream("POST", "/api/agents/waiter/stream", json=body) as answer:
        seen = []
        for chunk in events(answer):
            seen.append(chunk["type"])
            if chunk["type"] == "tool-call":
                break
    with other.stream("POST", "/api/agents/waiter/observe", json={"runId": "detached-1"}) as answer:
        assert answer.status_code == 200
        followed = []
        for event in events(answer):
            followed.append(event)
            if event["data"]["type"] == "tool-call":
                (house.folder / "agent-go").touch()
    assert [event["index"] for event in followed] == list(range(len(followed)))
    types = [event["data"]["type"] for event in followed]
    assert types[: len(seen)] == seen
    assert types[-1] == "finish"
    assert "text-delta" in types
    late = house.other(one).post("/api/agents/waiter/observe", json={"runId": "detached-1", "offset": len(types) - 2})
    assert [event["index"] for event in events(late)] == [len(types) - 2, len(types) - 1]
    missing = house.client().post("/api/agents/waiter/observe", json={"runId": "nobody-knows"})
    assert (missing.status_code, missing.json()) == (404, {"error": "Run not found"})


def test_a_workflow_is_followed_from_another_worker(house: House) -> None:
    one, other = house.two()
    run_id = one.post("/api/workflows/slow/create-run", json={}).json()["runId"]
    body = {"inputData": {"text": "flow-go"}}
    with one.stream("POST", f"/api/workflows/slow/stream?runId={run_id}", json=body) as at:
        next(at.iter_bytes())
        types = []
        with other.stream("POST", f"/api/workflows/slow/observe?runId={run_id}", json={}) as answer:
            left = ""
            for text in answer.iter_text():
                *whole, left = (left + text).split("\x1e")
                types += [json.loads(record)["type"] for record in whole]
                if "workflow-step-result" in types:
                    (house.folder / "flow-go").touch()
    assert types[0] == "workflow-start"
    assert types.count("workflow-step-result") == 2
    assert types[-1] == "workflow-finish"


def test_a_schedule_fires_once_for_all_workers(house: House) -> None:
    client = house.client()
    body = {"workflowId": "ticking", "cron": "* * * * * *", "inputData": {"text": "tick"}}
    made = client.post("/api/schedules", json=body).json()

    def fired() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = client.get(f"/api/schedules/{made['id']}/triggers").json()["triggers"]
        return rows

    until(lambda: sum(row["outcome"] == "succeeded" for row in fired()) >= 3, "the schedule did not fire")
    client.post(f"/api/schedules/{made['id']}/pause", json={})
    rows = until(lambda: (all(row["outcome"] != "pending" for row in found) and found if (found := fired()) else None),
                 "a trigger stayed open")  # fmt: skip
    moments = [row["scheduledFireAt"] for row in rows]
    assert len(set(moments)) == len(moments)
    runs = {row["runId"] for row in rows}
    assert len(runs) == len(rows)

    def ran() -> bool:
        return runs <= set(lines(house.folder / "ticks"))

    until(ran, "a run of the schedule did not come to its end")
    assert max(Counter(lines(house.folder / "ticks")).values()) == 1


def test_counters_and_logs_are_those_of_all_workers(house: House) -> None:
    one, other = house.two()

    def served(client: httpx.Client) -> int:
        found = 0
        for line in client.get("/metrics").text.splitlines():
            if line.startswith('mastra_http_requests_total{method="GET",route="/tools"'):
                found += int(line.rsplit(" ", 1)[1])
        return found

    before = served(one)
    for client in (one, other, other):
        assert client.get("/api/tools").status_code == 200
        client.get("/say")
    assert served(one) == served(other) == before + 3
    for client in (one, other):
        rows = client.get("/api/logs", params={"transportId": "memory", "perPage": 1000}).json()["logs"]
        assert {row["msg"] for row in rows} >= {f"said by {house.pid(one)}", f"said by {house.pid(other)}"}


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_its_runs_taken_over_and_none_outlives_the_server(tmp_path: Path) -> None:
    with serving(tmp_path) as house:
        one, other = house.two()
        dying = house.pid(one)
        run_id = one.post("/api/workflows/slow/create-run", json={}).json()["runId"]
        one.post(f"/api/workflows/slow/start?runId={run_id}", json={"inputData": {"text": "late-go"}})
        until(lambda: lines(tmp_path / "first") == [run_id], "the first step did not run")
        body = {"messages": "x", "detached": True, "runId": "dying-1"}
        with one.stream("POST", "/api/agents/waiter/stream", json=body) as answer:
            next(chunk for chunk in events(answer) if chunk["type"] == "tool-call")
        text = ""
        with other.stream("POST", "/api/agents/waiter/observe", json={"runId": "dying-1"}) as answer:
            try:
                for part in answer.iter_text():
                    text += part
                    if "tool-call" in text:
                        os.kill(dying, signal.SIGKILL)
            except httpx.TransportError:
                pass
        # Whoever followed it is told that this is not the end.
        assert "[DONE]" not in text
        (tmp_path / "late-go").touch()
        client = house.client()
        path = f"/api/workflows/slow/runs/{run_id}"
        until(lambda: client.get(path).json()["status"] == "success", "the run was lost")
        assert lines(tmp_path / "first") == [run_id]
        pids = [house.pid(client) for client in house.two()]
        assert dying not in pids
        house.close()
        house.process.kill()
        house.process.wait()

        def alive(pid: int) -> bool:
            try:
                # A zombie that nobody has waited for is dead too.
                return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
            except OSError:
                return False

        until(lambda: not any(map(alive, pids)), "a worker goes on without its parent")


def test_sigterm_lets_the_streams_of_all_workers_end(tmp_path: Path) -> None:
    with serving(tmp_path) as house:
        said: dict[int, list[str]] = {}
        begun = [threading.Event(), threading.Event()]

        def read(client: httpx.Client, at: int) -> None:
            with client.stream("POST", "/api/agents/waiter/stream", json={"messages": "x"}) as answer:
                kept = said.setdefault(at, [])
                for line in answer.iter_lines():
                    kept.append(line)
                    if '"tool-call"' in line:
                        begun[at].set()

        threads = [threading.Thread(target=read, args=(client, at)) for at, client in enumerate(house.two())]
        for thread in threads:
            thread.start()
        assert all(event.wait(90) for event in begun)
        house.process.terminate()
        until(lambda: not answers(house), "it still takes requests")
        assert house.process.poll() is None
        (tmp_path / "agent-go").touch()
        for thread in threads:
            thread.join(90)
        assert house.process.wait(90) in {0, -signal.SIGTERM}
        for kept in said.values():
            assert [line for line in kept if line][-1] == "data: [DONE]"
        assert "Traceback" not in house.log()
