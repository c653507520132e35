from mastra.agents.processors.canned import CannedModel
from mastra.providers.scripted import ScriptedModel
from mastra.types.model import Finish, ModelRequest, TextDelta


async def test_it_says_its_text_under_another_name_and_asks_nobody():
    behind = ScriptedModel([])
    canned = CannedModel(behind, "known")
    assert (canned.provider, canned.model_id, canned.profile) == (behind.provider, behind.model_id, behind.profile)
    deltas = [delta async for delta in canned.stream(ModelRequest(messages=()))]
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["known"]
    last = deltas[-1]
    assert isinstance(last, Finish)
    assert (last.reason, last.usage.input_tokens, last.usage.output_tokens) == ("stop", 0, 0)
    assert behind.requests == []
