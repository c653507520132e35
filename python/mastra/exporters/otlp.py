"""Spans to any OpenTelemetry collector: OTLP over HTTP as JSON, with the GenAI semantic conventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from mastra.errors import AdapterError, BadSetting
from mastra.ports.exporter import Exporter
from mastra.types.json import dumps

if TYPE_CHECKING:
    import httpx

    from mastra.types.spans import SpanRecord

# Span type -> (the operation of the conventions, the OTLP kind: 1 internal, 3 client).
_OPERATIONS = {
    "agent_run": ("invoke_agent", 1),
    "model_inference": ("chat", 3),
    "tool_call": ("execute_tool", 1),
    "mcp_tool_call": ("execute_tool", 3),
    "workflow_run": ("invoke_workflow", 1),
    "rag_embedding": ("embeddings", 3),
}
_COUNTED = frozenset({"agent_run", "model_inference", "rag_embedding"})
# The answers that the protocol lets a sender repeat a request after.
_RETRYABLE = frozenset({429, 502, 503, 504})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Our attribute -> that of the conventions.
_ATTRIBUTES = {
    "model": "gen_ai.request.model",
    "modelId": "gen_ai.request.model",
    "provider": "gen_ai.provider.name",
    "responseModel": "gen_ai.response.model",
    "responseId": "gen_ai.response.id",
    "inputTokens": "gen_ai.usage.input_tokens",
    "outputTokens": "gen_ai.usage.output_tokens",
    "temperature": "gen_ai.request.temperature",
    "maxOutputTokens": "gen_ai.request.max_tokens",
    "toolCallId": "gen_ai.tool.call.id",
}


class OtlpExporter(Exporter):
    """Posts spans to `<endpoint>/v1/traces`."""

    def __init__(
        self,
        endpoint: str = "http://127.0.0.1:4318",
        *,
        service: str = "mastra",
        headers: Mapping[str, str] | None = None,
        contents: bool = False,
        timeout_s: float = 10.0,
    ) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise BadSetting(f"{endpoint!r} is not the address of a collector.", hint="Use http:// or https://.")
        base = endpoint.rstrip("/")
        self._url = base if base.endswith("/v1/traces") else f"{base}/v1/traces"
        self._service = service
        self._headers = {"content-type": "application/json", **(headers or {})}
        # Whether what went in and came out is sent too: it may be private, so it is off.
        self._contents = contents
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None

    @classmethod
    def from_url(cls, url: str, **options: Any) -> OtlpExporter:
        """`otlp:http://host:4318?service=name&contents=true`."""
        parts = urlsplit(url.partition(":")[2])
        given = dict(parse_qsl(parts.query))
        endpoint = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        facts: dict[str, Any] = {"contents": given.get("contents") == "true", **options}
        if "service" in given:
            facts["service"] = given["service"]
        return cls(endpoint, **facts) if endpoint else cls(**facts)

    async def export(self, spans: Sequence[SpanRecord]) -> None:
        """Send these spans in one request."""
        import httpx  # noqa: PLC0415 - only who exports pays for it

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout_s)
        body = dumps(self.request(spans)).encode()
        try:
            answer = await self._client.post(self._url, content=body, headers=self._headers)
        except httpx.HTTPError as error:
            raise AdapterError(f"The collector cannot be reached: {error}", adapter="otlp", retryable=True) from error
        if answer.status_code >= 300:
            status = answer.status_code
            raise AdapterError(
                f"The collector answered {status}.", adapter="otlp", status=status, retryable=status in _RETRYABLE
            )

    async def close(self) -> None:
        """Let go of the connection. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def request(self, spans: Sequence[SpanRecord]) -> dict[str, Any]:
        """The body of a request, as OTLP's JSON encoding wants it."""
        resource = {"attributes": _attributes({"service.name": self._service, "telemetry.sdk.name": "mastra"})}
        scope = {"scope": {"name": "mastra"}, "spans": [self._span(one) for one in spans]}
        return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}

    def _span(self, one: SpanRecord) -> dict[str, Any]:
        operation, kind = _OPERATIONS.get(one.type, ("", 1))
        facts: dict[str, Any] = {"mastra.span.type": one.type}
        if operation:
            facts["gen_ai.operation.name"] = operation
        if one.type == "agent_run":
            facts["gen_ai.agent.id"], facts["gen_ai.agent.name"] = one.entity_id, one.entity_name
        if one.type in {"tool_call", "mcp_tool_call"}:
            facts["gen_ai.tool.name"] = one.entity_name or one.name
        facts["gen_ai.conversation.id"] = one.thread_id
        facts["mastra.run.id"], facts["mastra.resource.id"] = one.run_id, one.resource_id
        # A model's tokens are told once: by its call, and as a sum by the agent's run.
        counted = one.type in _COUNTED
        for key, value in one.attributes.items():
            if key == "usage" and counted:
                continue
            if key == "finishReason" and isinstance(value, str):
                facts["gen_ai.response.finish_reasons"] = [value]  # the conventions want one for each choice
            else:
                facts[_ATTRIBUTES.get(key, f"mastra.{key}")] = value
        usage = one.attributes.get("usage")
        if counted and isinstance(usage, Mapping):
            facts["gen_ai.usage.input_tokens"] = usage.get("inputTokens")
            facts["gen_ai.usage.output_tokens"] = usage.get("outputTokens")
        facts["mastra.tags"] = one.tags or None
        if self._contents:
            facts["mastra.input"], facts["mastra.output"] = one.input, one.output
        asked = one.attributes.get("model") if operation in {"chat", "embeddings"} else None
        of_what = asked or one.entity_name or one.entity_id or ""
        out: dict[str, Any] = {
            "traceId": one.trace_id,
            "spanId": one.span_id,
            "name": f"{operation} {of_what}".strip() if operation else one.name,
            "kind": kind,
            "startTimeUnixNano": _nanos(one.started_at),
            "endTimeUnixNano": _nanos(one.ended_at or one.started_at),
            "attributes": _attributes(facts),
            "status": {"code": 2, "message": str(one.error.get("message", ""))} if one.error else {"code": 1},
        }
        if one.parent_span_id:
            out["parentSpanId"] = one.parent_span_id
        return out


def _nanos(moment: datetime) -> str:
    # In whole microseconds: a timestamp as a float loses the last one.
    return str((moment - _EPOCH) // timedelta(microseconds=1) * 1_000)


def _attributes(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in facts.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return {"arrayValue": {"values": [{"stringValue": item} for item in value]}}
    return {"stringValue": value if isinstance(value, str) else dumps(value)}
