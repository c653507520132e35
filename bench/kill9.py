"""Kills workers with SIGKILL and counts what was lost, repeated or left without a trace.

    python bench/kill9.py --cycles 1000 --fork
    python bench/kill9.py --cycles 500 --url "postgresql://root@127.0.0.1:5432/test?schema=kill9"

The supervisor is the only truth: it hears of every acknowledgement, effect and record over a socket, in another
process than the one that is killed. Effects are counted by their idempotency keys. Every second kill comes from the
supervisor at a random moment (every fifth of those within 50 ms of a start), the others from inside at a named point.
"""

# ruff: noqa: PLC0415 - the supervisor must not load what it watches
from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter

# How likely a worker dies whenever it passes the point.
POINTS = {
    "before-start": 0.05,
    "after-start": 0.05,
    "before-effect": 0.01,
    "after-effect": 0.01,
    "before-record": 0.01,
    "before-commit": 0.01,
    "after-commit": 0.01,
    "after-record": 0.01,
    "in-recovery": 0.3,
}
# A worker that did not pass its point by then is killed from outside.
PATIENCE_S = 5.0
# A worker that does nothing for so long hangs; it is asked for its stacks.
HUNG_S = 60.0


# ---------------------------------------------------------------- the worker


def build(say):
    from mastra import Workflow, step
    from mastra.types.records import Put, Table

    counts = Table("effects")

    def effect(name, pause=0.0):
        async def act(value, ctx):
            say("effect", ctx.idempotency_key)
            if pause:
                await asyncio.sleep(pause)
            return {"n": value["n"] + 1} if isinstance(value, dict) and "n" in value else {"n": 1}

        return step(id=name)(act)

    async def booked(value, ctx):
        key = ctx.run_id
        row = await ctx.services.storage.get(counts, key)
        ctx.write_with_result(Put(counts, key, {"count": (row or {"count": 0})["count"] + 1}))
        return value

    async def ask(value, ctx):
        if ctx.resume_data is None:
            ctx.suspend({"why": "?"})
        say("effect", ctx.idempotency_key)
        return {"n": 1}

    inner = Workflow("inner").then(effect("i1")).then(effect("i2")).commit()
    hooks = {"on_step_finish": lambda record: say("record", record.key)}
    plain = Workflow("plain", **hooks)
    for number in range(5):
        plain = plain.then(effect(f"s{number}", 0.002))
    return [
        plain.commit(),
        Workflow("tx", **hooks).then(effect("a")).then(step(id="booked")(booked)).then(effect("b")).commit(),
        Workflow("fan", **hooks).parallel([effect(f"p{i}", 0.002) for i in range(4)]).then(effect("end")).commit(),
        Workflow("nest", **hooks).then(effect("a")).then(inner).then(effect("b")).commit(),
        Workflow("timer", **hooks).then(effect("a")).sleep(0.05).then(effect("b")).commit(),
        Workflow("asks", **hooks)
        .then(effect("a"))
        .then(step(id="ask", resume={"ok": bool})(ask))
        .then(effect("b"))
        .commit(),
        Workflow("event", **hooks).then(effect("a")).wait_for_event("go").then(effect("b")).commit(),
    ]


def show_stacks():
    """On SIGUSR1 the stacks of all threads, on SIGUSR2 those of all tasks."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)

    def show():
        for task in asyncio.all_tasks():
            task.print_stack()

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, show)


async def worker(url, port, load):
    show_stacks()
    from mastra import Mastra
    from mastra.errors import MastraError
    from mastra.workflows import carrier

    link = socket.create_connection(("127.0.0.1", port))

    def say(kind, what):
        link.sendall(f"{kind} {what}\n".encode())

    workflows = build(say)
    # The key of a record is its place in a run: the hook is told the run by the carrier around it.
    begin = carrier.Carrier._prepare

    def prepare(self, **options):
        execution = begin(self, **options)
        prefix = f"{self.state.workflow_id}/{self.state.run_id}/"
        execution.hooks = type(execution.hooks)(
            **{name: getattr(execution.hooks, name) for name in execution.hooks.__slots__}
        )
        execution.hooks.on_step_finish = lambda record: say("record", prefix + record.key)
        return execution

    carrier.Carrier._prepare = prepare
    mastra = Mastra(workflows=workflows, storage=url)
    await mastra.open()
    say("open", str(os.getpid()))

    async def finish(workflow, run):
        for _ in range(1000):
            if workflow.id == "event" and run.status != "success":
                with contextlib.suppress(MastraError):
                    await run.send_event("go", {"n": 1})
            result = await run.wait()
            if result.status == "suspended":
                try:
                    result = await run.resume({"ok": True})
                except MastraError:
                    run = await workflow.get_run(run.run_id)
                    continue
            if result.status == "success":
                say("done", f"{workflow.id}/{run.run_id}")
                return
            run = await workflow.get_run(run.run_id)
        say("stuck", f"{workflow.id}/{run.run_id} {run.status}")

    tasks = set()
    for workflow in workflows:
        for status in ("running", "waiting", "suspended", "pending"):
            for one in (await workflow.list_runs(status=status, per_page=2000))["runs"]:
                run = await workflow.get_run(one["runId"])
                tasks.add(asyncio.ensure_future(finish(workflow, run)))
    say("left", str(len(tasks)))
    settle = asyncio.gather(*tasks)
    settle.add_done_callback(lambda _: say("recovered", "-"))

    async def one_after_another():
        while load:
            workflow = random.choice(workflows)
            run = await workflow.create_run()
            say("begin", f"{workflow.id}/{run.run_id}")
            await run.start_async({"n": 0})
            say("ack", f"{workflow.id}/{run.run_id}")
            await finish(workflow, run)

    await asyncio.gather(settle, *(one_after_another() for _ in range(8)))
    await mastra.close()
    say("idle", "-")


# ---------------------------------------------------------------- the supervisor


class Truth:
    def __init__(self):
        self.begun, self.acked, self.done = set(), set(), set()
        self.effects, self.recorded = Counter(), set()
        self.rerun = []
        # Seconds from the start of the process that follows, and from the moment it is open.
        self.recovery, self.takeover = [], []
        self.kills = Counter()

    def hear(self, line):
        kind, _, what = line.partition(" ")
        if kind == "begin":
            self.begun.add(what)
        elif kind == "ack":
            self.acked.add(what)
        elif kind == "done":
            self.done.add(what)
        elif kind == "record":
            self.recorded.add(what)
        elif kind == "effect":
            if what in self.recorded:
                self.rerun.append(what)
            self.effects[what] += 1
        return kind


def spawn(job, crash_at, told):
    """A worker from nothing, imports and all."""
    options = ["--url", job["url"], "--port", str(job["port"]), "--load", str(int(job["load"]))]
    env = {**os.environ, **({"MASTRA_CRASH_AT": crash_at} if crash_at else {})}
    return subprocess.Popen([sys.executable, __file__, "--worker", *options], env=env, stderr=told)


class Nursery:
    """A process that has loaded the library and forks itself for each worker: most of a start is imports."""

    def __init__(self, command):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert process.stdin is not None
        assert process.stdout is not None
        self._jobs, self._facts = process.stdin, process.stdout
        self.pid, self.returncode = 0, None

    def start(self, job, crash_at, told):
        """Fork a worker; this then stands for it."""
        place = f"/proc/{os.getpid()}/fd/{told.fileno()}"
        self._jobs.write(json.dumps({**job, "crash_at": crash_at, "told": place}).encode() + b"\n")
        self.pid, self.returncode = int(self._facts.readline()), None
        return self

    def poll(self):
        """How it ended, or None."""
        ready = self.returncode is None and select.select([self._facts], [], [], 0)[0]
        return self.wait() if ready else self.returncode

    def wait(self):
        """Wait for its end."""
        if self.returncode is None:
            self.returncode = int(self._facts.readline())
        return self.returncode

    def send_signal(self, sign):
        """Nobody else's: its parent waits for it until it has told us of its end."""
        if self.poll() is None:
            os.kill(self.pid, sign)


def fork_workers(work):
    """Fork a worker for each line that comes in; tell its process id and then how it ended."""
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            told = os.open(job["told"], os.O_WRONLY | os.O_APPEND)
            for stream in (1, 2):
                os.dup2(told, stream)
            random.seed()
            asyncio.run(work(job))
            os._exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def nursery():
    from mastra.storage import postgres, sqlite
    from mastra.workflows import crashpoints, run, schedules, workflow

    del postgres, sqlite, run, schedules, workflow

    async def work(job):
        crashpoints._POINTS.update(crashpoints._parse(job["crash_at"]))
        await worker(job["url"], job["port"], job["load"])

    fork_workers(work)


def cycle(truth, start, url, server, seconds, crash_at=""):
    """One process from its start to its end; `seconds` of 0 lets it finish what is left."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as told:
        # A file, not a pipe: nobody reads it before the end, and a full pipe would hold the worker.
        child = start({"url": url, "port": server.getsockname()[1], "load": bool(seconds)}, crash_at, told)
        kinds, hung, killed = Counter(), None, False
        link = _accept(server, child)
        if link is None:
            hung = "does not come up"
        else:
            hung, killed = _hear(truth, link, child, kinds, (begun, seconds, crash_at))
            link.close()
        if hung is not None and child.poll() is None:
            # Each thread's and each task's stack, then the end.
            for sign in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGKILL):
                child.send_signal(sign)
                time.sleep(0.5)
        child.wait()
        told.seek(0)
        errors = told.read()
    if hung is not None:
        raise SystemExit(f"The worker {hung}: {dict(kinds)}\n{errors[-20_000:]}")
    if child.returncode == -9 and seconds:
        truth.kills["outside" if killed else crash_at.partition(":")[0]] += 1
    if child.returncode not in (0, -9):
        print("worker failed:", child.returncode, errors[-3000:])
    return kinds


def _accept(server, child):
    server.settimeout(0.5)
    end = time.perf_counter() + HUNG_S
    while time.perf_counter() < end and child.poll() is None:
        with contextlib.suppress(TimeoutError):
            return server.accept()[0]
    return None


def _hear(truth, link, child, kinds, facts):
    """Listen until the worker is gone, and kill it when its time has come: what hung, and whether it was killed."""
    begun, seconds, crash_at = facts
    buffer, end, killed = b"", None, False
    opened = heard = time.perf_counter()
    link.settimeout(0.02)
    while True:
        try:
            data = link.recv(1 << 16)
            if not data:
                return None, killed
            heard = time.perf_counter()
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                kind = truth.hear(line.decode())
                kinds[kind] += 1
                if kind == "open":
                    opened = time.perf_counter()
                    if seconds:
                        end = opened + (PATIENCE_S if crash_at else random.uniform(0.0, seconds))
                if kind == "recovered":
                    truth.recovery.append(time.perf_counter() - begun)
                    truth.takeover.append(time.perf_counter() - opened)
                if kind == "stuck":
                    print("STUCK", line)
        except TimeoutError:
            pass
        except ConnectionResetError:
            return None, killed
        if end is not None and time.perf_counter() >= end and child.poll() is None:
            child.send_signal(signal.SIGKILL)
            end, killed = None, True
        if time.perf_counter() - heard > HUNG_S:
            return "says nothing more", killed


async def verify(truth, url):
    from mastra.registry import open_url
    from mastra.types.records import Table
    from mastra.workflows.tables import RUNS

    storage = open_url("mastra.storage", url)
    await storage.open()
    lost = [key for key in truth.acked if await storage.get(RUNS, key) is None]
    rows, after = [], None
    while True:
        page = await storage.scan(RUNS, after=after, limit=1000)
        rows += page.records
        after = page.after
        if after is None:
            break
    stuck = [(row.key, row.value["status"]) for row in rows if row.value["status"] != "success"]
    effects = {what.split("/")[1] for what in truth.effects}
    known = {row.value["runId"] for row in rows}
    double = 0
    for row in rows:
        if row.value["workflow"] == "tx":
            count = await storage.get(Table("effects"), row.value["runId"])
            double += count is None or count["count"] != 1
    await storage.close()
    return {
        "lost": len(lost),
        "stuck": stuck[:5],
        "no_trace": len(effects - known),
        "tx_not_once": double,
        "runs": len(rows),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--url", default="")
    parser.add_argument("--seconds", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no more cycles after this time")
    parser.add_argument("--chance", type=float, default=1.0, help="times as likely to die at a point: for slow storage")
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--fork", action="store_true", help="fork workers from a process that has loaded the library")
    parser.add_argument("--nursery", action="store_true")
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--load", type=int, default=1)
    given = parser.parse_args()
    if given.nursery:
        nursery()
        return 0
    if given.worker:
        asyncio.run(worker(given.url, given.port, given.load))
        return 0
    seed = given.seed if given.seed is not None else random.randrange(1 << 30)
    random.seed(seed)
    folder = tempfile.mkdtemp()
    url = given.url or f"sqlite:///{folder}/kill.db"
    server = socket.create_server(("127.0.0.1", 0))
    truth = Truth()
    start = Nursery([sys.executable, __file__, "--nursery"]).start if given.fork else spawn
    names, begun = list(POINTS), time.monotonic()
    for number in range(given.cycles):
        if time.monotonic() - begun > 60 * given.minutes:
            break
        name = names[number // 2 % len(names)] if number % 2 else ""
        seconds = 0.05 if number % 10 == 0 else given.seconds
        cycle(truth, start, url, server, seconds, f"{name}:{min(1.0, given.chance * POINTS[name])}" if name else "")
        if given.progress and number % 50 == 49:
            print(number + 1, len(truth.acked), len(truth.rerun), dict(truth.kills), file=sys.stderr, flush=True)
    cycle(truth, start, url, server, 0)
    facts = asyncio.run(verify(truth, url))

    def at(times, share):
        return round(sorted(times or [0.0])[int(len(times) * share)], 2)

    facts |= {
        "seed": seed,
        "kills": sum(truth.kills.values()),
        "kills_at": dict(truth.kills),
        "acked": len(truth.acked),
        "recorded_rerun": len(truth.rerun),
        "repeated_unrecorded": sum(count - 1 for count in truth.effects.values()),
        "effects": sum(truth.effects.values()),
        "recovery_p50_s": at(truth.recovery, 0.5),
        "recovery_p99_s": at(truth.recovery, 0.99),
        "takeover_p50_s": at(truth.takeover, 0.5),
        "takeover_p99_s": at(truth.takeover, 0.99),
    }
    print(json.dumps(facts, indent=1))
    good = not facts["lost"] and not facts["stuck"] and not facts["recorded_rerun"] and not facts["no_trace"]
    return 0 if good and not facts["tx_not_once"] else 1


if __name__ == "__main__":
    sys.exit(main())
