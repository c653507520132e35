from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from mastra import Agent, Mastra, Memory, tool
from mastra.errors import AdapterError, BadSetting
from mastra.exporters.otlp import OtlpExporter
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.runtime.tracing import continued, parse_traceparent
from mastra.types.spans import SpanRecord
from mastra.types.usage import Usage

AT = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)


class Collector:
    """A small OTLP collector: keeps what was posted to it and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {
                    name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers["content-length"]))
                self.requests.append((head[0], headers, json.loads(body)))
                writer.write(
                    b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}" % self.status
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return  # the exporter has let go, or the test is over
        finally:
            writer.close()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    server = await asyncio.start_server(collector.serve, "127.0.0.1", 0)
    collector.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield collector
    finally:
        server.close()


def span(**facts: Any) -> SpanRecord:
    given: dict[str, Any] = {
        "trace_id": "ab" * 16,
        "span_id": "cd" * 8,
        "parent_span_id": None,
        "name": "run",
        "type": "agent_run",
        "started_at": AT,
        "ended_at": AT,
        "attributes": {},
    }
    return SpanRecord(**{**given, **facts})


def attributes(of: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in of["attributes"]}


def only_span(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    return found


async def test_an_agent_run_arrives_at_the_collector_with_its_model_call_inside() -> None:
    async with collecting() as collector:
        agent = Agent(id="clerk", instructions="Be brief.", model="scripted/hello")
        async with Mastra(agents=[agent], exporters=[f"otlp:{collector.url}?service=shop"]) as mastra:
            await mastra.get_agent("clerk").generate("hi", resource="r1")
    line, headers, _ = collector.requests[0]
    assert line == "POST /v1/traces HTTP/1.1"
    assert headers["content-type"] == "application/json"
    resources = [one for _, _, body in collector.requests for one in body["resourceSpans"]]
    assert all(
        {"key": "service.name", "value": {"stringValue": "shop"}} in one["resource"]["attributes"] for one in resources
    )
    spans = [one for resource in resources for scope in resource["scopeSpans"] for one in scope["spans"]]
    root = next(one for one in spans if "parentSpanId" not in one)
    assert root["name"].startswith("invoke_agent ")
    assert attributes(root)["gen_ai.agent.id"] == "clerk"
    assert attributes(root)["gen_ai.response.finish_reasons"] == {"values": [{"stringValue": "stop"}]}
    assert len(spans) > 1
    assert {one["traceId"] for one in spans} == {root["traceId"]}
    assert int(root["endTimeUnixNano"]) >= int(root["startTimeUnixNano"])
    # What was said is private unless it is asked for.
    assert not any("mastra.input" in attributes(one) or "mastra.output" in attributes(one) for one in spans)


def decoded(body: dict[str, Any]) -> Any:
    """The request as OpenTelemetry's own messages. Ids are hexadecimal in OTLP's JSON and base64 in protobuf's."""
    requests = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    from google.protobuf.json_format import ParseDict  # noqa: PLC0415 - comes with it

    body = json.loads(json.dumps(body))
    for resource in body["resourceSpans"]:
        for one in (one for scope in resource["scopeSpans"] for one in scope["spans"]):
            for key in {"traceId", "spanId", "parentSpanId"} & one.keys():
                one[key] = base64.b64encode(bytes.fromhex(one[key])).decode()
    return ParseDict(body, requests.ExportTraceServiceRequest(), ignore_unknown_fields=False)


async def test_opentelemetrys_own_messages_take_all_of_it() -> None:
    @tool
    async def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    answers = [Answer(calls=(Call("add", {"a": 1, "b": 2}),), usage=Usage(10, 5)), Answer(text="3", usage=Usage(7, 2))]
    async with collecting() as collector:
        agent = Agent("clerk", model=ScriptedModel(answers), tools=[add], memory=Memory())
        async with Mastra(agents=[agent], storage="memory:", exporters=[f"otlp:{collector.url}?service=shop"]):
            with continued(parse_traceparent(f"00-{'ab' * 16}-{'cd' * 8}-01")):
                await agent.generate("1 + 2", thread="t1", resource="ann")
    spans, said = [], {}
    for _, _, body in collector.requests:
        for resource in decoded(body).resource_spans:
            assert {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"] == "shop"
            spans += [one for scope in resource.scope_spans for one in scope.spans]
    for one in spans:
        assert (len(one.trace_id), len(one.span_id), one.trace_id.hex()) == (16, 8, "ab" * 16)
        assert 0 < one.start_time_unix_nano <= one.end_time_unix_nano
        facts = {fact.key: fact.value for fact in one.attributes}
        assert facts["gen_ai.conversation.id"].string_value == "t1"
        kind = facts["mastra.span.type"].string_value
        said.setdefault(kind, []).append((one, facts))
    ((root, of_root),) = said["agent_run"]
    assert (root.name, root.parent_span_id.hex(), root.kind) == ("invoke_agent clerk", "cd" * 8, 1)
    assert of_root["gen_ai.usage.input_tokens"].int_value == 17
    known = {one.span_id for one in spans}
    assert all(one.parent_span_id in known for one in spans if one is not root)
    ((call, of_call),) = said["tool_call"]
    assert (call.name, of_call["gen_ai.tool.name"].string_value) == ("execute_tool add", "add")
    assert of_call["gen_ai.tool.call.id"].string_value
    for one, facts in said["model_inference"]:
        assert (one.name, one.kind) == ("chat script", 3)
        assert facts["gen_ai.operation.name"].string_value == "chat"
        assert facts["gen_ai.request.model"].string_value == "script"
        assert facts["gen_ai.provider.name"].string_value == "scripted"
        assert [value.string_value for value in facts["gen_ai.response.finish_reasons"].array_value.values]
    assert sum(facts["gen_ai.usage.input_tokens"].int_value for _, facts in said["model_inference"]) == 17
    # Who sums up the tokens of a trace's model calls must not find them twice.
    for kind in ("model_generation", "model_step"):
        assert all("gen_ai.usage.input_tokens" not in facts for _, facts in said[kind])
    assert {"memory_operation"} <= said.keys()


async def test_two_exports_share_one_connection_and_a_closed_exporter_opens_a_new_one() -> None:
    async with collecting() as collector:
        exporter = OtlpExporter(collector.url, headers={"x-team": "blue"})
        await exporter.export([span()])
        await exporter.export([span()])
        await exporter.close()
        await exporter.close()
        await exporter.export([span()])
        await exporter.close()
    assert [headers["x-team"] for _, headers, _ in collector.requests] == ["blue"] * 3


@pytest.mark.parametrize(("status", "retryable"), [(400, False), (401, False), (429, True), (503, True)])
async def test_a_refusal_is_an_error_with_the_status(status: int, retryable: bool) -> None:
    async with collecting() as collector:
        collector.status = status
        exporter = OtlpExporter(collector.url)
        with pytest.raises(AdapterError) as caught:
            await exporter.export([span()])
        await exporter.close()
    assert caught.value.status == status
    assert caught.value.retryable is retryable


async def test_nobody_listening_is_an_error_that_may_be_tried_again() -> None:
    async with collecting() as collector:
        address = collector.url
    exporter = OtlpExporter(address, timeout_s=2)
    with pytest.raises(AdapterError, match="cannot be reached") as caught:
        await exporter.export([span()])
    await exporter.close()
    assert caught.value.retryable is True


async def test_a_run_is_not_harmed_by_a_collector_that_refuses() -> None:
    async with collecting() as collector:
        collector.status = 500
        agent = Agent(id="clerk", instructions="Be brief.", model="scripted/hello")
        async with Mastra(agents=[agent], exporters=[f"otlp:{collector.url}"]) as mastra:
            answer = await mastra.get_agent("clerk").generate("hi")
            assert mastra.telemetry is not None
            await mastra.telemetry.flush()
            assert mastra.telemetry.dropped >= 1
        assert answer.text == "hello"


def test_times_are_exact_to_the_microsecond() -> None:
    out = only_span(OtlpExporter().request([span()]))
    assert out["startTimeUnixNano"] == "1772366400123457000"


def test_values_take_the_types_of_the_encoding() -> None:
    facts = {
        "flag": True,
        "count": 3,
        "share": 0.5,
        "names": ["a", "b"],
        "mixed": [1, "b"],
        "map": {"a": 1},
        "none": None,
    }
    out = only_span(OtlpExporter().request([span(attributes=facts)]))
    values = {one["key"]: one["value"] for one in out["attributes"]}
    assert values["mastra.flag"] == {"boolValue": True}
    assert values["mastra.count"] == {"intValue": "3"}
    assert values["mastra.share"] == {"doubleValue": 0.5}
    assert values["mastra.names"] == {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}
    assert values["mastra.mixed"] == {"stringValue": '[1,"b"]'}
    assert values["mastra.map"] == {"stringValue": '{"a":1}'}
    assert "mastra.none" not in values


def test_a_model_call_follows_the_genai_conventions() -> None:
    facts = {"model": "gpt-5", "provider": "openai", "usage": {"inputTokens": 7, "outputTokens": 2}}
    one = span(type="model_inference", name="llm", parent_span_id="ef" * 8, attributes=facts, tags=("night",))
    out = only_span(OtlpExporter().request([one]))
    values = attributes(out)
    assert (out["kind"], out["parentSpanId"], out["status"]) == (3, "ef" * 8, {"code": 1})
    assert values["gen_ai.operation.name"] == "chat"
    assert (values["gen_ai.request.model"], values["gen_ai.provider.name"]) == ("gpt-5", "openai")
    assert (values["gen_ai.usage.input_tokens"], values["gen_ai.usage.output_tokens"]) == ("7", "2")
    assert values["mastra.tags"] == {"values": [{"stringValue": "night"}]}


def test_a_failed_span_says_so() -> None:
    out = only_span(OtlpExporter().request([span(error={"message": "no such city"})]))
    assert out["status"] == {"code": 2, "message": "no such city"}


def test_contents_are_sent_when_they_are_asked_for() -> None:
    exporter = OtlpExporter.from_url("otlp:http://127.0.0.1:4318?contents=true")
    values = attributes(only_span(exporter.request([span(input={"q": 1}, output="fine")])))
    assert (values["mastra.input"], values["mastra.output"]) == ('{"q":1}', "fine")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(BadSetting, match="collector"):
        OtlpExporter("collector:4318")
    with pytest.raises(BadSetting, match="collector"):
        OtlpExporter.from_url("otlp:grpc://host:4317")
