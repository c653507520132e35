"""The vendors' own SDKs as oracles: the same bytes give the same answer, and our requests fit their types.

Skipped where an SDK is not installed: `pip install openai anthropic botocore google-genai`.
"""

from __future__ import annotations

import json

import httpx
import pytest
from tests.unit.providers.requests import body_of, rich_request, shaped

from mastra.testing.contracts.model import ARGUMENTS, PIECES, collect
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.model import Finish, ModelSettings, TextDelta, ToolCall

SAMPLES = ["text", "call", "long"]
REQUESTS = {
    "rich": rich_request(),
    "native": shaped("native"),
    "tool": shaped("tool"),
    "prompted": shaped("prompted"),
    "required": rich_request(tool_choice="required", settings=ModelSettings(max_output_tokens=50, top_p=0.5)),
    "one": rich_request(tool_choice="a_search", settings=ModelSettings(parallel_tool_calls=False)),
}


def body_for(wire, sample: str) -> bytes:
    events = {
        "text": lambda: wire.text(PIECES),
        "call": lambda: wire.call("get_weather", "call_abc12", ARGUMENTS),
        "long": lambda: wire.cut_short(PIECES),
    }[sample]()
    return wire.encode(events)


def playing(wire, sample: str, client=httpx):
    """A transport of `client` (httpx, or whatever an SDK uses in its place) that answers with a sample."""
    headers = {"content-type": wire.content_type}
    return client.MockTransport(lambda request: client.Response(200, headers=headers, content=body_for(wire, sample)))


def library_of(client) -> object:
    """The HTTP library that an SDK is built on: its newer versions use another one than ours."""
    for base in client.__mro__:
        name = base.__module__.partition(".")[0]
        if name.startswith("httpx"):
            return pytest.importorskip(name)
    return httpx


async def ours(name: str, sample: str) -> dict:
    """What our model reads out of the bytes."""
    from mastra.providers.transport import HttpOptions  # noqa: PLC0415 - beside its use

    wire = WIRE_FORMATS[name]
    model = wire.make("http://vendor.example", http=HttpOptions(transport=playing(wire, sample)))
    deltas, error = await collect(model, rich_request())
    assert error is None
    finish = deltas[-1]
    assert isinstance(finish, Finish)
    return {
        "text": "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)),
        "calls": [(d.call_id, d.name, d.arguments) for d in deltas if isinstance(d, ToolCall)],
        "usage": (finish.usage.input_tokens, finish.usage.output_tokens, finish.usage.cached_input_tokens),
        "raw_reason": finish.raw_reason,
    }


@pytest.mark.parametrize("sample", SAMPLES)
async def test_openai_reads_a_chat_stream_the_same(sample):
    openai = pytest.importorskip("openai")
    wire = WIRE_FORMATS["openai-chat"]
    library = library_of(openai.DefaultAsyncHttpxClient)
    http = library.AsyncClient(transport=playing(wire, sample, library))
    client = openai.AsyncOpenAI(api_key="x", base_url="http://vendor.example", http_client=http)
    text, calls, usage, reason = "", {}, None, None
    stream = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True)
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or ():
                known = calls.setdefault(call.index, [call.id, call.function.name, ""])
                known[2] += call.function.arguments or ""
    await client.close()
    assert await ours("openai-chat", sample) == {
        "text": text,
        "calls": [(call_id, name, json.loads(arguments)) for call_id, name, arguments in calls.values()],
        "usage": (usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens),
        "raw_reason": reason,
    }


@pytest.mark.parametrize("sample", SAMPLES)
async def test_openai_reads_a_responses_stream_the_same(sample):
    openai = pytest.importorskip("openai")
    wire = WIRE_FORMATS["openai-responses"]
    library = library_of(openai.DefaultAsyncHttpxClient)
    http = library.AsyncClient(transport=playing(wire, sample, library))
    client = openai.AsyncOpenAI(api_key="x", base_url="http://vendor.example", http_client=http)
    text, calls, final = "", [], None
    async for event in await client.responses.create(model="m", input="x", stream=True):
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type == "response.output_item.done" and event.item.type == "function_call":
            calls.append((event.item.call_id, event.item.name, json.loads(event.item.arguments)))
        elif event.type in ("response.completed", "response.incomplete"):
            final = event.response
    await client.close()
    found = await ours("openai-responses", sample)
    reason = final.incomplete_details.reason if final.incomplete_details else final.status
    assert found == {
        "text": text,
        "calls": calls,
        "usage": (
            final.usage.input_tokens,
            final.usage.output_tokens,
            final.usage.input_tokens_details.cached_tokens,
        ),
        "raw_reason": reason,
    }


@pytest.mark.parametrize("sample", SAMPLES)
async def test_anthropic_reads_a_stream_the_same(sample):
    anthropic = pytest.importorskip("anthropic")
    wire = WIRE_FORMATS["anthropic"]
    library = library_of(anthropic.DefaultAsyncHttpxClient)
    http = library.AsyncClient(transport=playing(wire, sample, library))
    client = anthropic.AsyncAnthropic(api_key="x", base_url="http://vendor.example", http_client=http)
    asked = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "x"}]}
    async with client.messages.stream(**asked) as stream:
        final = await stream.get_final_message()
    await client.close()
    usage = final.usage
    assert await ours("anthropic", sample) == {
        "text": "".join(block.text for block in final.content if block.type == "text"),
        "calls": [(block.id, block.name, block.input) for block in final.content if block.type == "tool_use"],
        "usage": (
            usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
            usage.output_tokens,
            usage.cache_read_input_tokens,
        ),
        "raw_reason": final.stop_reason,
    }


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize("name", REQUESTS)
def test_chat_requests_fit_openais_types(name):
    types = pytest.importorskip("openai.types.chat.completion_create_params")
    pydantic = pytest.importorskip("pydantic")
    from mastra.providers.openai_chat import OpenAIChat  # noqa: PLC0415 - beside its use

    body, _ = body_of(OpenAIChat("gpt-4o"), REQUESTS[name])
    pydantic.TypeAdapter(types.CompletionCreateParamsStreaming).validate_python(body)
    assert set(body) <= set(types.CompletionCreateParamsStreaming.__annotations__) | set(
        types.CompletionCreateParamsBase.__annotations__
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_responses_requests_fit_openais_types(name):
    types = pytest.importorskip("openai.types.responses.response_create_params")
    pydantic = pytest.importorskip("pydantic")
    from mastra.providers.openai import OpenAIResponses  # noqa: PLC0415 - beside its use

    body, _ = body_of(OpenAIResponses("gpt-5"), REQUESTS[name])
    pydantic.TypeAdapter(types.ResponseCreateParamsStreaming).validate_python(body)
    assert set(body) <= set(types.ResponseCreateParamsStreaming.__annotations__) | set(
        types.ResponseCreateParamsBase.__annotations__
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_message_requests_fit_anthropics_types(name):
    types = pytest.importorskip("anthropic.types.message_create_params")
    pydantic = pytest.importorskip("pydantic")
    from mastra.providers.anthropic import Anthropic  # noqa: PLC0415 - beside its use

    body, _ = body_of(Anthropic("claude-opus-5"), REQUESTS[name])
    pydantic.TypeAdapter(types.MessageCreateParamsStreaming).validate_python(body)
    assert set(body) <= set(types.MessageCreateParamsStreaming.__annotations__) | set(
        types.MessageCreateParamsBase.__annotations__
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_converse_requests_fit_the_model_of_the_service(name):
    session = pytest.importorskip("botocore.session").get_session()
    validate = pytest.importorskip("botocore.validate")
    from mastra.providers.bedrock import Bedrock  # noqa: PLC0415 - beside its use

    shape = session.get_service_model("bedrock-runtime").operation_model("ConverseStream").input_shape
    body, _ = body_of(Bedrock("m", region="us-east-1"), REQUESTS[name])
    report = validate.ParamValidator().validate({"modelId": "m", **body}, shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("name", REQUESTS)
def test_gemini_requests_fit_googles_types(name):
    types = pytest.importorskip("google.genai.types")
    from mastra.providers.google import Google  # noqa: PLC0415 - beside its use

    body, _ = body_of(Google("gemini-3-flash"), REQUESTS[name])
    for content in [*body["contents"], body["systemInstruction"]]:
        types.Content.model_validate(content)
    for tool in body["tools"]:
        types.Tool.model_validate(tool)
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))
    types.ToolConfig.model_validate(body.get("toolConfig", {}))
    assert set(body) <= {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}
