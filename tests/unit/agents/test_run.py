from mastra import Agent
from mastra.agents.run import Step, last_text
from mastra.providers.scripted import ScriptedModel
from mastra.types.message_input import user_message
from mastra.types.model import ToolCall


async def fresh(messages="hi", **options):
    return await Agent("a", model=ScriptedModel(["x"])).begin(messages, options)


async def test_a_run_that_said_nothing_has_no_answer():
    run = await fresh()
    assert run.answers() == []
    assert [message.role for message in run.messages()] == ["user"]


async def test_the_answer_carries_the_last_text_the_thread_and_the_object():
    run = await fresh(thread="t", resource="u")
    run.parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    run.object, run.object_set = None, True
    answer = run.response()
    assert (answer.extra["content"], answer.thread_id, answer.resource_id) == ("two", "t", "u")
    assert answer.extra["metadata"] == {"structuredOutput": None}
    assert run.metadata == {}


async def test_the_conversation_is_what_was_recalled_given_and_answered():
    run = await fresh()
    run.recalled = [user_message("before")]
    run.parts = [{"type": "text", "text": "after"}]
    assert [message.text for message in run.conversation()] == ["before", "hi", "after"]


async def test_an_answer_that_is_closed_stays_as_it_is_and_the_next_one_begins():
    run = await fresh()
    run.close_answer()
    assert run.answers() == []
    run.metadata["a"] = 1
    run.parts = [{"type": "text", "text": "one"}, {"type": "step-start"}]
    run.close_answer()
    run.metadata["b"] = 2
    run.parts = [{"type": "text", "text": "two"}]
    first, second = run.answers()
    assert (first.text, second.text) == ("one", "two")
    assert first.id != second.id
    assert len(first.parts) == 1
    assert first.extra["metadata"] == {"a": 1}


async def test_data_of_a_tool_becomes_a_part_of_the_step_at_work():
    run = await fresh()
    run.keep_data("data-progress", {"data": 1})
    step = Step(0, run.plan.model)
    run.steps.append(step)
    run.keep_data("data-progress", {"data": 2})
    assert [(part["type"], part["data"]) for part in step.parts] == [("data-progress", 2)]


def test_a_step_shows_its_calls_as_the_wire_does():
    step = Step(0, ScriptedModel())
    step.calls = [ToolCall("c", "add", None)]
    assert step.tool_calls == [{"toolCallId": "c", "toolName": "add", "args": {}}]
    assert step.tool_results == []


def test_the_last_text_is_found_behind_other_parts():
    assert last_text([{"type": "text", "text": "a"}, {"type": "step-start"}]) == "a"
    assert last_text([{"type": "step-start"}]) == ""
