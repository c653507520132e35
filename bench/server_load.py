"""Load that wrk cannot make: requests at a fixed rate, and streams that wait. Needs a server of `server_app.py`.

  python bench/server_load.py rate 1000 10 http://127.0.0.1:4411     # latencies at 1,000 generate a second for 10 s
  python bench/server_load.py idle 2000 10 http://127.0.0.1:4411 PID # memory of process PID under 2,000 open streams

Give the model behind the server a latency: 50 ms for `rate`, a minute for `idle`.
"""

import asyncio
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

BODY = b'{"messages":[{"role":"user","content":"hello"}]}'


def request(path: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY


async def once(pool: list, host: str, port: int, raw: bytes, due: float, took: list[float]) -> None:
    reader, writer = pool.pop() if pool else await asyncio.open_connection(host, port)
    writer.write(raw)
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head[:16], head
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    # From when it was due, not from when it was sent: a late start is a wait of the caller's too.
    took.append(time.perf_counter() - due)
    pool.append((reader, writer))


async def at_rate(rate: int, seconds: int, host: str, port: int) -> None:
    raw, pool, tasks = request("/api/agents/assistant/generate"), [], []
    for warm in (True, False):
        took: list[float] = []
        began = time.perf_counter()
        for number in range(rate * (2 if warm else seconds)):
            due = began + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(once(pool, host, port, raw, due, took)))
        await asyncio.gather(*tasks)
        tasks.clear()
    took.sort()
    shown = {share: f"{took[int(len(took) * share / 100) - 1] * 1000:.1f} ms" for share in (50, 95, 99, 99.9)}
    print(f"{len(took)} requests at {rate}/s over {len(pool)} connections: {shown}")


def resident(pid: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def idle(count: int, seconds: int, host: str, port: int, pid: str) -> None:
    before, raw, held = resident(pid), request("/api/agents/assistant/stream"), []
    for _ in range(count):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(raw)
        held.append((reader, writer))
    heads = await asyncio.gather(*(reader.readuntil(b"\r\n\r\n") for reader, _ in held))
    assert all(b" 200 " in head[:16] for head in heads)
    await asyncio.sleep(seconds)
    print(f"{count} open streams: {before:.1f} MB before, {resident(pid):.1f} MB with them")
    for _, writer in held:
        writer.transport.abort()
    await asyncio.sleep(2)
    print(f"after they left: {resident(pid):.1f} MB")


def main() -> None:
    kind, count, seconds, url = sys.argv[1:5]
    place = urlsplit(url)
    facts = int(count), int(seconds), place.hostname or "127.0.0.1", place.port or 80
    asyncio.run(at_rate(*facts) if kind == "rate" else idle(*facts, sys.argv[5]))


if __name__ == "__main__":
    main()
