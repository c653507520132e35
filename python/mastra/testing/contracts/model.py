"""What every chat model behind HTTP must do. `CHECKS` maps a sentence to a coroutine function of a `WireFormat`.

Each check starts a real server on this machine that answers in the format, rightly or wrongly. With pytest:
`@pytest.mark.parametrize("sentence", CHECKS)` and `await CHECKS[sentence](WIRE_FORMATS["anthropic"])`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mastra.errors import (
    AuthFailed,
    BadModelRequest,
    ContextTooLong,
    ModelError,
    ModelMissing,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
    ResponseMalformed,
    StreamBroken,
)
from mastra.runtime.resilience import Resilience, ResilientModel
from mastra.testing.clock import HandClock
from mastra.testing.contracts.expectations import expect
from mastra.testing.fault_server import FaultServer, Reply
from mastra.testing.wire_samples import WireFormat
from mastra.types.model import (
    Finish,
    ModelDelta,
    ModelRequest,
    ModelSettings,
    ResponseStart,
    TextDelta,
    TextEnd,
    TextStart,
    ToolCall,
    ToolInputEnd,
    ToolInputStart,
    ToolSpec,
)
from mastra.types.prompt import SystemMessage, TextPart, UserMessage

Check = Callable[[WireFormat], Awaitable[None]]
CHECKS: dict[str, Check] = {}
PIECES = ("Hello, ", "世界 ", "🌍🏽 ", "naïve", " ends.")
TEXT = "".join(PIECES)
TOOL = ToolSpec("get_weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
ARGUMENTS = ('{"city"', ': "Os', 'lo"}')


def check(sentence: str) -> Callable[[Check], Check]:
    """Name a check."""

    def add(function: Check) -> Check:
        CHECKS[sentence] = function
        return function

    return add


def request(text: str = "Hi", **more: Any) -> ModelRequest:
    """A small request."""
    return ModelRequest(messages=(SystemMessage("Be brief."), UserMessage((TextPart(text),))), **more)


def answer(wire: WireFormat, body: bytes | Sequence[bytes], **more: Any) -> Reply:
    """A good answer with these bytes."""
    pieces = (body,) if isinstance(body, bytes) else body
    return Reply(headers={"content-type": wire.content_type}, pieces=pieces, **more)


def with_limits(**limits: float) -> Any:
    """Connections with other time limits."""
    from mastra.providers.transport import HttpOptions, Timeouts  # noqa: PLC0415 - loads the HTTP client

    return HttpOptions(timeouts=Timeouts(**limits))


async def collect(model: Any, asked: ModelRequest | None = None) -> tuple[list[ModelDelta], ModelError | None]:
    """All deltas, and the error if it ended in one."""
    deltas: list[ModelDelta] = []
    stream = model.stream(asked or request())
    try:
        async for delta in stream:
            deltas.append(delta)  # noqa: PERF401 - what came before an error counts
    except ModelError as error:
        return deltas, error
    finally:
        await stream.aclose()
    return deltas, None


async def run(
    wire: WireFormat, *replies: Reply, asked: ModelRequest | None = None, http: Any = None
) -> tuple[list[ModelDelta], ModelError | None, FaultServer]:
    """Ask a server that answers like this."""
    async with FaultServer(*replies) as server:
        model = wire.make(server.url, http=http or with_limits())
        try:
            deltas, error = await collect(model, asked)
        finally:
            await model.close()
        return deltas, error, server


def text_of(deltas: Sequence[ModelDelta]) -> str:
    """The text in the deltas."""
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def expect_whole(deltas: Sequence[ModelDelta], error: ModelError | None, text: str = TEXT) -> None:
    """The answer is the text, and it ended as it should."""
    expect(error, None)
    expect(text_of(deltas), text)
    expect(isinstance(deltas[0], ResponseStart), True, deltas[0])
    last = deltas[-1]
    expect(isinstance(last, Finish) and last.reason, "stop")
    expect(sum(isinstance(delta, Finish) for delta in deltas), 1)
    expect(sum(isinstance(delta, TextStart) for delta in deltas), sum(isinstance(delta, TextEnd) for delta in deltas))


def expect_failure(
    deltas: Sequence[ModelDelta], error: ModelError | None, kind: type[ModelError], *, retryable: bool
) -> None:
    """It failed with this error, and nothing claims that it ended well."""
    expect(type(error), kind, error)
    expect(error is not None and error.retryable, retryable, error)
    expect([delta for delta in deltas if isinstance(delta, Finish | ToolCall)], [])


# ---------------------------------------------------------------- answers that are right


@check("a plain answer is whole")
async def _(wire: WireFormat) -> None:
    deltas, error, server = await run(wire, answer(wire, wire.encode(wire.text(PIECES))))
    expect_whole(deltas, error)
    finish = deltas[-1]
    expect(isinstance(finish, Finish) and (finish.usage.input_tokens, finish.usage.output_tokens), (11, 7))
    expect(len(server.requests), 1)
    expect(b"Be brief." in server.requests[0].body, wanted=True)


@check("an answer that comes one byte at a time is whole")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.text(PIECES))
    deltas, error, _ = await run(wire, answer(wire, [body[i : i + 1] for i in range(len(body))]))
    expect_whole(deltas, error)


@check("lines may end with CR LF")
async def _(wire: WireFormat) -> None:
    newline = "\n" if wire.kind == "event-stream" else "\r\n"
    deltas, error, _ = await run(wire, answer(wire, wire.encode(wire.text(PIECES), newline=newline)))
    expect_whole(deltas, error)


@check("lines of an event stream may end with CR alone")
async def _(wire: WireFormat) -> None:
    newline = "\r" if wire.kind == "sse" else "\n"
    deltas, error, _ = await run(wire, answer(wire, wire.encode(wire.text(PIECES), newline=newline)))
    expect_whole(deltas, error)


@check("U+2028 and U+0085 inside a text do not end a line")
async def _(wire: WireFormat) -> None:
    pieces = ("a\u2028b", "c\u0085d", "\u2029")
    deltas, error, _ = await run(wire, answer(wire, wire.encode(wire.text(pieces))))
    expect_whole(deltas, error, "".join(pieces))


@check("an event of 20 MB is read")
async def _(wire: WireFormat) -> None:
    large = "x" * 20_000_000
    deltas, error, _ = await run(wire, answer(wire, wire.encode(wire.text((large,)))))
    expect_whole(deltas, error, large)


@check("an empty first piece and a ping are passed over")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.text(PIECES))
    first = {"sse": b": ping\n\n", "lines": b"\n", "event-stream": wire.raw("aNewEvent", b"{}")}[wire.kind]
    deltas, error, _ = await run(wire, answer(wire, [b"", first, body]))
    expect_whole(deltas, error)


@check("there need be no space after a field's colon")
async def _(wire: WireFormat) -> None:
    deltas, error, _ = await run(wire, answer(wire, wire.encode(wire.text(PIECES), space="")))
    expect_whole(deltas, error)


@check("comments between events are passed over")
async def _(wire: WireFormat) -> None:
    between = {"sse": ": keep-alive\n\n", "lines": "\n", "event-stream": ""}[wire.kind]
    deltas, error, _ = await run(wire, answer(wire, wire.encode(wire.text(PIECES), between=between)))
    expect_whole(deltas, error)


@check("a byte-order mark at the start is dropped")
async def _(wire: WireFormat) -> None:
    mark = b"\xef\xbb\xbf" if wire.kind == "sse" else b""
    deltas, error, _ = await run(wire, answer(wire, mark + wire.encode(wire.text(PIECES))))
    expect_whole(deltas, error)


async def _retried(wire: WireFormat, refusal: Reply) -> HandClock:
    clock = HandClock(jump=True)
    async with FaultServer(refusal, answer(wire, wire.encode(wire.text(PIECES)))) as server:
        model = ResilientModel(wire.make(server.url, http=with_limits()), Resilience(clock=clock))
        try:
            deltas, error = await collect(model)
        finally:
            await model.close()
    expect_whole(deltas, error)
    expect(len(server.requests), 2)
    return clock


@check("a 429 that asks to wait is obeyed and tried again")
async def _(wire: WireFormat) -> None:
    clock = await _retried(wire, Reply(status=429, headers={"retry-after": "1"}, pieces=(b"{}",)))
    expect(len(clock.slept) == 1 and 1 <= clock.slept[0] <= 2, True, clock.slept)


@check("a 529 is tried again")
async def _(wire: WireFormat) -> None:
    clock = await _retried(wire, Reply(status=529, pieces=(b'{"error":{"message":"Overloaded"}}',)))
    expect(len(clock.slept), 1)


@check("an unknown event is passed over")
async def _(wire: WireFormat) -> None:
    events = wire.text(PIECES)
    strange = ("aNewEvent", {"type": "a.new.event", "created_at": "2026-01-01T00:00:00Z", "hello": [1, None]})
    deltas, error, _ = await run(wire, answer(wire, wire.encode([*events[:1], strange, *events[1:]])))
    expect_whole(deltas, error)


# ---------------------------------------------------------------- answers that are wrong


@check("an answer that ends in the middle of an event is broken")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.text(PIECES))
    last = wire.encode(wire.text(PIECES)[-wire.terminal :])
    deltas, error, _ = await run(wire, answer(wire, body[: len(body) - len(last) - 9]))
    expect_failure(deltas, error, StreamBroken, retryable=True)


@check("an answer that ends between events without its terminal event is broken")
async def _(wire: WireFormat) -> None:
    deltas, error, _ = await run(wire, answer(wire, wire.encode(wire.text(PIECES)[: -wire.terminal])))
    expect_failure(deltas, error, StreamBroken, retryable=True)
    expect(text_of(deltas), TEXT)


@check("a connection that is closed in the middle is a broken stream")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.text(PIECES)[: -wire.terminal])
    deltas, error, _ = await run(wire, answer(wire, body, end="cut"))
    expect_failure(deltas, error, StreamBroken, retryable=True)


@check("an error event in the middle is the error that it names")
async def _(wire: WireFormat) -> None:
    body = wire.encode([*wire.text(PIECES)[: -wire.terminal], wire.overloaded])
    deltas, error, _ = await run(wire, answer(wire, body))
    expect_failure(deltas, error, ModelUnavailable, retryable=True)
    expect(text_of(deltas), TEXT)
    expect(error is not None and error.status != 200, wanted=True)


@check("bytes that are not UTF-8 are refused")
async def _(wire: WireFormat) -> None:
    events = wire.text(PIECES)
    body = wire.encode(events[:2]) + wire.raw(events[1][0], b'{"a":"\xff\xfe"}') + wire.encode(events[2:])
    deltas, error, _ = await run(wire, answer(wire, body))
    expect_failure(deltas, error, ResponseMalformed, retryable=False)


@check("an event with broken JSON is refused")
async def _(wire: WireFormat) -> None:
    events = wire.text(PIECES)
    body = wire.encode(events[:2]) + wire.raw(events[1][0], b'{"a":') + wire.encode(events[2:])
    deltas, error, _ = await run(wire, answer(wire, body))
    expect_failure(deltas, error, ResponseMalformed, retryable=False)


@check("an answer that falls silent runs into the idle limit")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.text(PIECES)[: -wire.terminal])
    reply = answer(wire, body, end="stall")
    deltas, error, _ = await run(wire, reply, http=with_limits(idle_s=0.05))
    expect_failure(deltas, error, ModelTimeout, retryable=True)
    expect(error is not None and error.details["phase"], "idle")
    expect(text_of(deltas), TEXT)


@check("a connection that is reset is a broken stream")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.text(PIECES)[: -wire.terminal])
    deltas, error, _ = await run(wire, answer(wire, [body, b""], end="reset", pause_s=0.01))
    expect_failure(deltas, error, StreamBroken, retryable=True)


@check("a wait longer than the deadline fails at once and says how long")
async def _(wire: WireFormat) -> None:
    clock = HandClock(jump=True)
    refusal = Reply(status=429, headers={"retry-after": "3600"}, pieces=(b"{}",))
    async with FaultServer(refusal) as server:
        import time  # noqa: PLC0415 - the deadline is on the real clock

        resilience = Resilience(clock=clock)
        model = ResilientModel(wire.make(server.url, http=with_limits()), resilience)
        clock._monotonic = time.monotonic()  # noqa: SLF001 - both clocks must agree on the deadline
        try:
            deltas, error = await collect(model, request(deadline=time.monotonic() + 60))
        finally:
            await model.close()
    expect_failure(deltas, error, RateLimited, retryable=True)
    expect(isinstance(error, RateLimited) and error.retry_after, 3600.0)
    expect("3600" in str(error), True, error)
    expect((clock.slept, len(server.requests)), ([], 1))


@check("a 503 with an HTML page is an unavailable provider")
async def _(wire: WireFormat) -> None:
    page = b"<html><head><title>503</title></head><body><center>nginx</center></body></html>"
    reply = Reply(status=503, headers={"content-type": "text/html"}, pieces=(page,))
    deltas, error, _ = await run(wire, reply)
    expect_failure(deltas, error, ModelUnavailable, retryable=True)
    expect("<html" in str(error), False, error)


@check("a 200 with a JSON error instead of a stream is an error")
async def _(wire: WireFormat) -> None:
    body = b'{"error":{"message":"The server is overloaded","type":"server_error","code":503}}'
    reply = Reply(headers={"content-type": "application/json"}, pieces=(body,))
    deltas, error, _ = await run(wire, reply)
    expect_failure(deltas, error, ModelUnavailable, retryable=True)


@check("a 200 with a web page instead of a stream is an error")
async def _(wire: WireFormat) -> None:
    reply = Reply(headers={"content-type": "text/html"}, pieces=(b"<html>Welcome</html>",))
    deltas, error, _ = await run(wire, reply)
    expect_failure(deltas, error, ResponseMalformed, retryable=False)


@check("an event of another shape than the protocol's is refused")
async def _(wire: WireFormat) -> None:
    for shape in (b"[1]", b'"text"', b"1"):
        events = wire.text(PIECES)
        body = wire.encode(events[:1]) + wire.raw(events[1][0], shape) + wire.encode(events[1:])
        deltas, error, _ = await run(wire, answer(wire, body))
        expect_failure(deltas, error, ResponseMalformed, retryable=False)


@check("a refusal is the error of its status")
async def _(wire: WireFormat) -> None:
    cases: list[tuple[int, str, type[ModelError], bool]] = [
        (401, "Invalid key", AuthFailed, False),
        (403, "Not allowed", AuthFailed, False),
        (404, "The model does not exist", ModelMissing, False),
        (400, "Invalid value for temperature", BadModelRequest, False),
        (400, "This model's maximum context length is 10 tokens", ContextTooLong, False),
        (429, "Too many requests", RateLimited, True),
        (429, "You exceeded your current quota, please check your plan and billing", RateLimited, False),
        (500, "Internal", ModelUnavailable, True),
        (504, "Gateway timeout", ModelTimeout, True),
    ]
    for status, message, kind, retryable in cases:
        body = json.dumps({"error": {"message": message}}).encode()
        reply = Reply(
            status=status, headers={"content-type": "application/json", "x-request-id": "r-7"}, pieces=(body,)
        )
        deltas, error, _ = await run(wire, reply)
        expect_failure(deltas, error, kind, retryable=retryable)
        expect(error is not None and (error.status, error.details["request_id"]), (status, "r-7"))


# ---------------------------------------------------------------- tool calls


@check("a tool call comes whole after its pieces")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.call("get_weather", "call_abc12", ARGUMENTS))
    deltas, error, server = await run(wire, answer(wire, body), asked=request(tools=(TOOL,)))
    expect(error, None)
    calls = [delta for delta in deltas if isinstance(delta, ToolCall)]
    expect([(call.name, call.arguments) for call in calls], [("get_weather", {"city": "Oslo"})])
    if wire.keeps_call_id:
        expect(calls[0].call_id, "call_abc12")
    starts = [delta.call_id for delta in deltas if isinstance(delta, ToolInputStart)]
    ends = [delta.call_id for delta in deltas if isinstance(delta, ToolInputEnd)]
    expect((starts, ends), ([calls[0].call_id], [calls[0].call_id]))
    last = deltas[-1]
    expect(isinstance(last, Finish) and last.reason, "tool-calls")
    expect(b"get_weather" in server.requests[0].body, wanted=True)


@check("a tool call without arguments has an empty object")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.call("get_weather", "call_abc12", ()))
    deltas, error, _ = await run(wire, answer(wire, body), asked=request(tools=(TOOL,)))
    expect(error, None)
    expect([delta.arguments for delta in deltas if isinstance(delta, ToolCall)], [{}])


@check("a tool call of an answer that was cut never comes")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.call("get_weather", "call_abc12", ARGUMENTS)[: -wire.terminal])
    deltas, error, _ = await run(wire, answer(wire, body), asked=request(tools=(TOOL,)))
    expect_failure(deltas, error, StreamBroken, retryable=True)


@check("an answer that reached its limit says so")
async def _(wire: WireFormat) -> None:
    deltas, error, _ = await run(wire, answer(wire, wire.encode(wire.cut_short(PIECES))))
    expect(error, None)
    last = deltas[-1]
    expect(isinstance(last, Finish) and last.reason, "length")


# ---------------------------------------------------------------- bytes and connections


def read_bytes(wire: WireFormat, pieces: Sequence[bytes]) -> tuple[list[ModelDelta], ModelError | None]:
    """What a model reads out of bytes that come in these pieces; no network."""
    model: Any = wire.make("http://127.0.0.1:1")
    reader = model.reader(request(tools=(TOOL,)))
    deltas: list[ModelDelta] = []
    for piece in pieces:
        deltas.extend(reader.feed(piece))
        if reader.ended:
            return deltas, reader.failure
    deltas.extend(reader.end())
    return deltas, reader.failure


@check("what is read does not depend on where the bytes are cut")
async def _(wire: WireFormat) -> None:
    samples = [
        wire.encode(wire.text(PIECES)),
        wire.encode(wire.call("get_weather", "call_abc12", ARGUMENTS)),
        wire.encode([*wire.text(PIECES[:2])[: -wire.terminal], wire.overloaded]),
        wire.encode(wire.text(PIECES)[:2]) + wire.raw("", b'{"a":"\xff"}'),
    ]
    for body in samples:
        deltas, error = read_bytes(wire, [body])
        for at in range(1, len(body)):
            found, failure = read_bytes(wire, [body[:at], body[at:]])
            expect((found, type(failure)), (deltas, type(error)), at)
        found, failure = read_bytes(wire, [body[i : i + 1] for i in range(len(body))])
        expect((found, type(failure)), (deltas, type(error)), "one byte at a time")


@check("an answer cut at any byte is never taken for a whole one")
async def _(wire: WireFormat) -> None:
    for events in (wire.text(PIECES), wire.call("get_weather", "call_abc12", ARGUMENTS)):
        body = wire.encode(events)
        whole = len(wire.encode(events[: len(events) - wire.terminal]))
        for at in range(whole):
            deltas, error = read_bytes(wire, [body[:at]])
            expect_failure(deltas, error, StreamBroken, retryable=True)
        for at in range(whole, len(body)):
            deltas, error = read_bytes(wire, [body[:at]])
            finished = any(isinstance(delta, Finish) for delta in deltas)
            expect(finished, error is None, at)


@check("leaving early closes the connection")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.text(PIECES)[: -wire.terminal])
    async with FaultServer(answer(wire, body, end="stall")) as server:
        model = wire.make(server.url, http=with_limits())
        stream = model.stream(request())
        await anext(stream)
        await stream.aclose()
        async with asyncio.timeout(5):
            await server.hung_up.wait()
        await model.close()


@check("a cancelled call closes the connection")
async def _(wire: WireFormat) -> None:
    body = wire.encode(wire.text(PIECES)[: -wire.terminal])
    async with FaultServer(answer(wire, body, end="stall")) as server:
        model = wire.make(server.url, http=with_limits())
        begun = asyncio.Event()

        async def listen() -> None:
            async for delta in model.stream(request()):
                if isinstance(delta, TextDelta):
                    begun.set()

        task = asyncio.create_task(listen())
        async with asyncio.timeout(5):
            await begun.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await server.hung_up.wait()
        await model.close()


@check("a connection is used again after a whole answer")
async def _(wire: WireFormat) -> None:
    async with FaultServer(answer(wire, wire.encode(wire.text(PIECES)))) as server:
        model = wire.make(server.url, http=with_limits())
        for _ in range(3):
            deltas, error = await collect(model)
            expect_whole(deltas, error)
        await model.close()
        expect((len(server.requests), server.connections), (3, 1))


@check("no first byte in time is a time-out")
async def _(wire: WireFormat) -> None:
    reply = answer(wire, wire.encode(wire.text(PIECES)), delay_s=30)
    deltas, error, _ = await run(wire, reply, http=with_limits(connect_s=0.05, first_byte_s=0.05))
    expect_failure(deltas, error, ModelTimeout, retryable=True)


@check("a call never outlives its own time limit")
async def _(wire: WireFormat) -> None:
    events = wire.text(PIECES * 100)[: -wire.terminal]
    reply = answer(wire, [wire.encode_one(event) for event in events], pause_s=0.01, end="stall")
    asked = request(settings=ModelSettings(timeout_s=0.15))
    deltas, error, _ = await run(wire, reply, asked=asked)
    expect_failure(deltas, error, ModelTimeout, retryable=False)


@check("a server that is not there is unavailable")
async def _(wire: WireFormat) -> None:
    async with FaultServer(Reply()) as server:
        pass
    model = wire.make(server.url, http=with_limits())
    deltas, error = await collect(model)
    await model.close()
    expect_failure(deltas, error, ModelUnavailable, retryable=True)


# ---------------------------------------------------------------- secrets and bytes of the request


@check("the key is in no error, no repr and no URL")
async def _(wire: WireFormat) -> None:
    key = "canary-8f1d2c3b4a596877"
    quoting = [
        Reply(status=status, headers={"content-type": "application/json"},
              pieces=(json.dumps({"error": {"message": f"Wrong key {key}!", "code": key}}).encode(),))
        for status in (400, 401, 403, 404, 408, 413, 429, 500, 503)
    ]  # fmt: skip
    quoting.append(answer(wire, wire.raw("!validationException", json.dumps({"error": {"message": key}}).encode())))
    quoting.append(Reply(headers={"content-type": "text/html"}, pieces=(key.encode(),)))
    for reply in quoting:
        async with FaultServer(reply) as server:
            model = wire.make(server.url, http=with_limits(), api_key=key)
            _, error = await collect(model)
            await model.close()
        expect(error is None, wanted=False)
        shown = f"{error!s} {error!r} {error.to_dict() if error else ''} {model!r} {server.requests[0].path}"
        expect(key in shown, False, shown)
        expect(any(key in value for value in server.requests[0].headers.values()), wanted=True)


@check("the same request gives the same bytes, whatever the order of its tools")
async def _(wire: WireFormat) -> None:
    tools = tuple(ToolSpec(name, "A tool.", TOOL.parameters) for name in ("b", "a", "c"))
    reply = answer(wire, wire.encode(wire.text(PIECES)))
    bodies = []
    for order in (tools, tools[::-1], tools[1:] + tools[:1]):
        _, _, server = await run(wire, reply, asked=request(tools=order))
        bodies.append(server.requests[0].body)
    expect(len(set(bodies)), 1)
    # What grows with the conversation stands behind what does not change.
    expect(bodies[0].rindex(b'"A tool."') < bodies[0].index(b'"Hi"'), wanted=True)
