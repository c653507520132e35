"""One question to a model, and messages as it reads them."""

from tests.unit.memory.conftest import say

from mastra.memory.asking import MAX_SHOWN, ask, shown
from mastra.providers.scripted import ScriptedModel
from mastra.types.prompt import SystemMessage, TextPart, UserMessage


async def test_a_question_has_instructions_and_one_text():
    model = ScriptedModel(["the answer"])
    assert await ask(model, "be brief", "what?") == "the answer"
    assert model.requests[0].messages == (SystemMessage("be brief"), UserMessage((TextPart("what?"),)))


def test_a_message_is_shown_with_its_tools_and_not_without_end():
    row = say("Look it up.").to_wire()
    call = {"toolName": "find", "result": {"found": "x" * 1000}}
    row["content"]["parts"].append({"type": "tool-invocation", "toolInvocation": call})
    text = shown(row)
    assert text.startswith("Look it up. (called find, result {'found': 'xxx")
    assert len(text) < 700
    assert len(shown(say("y" * 20_000).to_wire())) == MAX_SHOWN
