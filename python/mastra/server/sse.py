"""Framing: chunks as server-sent events or as records ended by 0x1E, joined so that a busy run costs few writes."""

from __future__ import annotations

import contextlib
import types
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pydantic_core import PydanticSerializationError, to_json

from mastra.errors import MastraError
from mastra.server.problems import problem
from mastra.types.chunks import Chunk
from mastra.types.json import dump_bytes
from mastra.types.times import to_wire

if TYPE_CHECKING:
    from mastra.runtime.broadcast import Observed
    from mastra.runtime.stream import RunStream

DONE = b"data: [DONE]\n\n"
CONNECTED = b": connected\n\n"
HEARTBEAT = b": \n\n"

T = TypeVar("T")
Frame: TypeAlias = Callable[[Chunk], bytes]
# Chunks that carry the provider's request: it holds the whole prompt and stays on the server.
# Chunks whose kind stands on the envelope of an observed run.
_TOLD = frozenset({"step-start", "finish"})
_WITH_REQUEST = frozenset({"step-start", "step-finish", "finish"})


def dumps(value: Any) -> bytes:
    """JSON as it goes over the wire. What is no number becomes null, as the protocol's own server writes it."""
    try:
        # Takes a third of the time that Python's own encoder does.
        return to_json(value, inf_nan_mode="null")
    except PydanticSerializationError:
        return dump_bytes(value)  # a lone surrogate, which UTF-8 cannot say


def wire(chunk: Chunk) -> str:
    """The JSON text of a chunk. A text delta, of which there are hundreds a run, is written by hand."""
    if chunk.type == "text-delta" and chunk.metadata is None:
        payload = chunk.payload
        if len(payload) == 2:
            return (
                f'{{"type":"text-delta","runId":"{chunk.run_id}","from":"{chunk.origin}",'
                f'"payload":{{"id":{encode_basestring(payload["id"])},"text":{encode_basestring(payload["text"])}}}}}'
            )
    data = chunk.to_wire()
    if chunk.type in _WITH_REQUEST:
        data["payload"] = _redacted(chunk.type, data["payload"])
    return dumps(data).decode()


def _redacted(kind: str, payload: Any) -> Any:
    if not isinstance(payload, dict):
        return payload
    if kind == "step-start":
        return {**payload, "request": {}}
    out = dict(payload)
    metadata = out.get("metadata")
    if isinstance(metadata, dict) and "request" in metadata:
        out["metadata"] = {key: value for key, value in metadata.items() if key != "request"}
    output = out.get("output")
    if isinstance(output, dict) and isinstance(output.get("steps"), list):
        steps = [{k: v for k, v in step.items() if k != "request"} for step in output["steps"]]
        out["output"] = {**output, "steps": steps}
    return out


def sse_frames(chunks: Iterable[Chunk]) -> bytes:
    """Chunks as `data:` blocks. Deltas of one text share all but their last field, which is written once."""
    out: list[str] = []
    opened: str | None = None
    text_id: Any = None
    run_id = ""
    for chunk in chunks:
        payload = chunk.payload
        if chunk.type == "text-delta" and chunk.metadata is None and len(payload) == 2:
            if opened is None or payload["id"] is not text_id or chunk.run_id is not run_id:
                text_id, run_id = payload["id"], chunk.run_id
                opened = (
                    f'data: {{"type":"text-delta","runId":"{run_id}","from":"{chunk.origin}",'
                    f'"payload":{{"id":{encode_basestring(text_id)},"text":'
                )
            out.append(f"{opened}{encode_basestring(payload['text'])}}}}}\n\n")
        else:
            out.append(f"data: {wire(chunk)}\n\n")
    return "".join(out).encode("utf-8", "replace")


def record_frames(chunks: Iterable[Chunk]) -> bytes:
    """Chunks as JSON records, each ended by 0x1E."""
    return "".join([f"{wire(chunk)}\x1e" for chunk in chunks]).encode("utf-8", "replace")


def error_chunk(error: BaseException, run_id: str, origin: Any = "AGENT") -> Chunk:
    """What a reader gets when a run breaks after its stream has begun: the error without its insides."""
    told = problem(error)
    code = error.code if isinstance(error, MastraError) else "internal"
    message = {"message": told.body.get("error", "error"), "name": type(error).__name__, "code": code}
    return Chunk("error", {"error": message}, run_id, origin)


async def agent_body(run: RunStream[Any], *, resumable: bool = False) -> AsyncIterator[bytes]:
    """An agent run as server-sent events. With `resumable`, an id block after each write says what was sent by then."""
    count = 0
    async with run:
        try:
            while batch := await run.take():
                count += len(batch)
                yield sse_frames(batch) + b"id: %d\n\n" % (count - 1) if resumable else sse_frames(batch)
        except Exception as error:
            if count == 0:
                raise
            yield sse_frames([error_chunk(error, run.run_id)])
        yield DONE


async def observe_body(run_id: str, chunks: AsyncIterable[Observed]) -> AsyncIterator[bytes]:
    """The chunks of a run, in the envelope that carries each one's index."""
    async for index, chunk in chunks:
        created = to_wire(datetime.now(UTC))
        kind = chunk.type if chunk.type in _TOLD else "chunk"
        envelope: dict[str, Any] = {"type": kind, "runId": run_id, "data": chunk.to_wire(), "id": f"{run_id}-{index}"}
        envelope.update(createdAt=created, index=index)
        yield b"data: " + dumps(envelope) + b"\n\nid: %d\n\n" % index
    yield DONE


async def record_body(run: RunStream[Any]) -> AsyncIterator[bytes]:
    """A workflow run as records. The end of the connection is the end of the run."""
    started = False
    async with run:
        try:
            while batch := await run.take():
                started = True
                yield record_frames(batch)
        except Exception as error:
            if not started:
                raise
            yield record_frames([error_chunk(error, run.run_id, "WORKFLOW")])


@types.coroutine
def _rest(work: Any, waits_for: Any) -> Any:
    """Go on with a coroutine that has begun and now waits for something."""
    while True:
        try:
            got = yield waits_for
        except BaseException as error:  # noqa: BLE001 - handed to the coroutine, which decides
            step = work.throw, error
        else:
            step = work.send, got
        try:
            waits_for = step[0](step[1])
        except StopIteration as end:
            return end.value


async def batches(chunks: AsyncIterable[T], at_most: int = 256) -> AsyncIterator[list[T]]:
    """What comes, in lists: everything that is there without waiting goes into one."""
    source = aiter(chunks)
    batch: list[T] = []
    work: Any = None
    try:
        while True:
            work = anext(source)
            try:
                # Begun by hand: what can be had at once ends here, without a turn of the event loop.
                waits_for = work.send(None)
            except StopIteration as end:
                work = None
                batch.append(end.value)
                if len(batch) >= at_most:
                    yield batch
                    batch = []
                continue
            if batch:
                yield batch
                batch = []
            batch.append(await _rest(work, waits_for))
            work = None
    except StopAsyncIteration:
        work = None
    except Exception:
        work = None
        if batch:
            yield batch
        raise
    finally:
        if work is not None:
            with contextlib.suppress(StopIteration, StopAsyncIteration, GeneratorExit, RuntimeError):
                work.throw(GeneratorExit())
    if batch:
        yield batch


async def first(body: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first bytes of a body, so that an error before them can still be an ordinary answer, and the rest."""
    async for head in body:
        return head, body
    return b"", body
