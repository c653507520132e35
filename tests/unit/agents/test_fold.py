from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra import Agent, Limits, RequestContext, create_tool
from mastra.agents.fold import fold
from mastra.agents.processors.processor import Processor
from mastra.agents.run import Step
from mastra.errors import LimitReached, StreamBroken
from mastra.providers.scripted import Call, ScriptedModel
from mastra.types.model import (
    Finish,
    GeneratedFile,
    ReasoningDelta,
    ReasoningEnd,
    ReasoningStart,
    Source,
    TextDelta,
    TextEnd,
    TextStart,
    ToolCall,
    ToolInputDelta,
    ToolInputEnd,
    ToolInputStart,
    ToolResult,
)
from mastra.types.usage import Usage

END = Finish("stop", usage=Usage(3, 4))


class Heard:
    """Whoever listens to a run."""

    def __init__(self):
        self.chunks = []

    def push(self, chunk):
        self.chunks.append(chunk)
        return False

    async def room(self):
        return


async def from_list(deltas) -> AsyncIterator:
    for delta in deltas:
        yield delta


async def folded(*deltas, limits=None, processors=()):
    heard: Any = Heard()
    model = ScriptedModel(["x"])
    agent = Agent("a", model=model, output_processors=list(processors))
    options = {"request_context": RequestContext()}
    if limits is not None:
        options["limits"] = limits
    run = await agent.begin("hi", options, emit=heard)
    step = Step(0, model)
    try:
        await fold(from_list(deltas), step, run)
    except Exception as failure:
        error: Any = failure
        error.step = step
        raise
    return step, heard.chunks


async def test_text_becomes_chunks_and_one_part():
    step, chunks = await folded(TextStart("1"), TextDelta("1", "Hel"), TextDelta("1", "lo"), TextEnd("1"), END)
    assert step.text == "Hello"
    assert [(part["type"], part["text"]) for part in step.parts] == [("text", "Hello")]
    assert [chunk.type for chunk in chunks] == ["text-start", "text-delta", "text-delta", "text-end"]
    assert (step.finish_reason, step.usage.output_tokens) == ("stop", 4)


@given(st.lists(st.text(max_size=8), max_size=6))
async def test_no_letter_is_lost_however_the_text_is_cut(pieces):
    step, chunks = await folded(TextStart("1"), *(TextDelta("1", piece) for piece in pieces), TextEnd("1"), END)
    assert step.text == "".join(pieces)
    assert "".join(chunk.payload["text"] for chunk in chunks if chunk.type == "text-delta") == "".join(pieces)


async def test_an_answer_without_its_end_is_broken_and_keeps_what_was_said():
    with pytest.raises(StreamBroken) as broken:
        await folded(TextStart("1"), TextDelta("1", "half"))
    error: Any = broken.value
    assert (error.step.text, error.step.parts[0]["text"]) == ("half", "half")


async def test_an_answer_that_is_too_long_is_stopped_and_keeps_what_was_said():
    with pytest.raises(LimitReached, match="longer") as stopped:
        await folded(TextDelta("1", "abc"), TextDelta("1", "def"), END, limits=Limits(answer_chars=5))
    assert stopped.value.details["limit"] == "answer_chars"
    error: Any = stopped.value
    assert error.step.text == "abcdef"


async def test_thoughts_keep_their_signature_and_redacted_data():
    step, _ = await folded(
        ReasoningStart("r"), ReasoningDelta("r", "hm"), ReasoningEnd("r", signature="s"),
        ReasoningStart("q"), ReasoningEnd("q", redacted_data="d"), END,
    )  # fmt: skip
    assert step.reasoning == "hm"
    assert [part["details"] for part in step.parts] == [
        [{"type": "text", "text": "hm", "signature": "s"}],
        [{"type": "redacted", "data": "d"}],
    ]


async def test_text_before_a_call_stands_before_it():
    call = ToolCall("c", "add", {"a": 1})
    step, chunks = await folded(
        TextDelta("1", "so"), ToolInputStart("c", "add"), ToolInputDelta("c", '{"a"'), ToolInputEnd("c"), call, END
    )
    assert [part["type"] for part in step.parts] == ["text", "tool-invocation"]
    assert step.calls == [call]
    assert chunks[2].payload == {"argsTextDelta": '{"a"', "toolCallId": "c", "toolName": "add"}


async def test_a_call_without_readable_arguments_is_kept_as_one():
    step, chunks = await folded(ToolCall("c", "add", None), END)
    assert step.calls[0].arguments is None
    assert chunks[0].payload["args"] == {}


async def test_a_result_of_the_provider_settles_its_call():
    step, chunks = await folded(
        ToolCall("c", "search", {}, provider_executed=True), ToolResult("c", "search", {"hits": 1}), END
    )
    assert step.parts[0]["toolInvocation"]["result"] == {"hits": 1}
    assert chunks[1].payload["providerExecuted"] is True


async def test_sources_and_files_are_kept():
    step, _ = await folded(Source("s", "url", title="T", url="http://x"), GeneratedFile(b"ab", "image/png"), END)
    assert step.sources[0]["url"] == "http://x"
    assert step.files[0]["base64"] == "YWI="
    assert [part["type"] for part in step.parts] == ["source", "file"]


async def test_an_output_processor_changes_both_what_is_heard_and_what_is_kept():
    class Upper(Processor):
        async def process_output_stream(self, chunk, context):
            if chunk.type != "text-delta":
                return chunk
            return chunk._replace(payload={**chunk.payload, "text": chunk.payload["text"].upper()})

    step, chunks = await folded(TextStart("1"), TextDelta("1", "hi"), TextEnd("1"), END, processors=[Upper()])
    assert (step.text, chunks[1].payload["text"]) == ("HI", "HI")


async def test_a_tool_listens_to_its_input_while_it_is_written():
    heard = []

    async def start(context):
        heard.append(("start", context.tool_call_id))

    def broken(arguments, context):
        heard.append(("available", arguments, context.tool_name))
        raise RuntimeError("a hook of the user")

    hooks = {"on_input_start": start, "on_input_delta": lambda text, context: heard.append(text),
             "on_input_available": broken}  # fmt: skip
    listening = create_tool("add", description="Adds.", input={"type": "object"}, hooks=hooks, execute=lambda given: 3)
    deaf = create_tool("deaf", description="Hears nothing.", execute=lambda given: 4)
    model = ScriptedModel([[Call("add", {"a": 1}), Call("deaf", {})], Call("add", raw='{"a":'), "done"])
    result = await Agent("a", model=model, tools=[listening, deaf]).generate("1?")
    assert result.text == "done"
    first = heard[: heard.index(("available", {"a": 1}, "add")) + 1]
    assert first[0][0] == "start"
    assert "".join(first[1:-1]) == '{"a":1}'
    # What was cut off is never available.
    assert [one[0] for one in heard if isinstance(one, tuple)] == ["start", "available", "start"]
