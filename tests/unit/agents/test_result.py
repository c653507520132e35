import json

from mastra import Agent, tool
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.types.model import GeneratedFile, Source


@tool
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@tool(require_approval=True)
async def delete(id: str) -> str:
    """Delete."""
    return id


async def test_everything_a_run_brought_is_found_in_its_result():
    source = Source("s", "url", title="T", url="http://x")
    last = Answer(text="3", reasoning="easy", sources=(source,), files=(GeneratedFile(b"x", "text/plain"),))
    model = ScriptedModel([Call("add", {"a": 1, "b": 2}, "c"), last])
    result = await Agent("a", model=model, tools=[add]).generate("1+2?")
    assert (result.text, result.reasoning, result.finish_reason) == ("3", "easy", "stop")
    assert [call["toolName"] for call in result.tool_calls] == ["add"]
    assert [one["result"] for one in result.tool_results] == [3]
    assert (result.sources[0]["url"], result.files[0]["mimeType"]) == ("http://x", "text/plain")
    assert result.usage == result.total_usage
    assert (result.error, result.tripwire, result.suspend_payload, result.pending) == (None, None, None, [])
    assert result.run_id in repr(result)


async def test_the_wire_shows_steps_calls_and_messages_and_is_json():
    model = ScriptedModel([Call("add", {"a": 1, "b": 2}, "c"), "3"])
    wire = (await Agent("a", model=model, tools=[add]).generate("1+2?")).to_wire()
    json.dumps(wire)
    assert [step["stepType"] for step in wire["steps"]] == ["initial", "tool-result"]
    assert wire["toolResults"][0]["payload"]["result"] == 3
    assert [message["role"] for message in wire["messages"]] == ["user", "assistant"]
    assert wire["totalUsage"] == wire["usage"]
    assert "object" not in wire
    assert "error" not in wire


async def test_a_suspended_run_shows_what_it_waits_for_and_no_answer():
    model = ScriptedModel([Answer(text="I ask first", calls=(Call("delete", {"id": "1"}, "c"),))])
    result = await Agent("a", model=model, tools=[delete]).generate("go")
    wire = result.to_wire()
    assert (result.text, wire["text"], wire["steps"], wire["usage"]) == ("", "", [], {})
    assert wire["suspendPayload"]["toolCallId"] == "c"
    assert wire["resumeSchema"] == wire["suspendPayload"]["resumeSchema"]
    assert result.pending == [wire["suspendPayload"]]


async def test_what_a_caller_changes_in_a_result_stays_with_the_caller():
    result = await Agent("a", model=ScriptedModel(["x"])).generate("go")
    result.steps.clear()
    result.sources.append({})
    assert (len(result.steps), result.sources) == (1, [])
