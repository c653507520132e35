"""Ollama: knobs, pictures, whole calls, and where the server is."""

from __future__ import annotations

import base64

import pytest
from tests.unit.providers.requests import PIXEL, body_of, deltas_of, rich_request, shaped

from mastra.errors import ModelMissing, Unsupported
from mastra.providers.ollama import Ollama, host_url
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.model import ModelRequest, ModelSettings, ReasoningDelta
from mastra.types.prompt import FilePart, UserMessage

encode = WIRE_FORMATS["ollama"].encode


def test_the_conversation_in_ollamas_words():
    body, _ = body_of(Ollama("qwen3"), rich_request())
    system, user, said, first, second, _ = body["messages"]
    assert (system["role"], user["images"]) == ("system", [base64.b64encode(PIXEL).decode()])
    assert said["thinking"] == "Let me look."
    assert said["tool_calls"][0] == {"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
    assert (first["tool_name"], second["content"]) == ("get_weather", "it failed")
    assert body["options"] == {"temperature": 0.5, "top_p": 0.9, "num_predict": 100, "stop": ["END"]}


def test_shapes_choices_and_options():
    assert body_of(Ollama("m"), shaped("native"))[0]["format"]["required"] == ["answer", "score"]
    assert body_of(Ollama("m"), shaped("prompted"))[0]["format"] == "json"
    body, warnings = body_of(Ollama("m"), rich_request(tool_choice="required"))
    assert "tools" in body
    assert warnings == ["ollama does not take tool_choice; it was left out."]
    assert "tools" not in body_of(Ollama("m"), rich_request(tool_choice="none"))[0]
    options = {"ollama": {"keep_alive": "5m", "num_ctx": 4096}}
    settings = ModelSettings(reasoning_effort="high")
    body, _ = body_of(Ollama("gpt-oss:20b"), rich_request(provider_options=options, settings=settings))
    assert (body["keep_alive"], body["options"], body["think"]) == ("5m", {"num_ctx": 4096}, "high")
    assert body_of(Ollama("qwen3"), rich_request(settings=ModelSettings(reasoning_effort="none")))[0]["think"] is False


def test_a_picture_by_its_url_is_refused():
    request = ModelRequest(messages=(UserMessage((FilePart("https://a.example/x.png", "image/png"),)),))
    with pytest.raises(Unsupported):
        body_of(Ollama("m"), request)


def test_thoughts_and_unknown_models():
    deltas = deltas_of(
        Ollama("m"),
        [("", {"message": {"thinking": "hm"}}), ("", {"message": {}, "done": True, "done_reason": "stop"})],
        encode,
    )
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)] == ["hm"]
    with pytest.raises(ModelMissing):
        deltas_of(Ollama("m"), [("", {"error": 'model "m" not found, try pulling it first'})], encode)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box:80", "http://box:80"),
        ("https://box", "https://box:11434"),
        ("https://box:443", "https://box:443"),
    ],
)
def test_the_server_is_where_ollama_host_says(host, url, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert host_url() == url
