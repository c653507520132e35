import pytest

from mastra import Agent, tool
from mastra.agents.loop import ERROR_RETRIES
from mastra.agents.processors.processor import Processor
from mastra.errors import InvalidInput, RateLimited
from mastra.providers.scripted import ScriptedModel
from mastra.types.message_input import user_message
from mastra.types.prompt import SystemMessage


@tool
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


class Noting(Processor):
    """Notes which of its hooks were called."""

    def __init__(self, id, seen):
        super().__init__(id)
        self.seen = seen

    async def process_input(self, messages, context):
        self.seen.append(f"{self.id} input")
        return [*messages, user_message(f"and {self.id}")]

    async def process_input_step(self, run, number, context):
        self.seen.append(f"{self.id} step {number}")

    async def process_output_step(self, step, context):
        self.seen.append(f"{self.id} output {step.text}")

    async def process_output_result(self, messages, context):
        self.seen.append(f"{self.id} result")
        return messages


async def test_hooks_are_called_in_the_order_of_the_processors():
    seen = []
    both = [Noting("one", seen), Noting("two", seen)]
    model = ScriptedModel(["hi"])
    await Agent("a", model=model, input_processors=both, output_processors=both).generate("go")
    assert seen == [
        "one input", "two input", "one step 0", "two step 0",
        "one output hi", "two output hi", "one result", "two result",
    ]  # fmt: skip
    assert [message.parts[0].text for message in model.requests[0].messages] == ["go", "and one", "and two"]


async def test_a_processor_may_drop_a_chunk_or_make_several_of_it():
    class Words(Processor):
        async def process_output_stream(self, chunk, context):
            if chunk.type != "text-delta":
                return chunk
            words = chunk.payload["text"].split()
            return [chunk._replace(payload={**chunk.payload, "text": f"<{word}>"}) for word in words] or None

    model = ScriptedModel(["a b"])
    result = await Agent("a", model=model, output_processors=[Words()]).generate("go")
    assert result.text == "<a><b>"


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"system": "New."}, lambda request: request.messages[0] == SystemMessage("New.")),
        ({"messages": "other"}, lambda request: request.messages[-1].parts[0].text == "other"),
        ({"tools": []}, lambda request: request.tools == ()),
        ({"active_tools": ["add"]}, lambda request: [spec.name for spec in request.tools] == ["add"]),
        ({"tool_choice": "required"}, lambda request: request.tool_choice == "required"),
        ({"model_settings": {"topK": 3}}, lambda request: request.settings.top_k == 3),
        (None, lambda request: request.messages[0] == SystemMessage("Old.")),
    ],
)
async def test_prepare_step_changes_what_the_model_is_asked(changes, check):
    model = ScriptedModel(["x"])
    agent = Agent("a", instructions="Old.", model=model, tools=[add])
    await agent.generate("go", prepare_step=lambda run, number: changes)
    assert check(model.requests[0])


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"modle": 1}, "model"), (["tools"], "list"), ({"active_tools": ["ad"]}, "'ad'"), ({"tool_choice": 3}, "choice")],
)
async def test_prepare_step_cannot_change_what_there_is_not(changes, named):
    agent = Agent("a", model=ScriptedModel(["x"]), tools=[add])
    with pytest.raises(InvalidInput) as refused:
        await agent.generate("go", prepare_step=lambda run, number: changes)
    assert named in f"{refused.value} {refused.value.hint}"


class Again(Processor):
    """Wants every failed step again."""

    async def process_error(self, error, context):
        return True


async def test_an_error_processor_sends_the_run_back_to_its_model():
    model = ScriptedModel([RateLimited("slow down"), "there"])
    assert (await Agent("a", model=model, error_processors=[Again()]).generate("go")).text == "there"


@pytest.mark.parametrize(("allowed", "calls"), [(None, ERROR_RETRIES + 1), (2, 3), (0, 1)])
async def test_a_model_that_never_recovers_is_not_asked_for_ever(allowed, calls):
    model = ScriptedModel([RateLimited("slow down")] * 20)
    agent = Agent("a", model=model, error_processors=[Again()])
    with pytest.raises(RateLimited):
        await agent.generate("go", max_processor_retries=allowed)
    assert len(model.requests) == calls
