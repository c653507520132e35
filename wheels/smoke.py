"""Proves an installed wheel: run it with the Python that has mastra installed, on the platform that it is for.

Imports the package, forces each kernel against a double-precision reference, and runs the parts that need the core.
Prints what it did; the last line is "smoke: ok". One process, no network, no key, nothing but mastra itself.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path

# A kernel is chosen once in a process: where there are no others, the active one is the one that is tried.
WITHOUT_PROCESSES = {"android", "ios", "emscripten", "wasi"}


def step(name: str) -> None:
    """Say what comes."""
    print(f"- {name}", flush=True)


def reference_dot(a: array[float], b: array[float]) -> float:
    """The meaning of a dot product."""
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def check_kernel() -> None:
    """The active kernel against the reference, for lengths around every vector width."""
    from mastra.native.distance import active_kernel, cosine, dot, l2  # noqa: PLC0415 - the import is part of the proof

    wanted = os.environ.get("MASTRA_KERNEL")
    name = active_kernel()
    if wanted and name != wanted:
        raise SystemExit(f"asked for the kernel {wanted}, got {name}")
    rng = random.Random(7)  # noqa: S311 - numbers to multiply
    for length in (1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 100, 257):
        a = array("f", (rng.uniform(-1, 1) for _ in range(length)))
        b = array("f", (rng.uniform(-1, 1) for _ in range(length)))
        size = math.sqrt(reference_dot(a, a) * reference_dot(b, b))
        close(float(dot(a, b)), reference_dot(a, b), size, f"dot of {length} by {name}")
        difference = array("f", (x - y for x, y in zip(a, b, strict=True)))
        close(float(l2(a, b)), reference_dot(difference, difference), size + 1, f"l2 of {length} by {name}")
        close(float(cosine(a, b)), reference_dot(a, b) / size, 1.0, f"cosine of {length} by {name}")


def close(value: float, expected: float, scale: float, what: str) -> None:
    """Single precision, not more and not less."""
    if not abs(value - expected) <= 2e-6 * max(scale, 1e-3):
        raise SystemExit(f"{what}: {value!r} is not {expected!r}")


def check_every_kernel() -> None:
    """Each kernel of this machine, forced in a process of its own."""
    from mastra.native.distance import active_kernel, kernels  # noqa: PLC0415 - the import is part of the proof

    print(f"kernel: {active_kernel()}")
    print(f"kernels: {' '.join(kernels())}", flush=True)
    check_kernel()
    if sys.platform in WITHOUT_PROCESSES:
        print("  no other kernel is forced: this system starts no processes")
        return
    for name in kernels():
        environment = {**os.environ, "MASTRA_KERNEL": name}
        subprocess.run([*interpreter(), __file__, "--kernel"], env=environment, check=True)


def interpreter() -> list[str]:
    """What starts this interpreter: an emulated one cannot start itself, so who runs us says how."""
    return [part for part in os.environ.get("SMOKE_RUNNER", sys.executable).split("\n") if part]


def check_parsers() -> None:
    """Stream and JSON parsers of the core."""
    from mastra.native.json import PartialJson  # noqa: PLC0415 - the import is part of the proof
    from mastra.native.sse import SseParser  # noqa: PLC0415 - the same

    parser = SseParser()
    events = [event for piece in (b"data: a", b"\n\ndata: b\n", b"\n") for event in parser.feed(piece)]
    assert [event.data for event in events] == ["a", "b"], events
    partial = PartialJson()
    partial.feed('{"a": [1, 2')
    assert partial.value == {"a": [1, 2]}, partial.value


def check_index(folder: Path) -> None:
    """The vector index: built, searched, saved, opened again, and right."""
    import numpy as np  # noqa: PLC0415 - a dependency of the index alone

    from mastra.native.index import VectorIndex  # noqa: PLC0415 - the import is part of the proof

    rng = random.Random(3)  # noqa: S311 - and not numpy's, which needs a zlib that a small Python lacks
    vectors = np.array([[rng.gauss() for _ in range(48)] for _ in range(500)], dtype=np.float32)
    index = VectorIndex(48, metric="cosine", storage="f32")
    index.add(vectors)
    file = folder / "smoke.index"
    index.save(file)
    opened = VectorIndex.open(file)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = 0
    for row in range(0, 500, 25):
        ids, _ = opened.search(vectors[row], 10)
        assert ids[0] == row, (row, ids)
        best = np.argsort(-(unit @ unit[row]), kind="stable")[:10]
        found += len(set(map(int, ids)) & set(map(int, best)))
    assert found >= 190, f"recall {found / 200}"
    print(f"  recall@10 {found / 200:.3f}")


async def check_agent_and_workflow(folder: Path) -> None:
    """An agent with a tool, remembered in SQLite, and a workflow that waits and goes on after a restart."""
    from mastra import Agent, Mastra, StepContext, Workflow, step, tool  # noqa: PLC0415 - the import is part of the proof
    from mastra.memory.memory import Memory  # noqa: PLC0415 - the same

    @tool
    async def double(number: int) -> int:
        """Twice the number."""
        return 2 * number

    @step
    async def ask(value: dict, ctx: StepContext) -> dict:
        if ctx.resume_data is None:
            ctx.suspend({"ok?": value})
        return {**value, "resumed": ctx.resume_data}

    script = 'scripted/call double {"number": 21} | It is 42.'
    url = f"sqlite:///{folder / 'smoke.db'}"
    agent = Agent("smoke", model=script, tools=[double], memory=Memory())
    workflow = Workflow("smoke").then(ask).commit()
    async with Mastra(agents=[agent], workflows=[workflow], storage=url):
        result = await agent.generate("Double 21.", thread="t1", resource="u1")
        assert result.text == "It is 42.", result.text
        assert len(result.steps) == 2
        run = await workflow.create_run()
        waiting = await run.start({"n": 1})
        assert waiting.status == "suspended", waiting.status
    again = Workflow("smoke").then(ask).commit()
    async with Mastra(workflows=[again], storage=url):
        done = await (await again.get_run(run.run_id)).resume({"yes": True})
        assert done.result == {"n": 1, "resumed": {"yes": True}}, done


def main() -> None:
    """Everything, in order."""
    if "--kernel" in sys.argv:
        check_kernel()
        return
    import mastra  # noqa: PLC0415 - the import is the first proof
    from mastra.native import build_info  # noqa: PLC0415 - the same

    info = build_info()
    print(f"mastra {mastra.__version__} on Python {sys.version.split()[0]}: {info}", flush=True)
    assert info["version"] == mastra.__version__
    step("kernels against the reference")
    check_every_kernel()
    step("parsers")
    check_parsers()
    with tempfile.TemporaryDirectory() as folder:
        step("vector index: build, search, save, open")
        check_index(Path(folder))
        step("agent with a tool and memory; durable workflow")
        asyncio.run(check_agent_and_workflow(Path(folder)))
    print("smoke: ok")


if __name__ == "__main__":
    main()
