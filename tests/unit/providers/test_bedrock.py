"""Bedrock: bodies, signatures or tokens, reasoning, exceptions."""

from __future__ import annotations

import base64

import pytest
from tests.unit.providers.requests import body_of, deltas_of, rich_request, shaped

from mastra.errors import AuthFailed, BadModelRequest, ModelUnavailable, RateLimited, Unsupported
from mastra.providers.bedrock import Bedrock
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.model import ModelRequest, ModelSettings, ReasoningDelta, ReasoningEnd
from mastra.types.prompt import FilePart, SystemMessage, TextPart, UserMessage
from mastra.types.secrets import Secret

encode = WIRE_FORMATS["amazon-bedrock"].encode


def model() -> Bedrock:
    return Bedrock("anthropic.claude-sonnet-4-5-20250929-v1:0", region="eu-north-1")


def test_the_conversation_in_bedrocks_words():
    body, warnings = body_of(model(), rich_request(settings=ModelSettings(max_output_tokens=9, top_k=5, seed=1)))
    assert body["system"] == [{"text": "Be brief."}]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    said = body["messages"][1]["content"]
    assert said[0]["reasoningContent"]["reasoningText"]["signature"] == "c2lnbmF0dXJl"
    assert said[2]["toolUse"]["input"] == {"city": "Oslo"}
    results = body["messages"][2]["content"]
    assert results[0]["toolResult"]["content"] == [{"json": {"temperature": 21}}]
    assert results[1]["toolResult"]["status"] == "error"
    assert body["inferenceConfig"] == {"maxTokens": 9}
    assert body["additionalModelRequestFields"] == {"top_k": 5}
    assert warnings == ["amazon-bedrock does not take seed; it was left out."]


def test_choices_shapes_and_cache_points():
    assert body_of(model(), rich_request(tool_choice="required"))[0]["toolConfig"]["toolChoice"] == {"any": {}}
    assert body_of(model(), shaped("tool", tools=()))[0]["toolConfig"]["toolChoice"] == {"tool": {"name": "response"}}
    assert body_of(model(), shaped("native"))[0]["outputConfig"]["textFormat"]["type"] == "json_schema"
    mark = {"bedrock": {"cachePoint": {"type": "default"}}}
    request = ModelRequest(messages=(SystemMessage("x", mark), UserMessage((TextPart("y"),), mark)))
    body, _ = body_of(model(), request)
    assert body["system"][1] == {"cachePoint": {"type": "default"}}
    assert body["messages"][0]["content"][1] == {"cachePoint": {"type": "default"}}


def test_documents_have_names_and_strangers_are_refused():
    document = FilePart(b"%PDF", "application/pdf", "a/b: c.pdf")
    body, _ = body_of(model(), ModelRequest(messages=(UserMessage((document,)),)))
    assert body["messages"][0]["content"][0]["document"]["name"] == "a b c pdf"
    with pytest.raises(Unsupported):
        body_of(model(), ModelRequest(messages=(UserMessage((FilePart("https://x", "image/png"),)),)))
    with pytest.raises(Unsupported):
        Bedrock("m", region="evil.example/#")


def test_the_model_is_escaped_in_the_path():
    assert model().path(rich_request()).startswith("/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/")


def test_a_token_replaces_the_signature(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    url = model().url + "/model/x/converse-stream"
    assert model().sign(url, {}, b"{}", Secret("tok", passing=True))["authorization"] == "Bearer tok"
    assert model().sign(url, {}, b"{}", None)["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")


def test_thoughts_come_with_signature_or_hidden():
    def block(delta):
        return "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": delta}}

    stop = ("contentBlockStop", {"contentBlockIndex": 0})
    hidden = base64.b64encode(b"zz").decode()
    end = ("messageStop", {"stopReason": "end_turn"})
    events = [("messageStart", {}), block({"text": "hm"}), block({"signature": "s"}), stop,
              block({"redactedContent": hidden}), stop, end]  # fmt: skip
    deltas = deltas_of(model(), events, encode)
    ends = [delta for delta in deltas if isinstance(delta, ReasoningEnd)]
    assert [(item.signature, item.redacted_data) for item in ends] == [("s", None), (None, hidden)]
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)] == ["hm"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", RateLimited),
        ("validationException", BadModelRequest),
        ("AccessDeniedException", AuthFailed),
        ("modelStreamErrorException", ModelUnavailable),
        ("internalServerException", ModelUnavailable),
    ],
)
def test_exceptions_in_the_stream(name, kind):
    with pytest.raises(kind):
        deltas_of(model(), [("messageStart", {}), (f"!{name}", {"message": "m"})], encode)
