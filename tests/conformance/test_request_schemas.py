"""Generated requests against the vendors' own types, strictly: every field known, nothing missing, at every depth.

Skipped where an SDK is not installed: `pip install --group oracles`.
"""

from __future__ import annotations

import inspect
from typing import Any, Literal, Required, TypedDict

import pytest
from hypothesis import given, settings
from tests.conformance.generated_requests import requests
from tests.conformance.typed_dicts import faults
from tests.unit.providers.requests import body_of

from mastra.types.model import ModelRequest

many = settings(max_examples=60)
# The newest types leave out what only the older models take.
OLDER = {f".{name}: unknown to MessageCreateParamsStreaming" for name in ("temperature", "top_p", "top_k")}


class Inner(TypedDict, total=False):
    kind: Required[Literal["a"]]
    size: float


class Outer(TypedDict, total=False):
    items: list[Inner | str]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"items": ["x", {"kind": "a", "size": 1}]}, 0),
        ({"items": [{"kind": "a", "sice": 1}]}, 1),
        ({"items": [{"size": 1}]}, 1),
        ({"items": [{"kind": "b"}]}, 1),
        ({"items": [{"kind": "a", "size": True}]}, 1),
        ({"items": "x"}, 1),
        ({"item": []}, 1),
        ([], 1),
    ],
)
def test_the_oracle_sees_faults_at_every_depth(value: Any, found: int) -> None:
    assert len(faults(Outer, value)) == found


@many
@given(requests("openai"))
def test_chat_completions(request: ModelRequest) -> None:
    types = pytest.importorskip("openai.types.chat.completion_create_params")
    from mastra.providers.openai_chat import OpenAIChat  # noqa: PLC0415 - beside its use

    for model in ("gpt-4o", "gpt-5"):
        body, _ = body_of(OpenAIChat(model), request)
        assert faults(types.CompletionCreateParamsStreaming, body) == []


@many
@given(requests("openai"))
def test_responses(request: ModelRequest) -> None:
    types = pytest.importorskip("openai.types.responses.response_create_params")
    from mastra.providers.openai import OpenAIResponses  # noqa: PLC0415 - beside its use

    for model in ("gpt-4o", "gpt-5"):
        body, _ = body_of(OpenAIResponses(model), request)
        assert faults(types.ResponseCreateParamsStreaming, body) == []


@many
@given(requests("anthropic"))
def test_messages(request: ModelRequest) -> None:
    types = pytest.importorskip("anthropic.types.message_create_params")
    from mastra.providers.anthropic import Anthropic  # noqa: PLC0415 - beside its use

    for model, older in (("claude-haiku-4-5", OLDER), ("claude-opus-5", set())):
        body, _ = body_of(Anthropic(model), request)
        assert [fault for fault in faults(types.MessageCreateParamsStreaming, body) if fault not in older] == []


@many
@given(requests("amazon-bedrock"))
def test_converse(request: ModelRequest) -> None:
    session = pytest.importorskip("botocore.session").get_session()
    validate = pytest.importorskip("botocore.validate")
    from mastra.providers.bedrock import Bedrock  # noqa: PLC0415 - beside its use

    shape = session.get_service_model("bedrock-runtime").operation_model("ConverseStream").input_shape
    body, _ = body_of(Bedrock("m", region="us-east-1"), request)
    report = validate.ParamValidator().validate({"modelId": "m", **body}, shape)
    assert not report.has_errors(), report.generate_report()


@many
@given(requests("google"))
def test_gemini(request: ModelRequest) -> None:
    types = pytest.importorskip("google.genai.types")
    from mastra.providers.google import Google  # noqa: PLC0415 - beside its use

    for model in ("gemini-2.5-flash", "gemini-3-pro"):
        body, _ = body_of(Google(model), request)
        kinds = {"generationConfig": types.GenerationConfig, "toolConfig": types.ToolConfig,
                 "systemInstruction": types.Content, "contents": types.Content, "tools": types.Tool}  # fmt: skip
        assert set(body) <= set(kinds)
        for name, part in body.items():
            for item in part if isinstance(part, list) else [part]:
                kinds[name].model_validate(item)


@many
@given(requests("mistral"))
def test_mistral(request: ModelRequest) -> None:
    models = pytest.importorskip("mistralai.client.models")
    from mastra.providers.mistral import Mistral  # noqa: PLC0415 - beside its use

    body, _ = body_of(Mistral("mistral-large-latest"), request)
    read = models.ChatCompletionStreamRequest.model_validate(body)
    # What its types do not know they drop: nothing may be missing when it is written again.
    again = read.model_dump(by_alias=True, exclude_unset=True, mode="json")
    assert _lost(body, again) == []


def _lost(ours: Any, theirs: Any, where: str = "") -> list[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        missing = [f"{where}.{name}" for name in ours if name not in theirs]
        known = [name for name in ours if name in theirs]
        return missing + [fault for name in known for fault in _lost(ours[name], theirs[name], f"{where}.{name}")]
    if isinstance(ours, list) and isinstance(theirs, list):
        return [fault for at, item in enumerate(ours) for fault in _lost(item, theirs[at], f"{where}[{at}]")]
    return []


@many
@given(requests("cohere", papers=False))
def test_cohere(request: ModelRequest) -> None:
    cohere = pytest.importorskip("cohere")
    pydantic = pytest.importorskip("pydantic")
    from mastra.providers.cohere import Cohere  # noqa: PLC0415 - beside its use

    body, _ = body_of(Cohere("command-a-03-2025"), request)
    known = set(inspect.signature(cohere.ClientV2.chat_stream).parameters)
    assert set(body) - {"stream"} <= known
    for message in body["messages"]:
        read = pydantic.TypeAdapter(cohere.ChatMessageV2).validate_python(message)
        assert _lost(message, read.model_dump(by_alias=True, exclude_unset=True, mode="json")) == []
    for tool in body.get("tools", ()):
        read = cohere.ToolV2.model_validate(tool)
        assert _lost(tool, read.model_dump(by_alias=True, exclude_unset=True, mode="json")) == []
