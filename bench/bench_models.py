"""What a model call costs over a bare httpx call, beside the openai SDK; and what 2,000 streams at once take.

Run: python bench/bench_models.py   (pip install openai for the peer). The server runs in a process of its own; the
figures are CPU time of the client process, median of five rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import multiprocessing
import resource
import statistics
import sys
import time
from pathlib import Path

import httpx

from mastra.providers.compatible import Compatible
from mastra.providers.transport import HttpOptions, Timeouts
from mastra.types.model import ModelRequest, TextDelta
from mastra.types.prompt import SystemMessage, TextPart, UserMessage

SMALL, LARGE, ROUNDS = 10, 4000, 5
REQUEST = ModelRequest(messages=(SystemMessage("Be brief."), UserMessage((TextPart("Hello"),))))


def chunk(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": finish}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def answer(count: int) -> bytes:
    return b"".join(chunk("token ") for _ in range(count)) + chunk("", "stop") + b"data: [DONE]\n\n"


def serve(port: multiprocessing.Queue) -> None:
    """Answers `/small/...`, `/large/...` and `/slow/...` (two halves, the second one after a while)."""
    bodies = {b"small": answer(SMALL), b"large": answer(LARGE), b"slow": answer(SMALL)}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                kind = head.split(b"/", 2)[1]
                at = head.lower().index(b"content-length:") + 15
                await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
                body = bodies[kind]
                start = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(body)
                half = len(body) // 2 if kind == b"slow" else len(body)
                writer.write(start + body[:half])
                await writer.drain()
                if kind == b"slow":
                    await asyncio.sleep(10)
                    writer.write(body[half:])
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=4096)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    asyncio.run(main())


async def cpu(work, count: int) -> float:
    """CPU microseconds of one `work()`, the median of the rounds."""
    await work()
    rounds = []
    for _ in range(ROUNDS):
        gc.collect()
        begin = time.process_time()
        for _ in range(count):
            await work()
        rounds.append((time.process_time() - begin) / count * 1e6)
    return statistics.median(rounds)


async def main(port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    bare = httpx.AsyncClient(timeout=None)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}).encode()

    def by_httpx(kind: str):
        async def work() -> None:
            headers = {"content-type": "application/json", "authorization": "Bearer x"}
            async with bare.stream(
                "POST", f"{base}/{kind}/chat/completions", content=body, headers=headers
            ) as response:
                async for _ in response.aiter_raw():
                    pass

        return work

    def by_mastra(kind: str, http: HttpOptions | None = None):
        model = Compatible("m", vendor="bench", url=f"{base}/{kind}", api_key="x" * 20, http=http or HttpOptions())

        async def work() -> None:
            count = 0
            async for delta in model.stream(REQUEST):
                count += isinstance(delta, TextDelta)
            assert count in (SMALL, LARGE)

        return work, model

    rows = {"httpx alone": (by_httpx("small"), by_httpx("large"))}
    rows["mastra"] = (by_mastra("small")[0], by_mastra("large")[0])
    others = other_transports()
    for name, transport in others.items():
        under = HttpOptions(transport=transport)
        rows[f"mastra over {name}"] = (by_mastra("small", under)[0], by_mastra("large", under)[0])
    try:
        import openai  # noqa: PLC0415 - the peer is optional
    except ImportError:
        print("openai is not installed: no peer")
    else:

        def by_openai(kind: str):
            client = openai.AsyncOpenAI(api_key="x", base_url=f"{base}/{kind}")

            async def work() -> None:
                asked = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
                async for _ in await client.chat.completions.create(**asked):
                    pass

            return work

        rows["openai SDK"] = (by_openai("small"), by_openai("large"))
    print(f"{'':36}{'µs a request':>14}{'µs a delta':>12}")
    for name, (small, large) in rows.items():
        one, many = await cpu(small, 200), await cpu(large, 3)
        print(f"{name:36}{one:14.0f}{(many - one) / (LARGE - SMALL):12.2f}")
    for transport in others.values():
        await transport.aclose()
    await many_streams(base)


def other_transports() -> dict[str, httpx.AsyncBaseTransport]:
    """httpx's own, and those of other clients that are installed: pip install httpx-aiohttp pyreqwest."""
    found: dict[str, httpx.AsyncBaseTransport] = {"httpx's own transport": httpx.AsyncHTTPTransport()}
    try:
        from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - optional
    except ImportError:
        print("httpx-aiohttp is not installed")
    else:
        from aiohttp import ClientSession  # noqa: PLC0415 - comes with it

        found["aiohttp"] = AiohttpTransport(client=ClientSession)
    try:
        from pyreqwest.compatibility.httpx import HttpxTransport  # noqa: PLC0415 - optional
    except ImportError:
        print("pyreqwest is not installed")
    else:
        found["pyreqwest (Rust)"] = HttpxTransport()
    return found


async def many_streams(base: str, count: int = 2000) -> None:
    options = HttpOptions(max_connections=count, timeouts=Timeouts(connect_s=60, first_byte_s=60, idle_s=60))
    model = Compatible("m", vendor="bench", url=f"{base}/slow", api_key="x" * 20, http=options)
    begun = 0
    everybody = asyncio.Event()

    async def one() -> None:
        nonlocal begun
        first = True
        async for delta in model.stream(REQUEST):
            if first and isinstance(delta, TextDelta):
                first = False
                begun += 1
                if begun == count:
                    everybody.set()

    gc.collect()
    before = rss()
    started = time.perf_counter()
    tasks = [asyncio.create_task(one()) for _ in range(count)]
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(everybody.wait(), 60)
    took, used = time.perf_counter() - started, rss() - before
    print(f"{begun} streams at once after {took:.1f} s, {used / count:.1f} kB each")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def rss() -> int:
    """Resident kilobytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


if __name__ == "__main__":
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, limit[1]), limit[1]))
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    server = context.Process(target=serve, args=(queue,), daemon=True)
    server.start()
    try:
        asyncio.run(main(queue.get(timeout=30)))
    finally:
        server.kill()
    sys.exit(0)
