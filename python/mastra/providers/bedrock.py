"""Amazon Bedrock's ConverseStream: signed requests, and answers as event-stream messages with checksums."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from typing import Any, Unpack
from urllib.parse import quote

from mastra.errors import ModelError
from mastra.providers.aws import find_credentials, signed_headers
from mastra.providers.composer import Composer, parse_event, thought_of
from mastra.providers.failures import describe, make_error
from mastra.providers.framing import EventStreamFraming
from mastra.providers.schemas import Compiled, rewrite_object
from mastra.providers.wire import (
    Decoder,
    WireModel,
    WireOptions,
    is_own,
    left_out,
    output_tool_of,
    own_signature,
    unsupported,
    with_instruction,
)
from mastra.types.chunks import FinishReason
from mastra.types.json import dumps
from mastra.types.model import ModelRequest
from mastra.types.prompt import (
    AssistantMessage,
    FilePart,
    ReasoningPart,
    SystemMessage,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    UserMessage,
)
from mastra.types.secrets import Secret
from mastra.types.usage import Usage

STOP_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool-calls",
    "guardrail_intervened": "content-filter",
    "content_filtered": "content-filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}
# What the exceptions of the protocol would be as a status.
_STATUS = {
    "throttlingException": 429,
    "validationException": 400,
    "internalServerException": 500,
    "serviceUnavailableException": 503,
    "modelStreamErrorException": 503,
    "modelTimeoutException": 408,
    "accessDeniedException": 403,
    "resourceNotFoundException": 404,
}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_object_form = Compiled(rewrite_object)
_NAME = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_REGION = re.compile(r"[a-z0-9-]+")


class Bedrock(WireModel):
    """A model behind Bedrock."""

    vendor = "amazon-bedrock"
    key_env = ("AWS_BEARER_TOKEN_BEDROCK",)
    key_required = False
    framing = EventStreamFraming
    accept = "application/vnd.amazon.eventstream"

    def __init__(self, model_id: str, *, region: str | None = None, **options: Unpack[WireOptions]) -> None:
        self.region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        if not _REGION.fullmatch(self.region):
            raise unsupported(self.vendor, f"the region {self.region!r}")
        super().__init__(model_id, **options)

    def default_url(self) -> str:
        """The region's endpoint."""
        return f"https://bedrock-runtime.{self.region}.amazonaws.com"

    def path(self, request: ModelRequest) -> str:
        """The endpoint; an id may contain colons and slashes."""
        del request
        return f"/model/{quote(self.model_id, safe='')}/converse-stream"

    def sign(self, url: str, headers: dict[str, str], content: bytes, key: Secret | None) -> dict[str, str]:
        """A bearer token when there is one, else the signature of the account."""
        if key is not None:
            return super().sign(url, headers, content, key)
        return signed_headers(
            "POST",
            url,
            headers,
            content,
            credentials=find_credentials(),
            region=self.region,
            service="bedrock",
        )

    # ------------------------------------------------------------ the request

    def body(self, request: ModelRequest, warnings: list[str]) -> dict[str, Any]:
        """The request: tools and instructions before the conversation."""
        settings = request.settings
        body: dict[str, Any] = {}
        tools = self.tools(request)
        if tools:
            body["toolConfig"] = {"tools": tools}
            self.choose_tool(body["toolConfig"], request)
        system = self.system(request)
        if system:
            body["system"] = system
        body["messages"] = self.messages(request)
        values = {
            "maxTokens": settings.max_output_tokens,
            "temperature": settings.temperature,
            "topP": settings.top_p,
            "stopSequences": list(settings.stop_sequences) or None,
        }
        config = {name: value for name, value in values.items() if value is not None}
        if config:
            body["inferenceConfig"] = config
        more: dict[str, Any] = {}
        if settings.top_k is not None:
            more["top_k"] = settings.top_k
        output = request.output
        if output is not None and output.mode == "native":
            schema = {"name": output.name, "schema": dumps(_object_form(output.json_schema))}
            body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
        if settings.reasoning_effort is not None:
            body.setdefault("outputConfig", {})["effort"] = settings.reasoning_effort
        if settings.service_tier is not None:
            body["serviceTier"] = {"type": settings.service_tier}
        warnings.extend(
            left_out(self.provider, name)
            for name in ("seed", "presence_penalty", "frequency_penalty", "parallel_tool_calls")
            if getattr(settings, name) is not None
        )
        options = request.provider_options.get(self.provider) or request.provider_options.get("bedrock") or {}
        for key, value in options.items():
            if key == "additionalModelRequestFields":
                more.update(value)
            elif key != "cachePoint":
                body[key] = value
        if more:
            body["additionalModelRequestFields"] = more
        return body

    def tools(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The tools in the order of their names."""
        out: list[dict[str, Any]] = []
        for tool in sorted(request.tools, key=lambda tool: tool.name):
            if tool.provider_type is not None:
                out.append({"systemTool": {"name": tool.provider_type}})
                continue
            spec: dict[str, Any] = {"name": tool.name, "inputSchema": {"json": _object_form(tool.parameters)}}
            if tool.description:
                spec["description"] = tool.description
            out.append({"toolSpec": spec})
            out.extend(self.cache_point(tool.provider_options))
        output = request.output
        if output is not None and output_tool_of(output):
            schema = {"json": _object_form(output.json_schema)}
            out.append({"toolSpec": {"name": output.name, "description": "Give the answer.", "inputSchema": schema}})
        return out

    def choose_tool(self, config: dict[str, Any], request: ModelRequest) -> None:
        """Which tools may or must be called."""
        choice = request.tool_choice
        output_tool = output_tool_of(request.output)
        if output_tool is not None:
            config["toolChoice"] = {"any": {}} if request.tools else {"tool": {"name": output_tool}}
        elif choice == "required":
            config["toolChoice"] = {"any": {}}
        elif choice not in ("auto", "none"):
            config["toolChoice"] = {"tool": {"name": choice}}

    def cache_point(self, options: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        """The cache mark that follows what carries one."""
        given = (options or {}).get(self.provider) or (options or {}).get("bedrock") or {}
        return [{"cachePoint": given["cachePoint"]}] if given.get("cachePoint") else []

    def system(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The instructions."""
        out: list[dict[str, Any]] = []
        for message in with_instruction(request):
            if isinstance(message, SystemMessage) and message.text:
                out.append({"text": message.text})
                out.extend(self.cache_point(message.provider_options))
        return out

    def messages(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The conversation; neighbours of one role become one message."""
        out: list[dict[str, Any]] = []
        for message in request.messages:
            if isinstance(message, SystemMessage):
                continue
            if isinstance(message, AssistantMessage):
                role, content = "assistant", [item for part in message.parts for item in self.said(part)]
            elif isinstance(message, UserMessage):
                role, content = "user", [self.user_part(part) for part in message.parts]
            else:
                role, content = "user", [self.result(part) for part in message.parts]
            if not content:
                continue
            content.extend(self.cache_point(message.provider_options))
            if out and out[-1]["role"] == role:
                out[-1]["content"].extend(content)
            else:
                out.append({"role": role, "content": content})
        return out

    def user_part(self, part: TextPart | FilePart) -> dict[str, Any]:
        """A text, a picture or a document."""
        if isinstance(part, TextPart):
            return {"text": part.text}
        if isinstance(part.data, str):
            if not part.data.startswith("s3://"):
                raise unsupported(self.provider, "a file by its URL")
            source: dict[str, Any] = {"s3Location": {"uri": part.data}}
        else:
            source = {"bytes": base64.b64encode(part.data).decode()}
        kind = part.media_type.partition("/")[2]
        if part.media_type.startswith("image/"):
            return {"image": {"format": kind, "source": source}}
        if part.media_type in _DOCUMENTS:
            name = _NAME.sub(" ", part.filename or "document").strip() or "document"
            return {"document": {"format": _DOCUMENTS[part.media_type], "name": name, "source": source}}
        raise unsupported(self.provider, f"a file of the type {part.media_type!r}")

    def said(self, part: Any) -> list[dict[str, Any]]:
        """A part of what the model said."""
        if isinstance(part, TextPart):
            return [{"text": part.text}] if part.text.strip() else []
        if isinstance(part, ReasoningPart):
            if part.redacted_data:
                own = is_own(part, self.provider)
                return [{"reasoningContent": {"redactedContent": part.redacted_data}}] if own else []
            if signature := own_signature(part, self.provider):
                text = {"text": part.text, "signature": signature}
                return [{"reasoningContent": {"reasoningText": text}}]
            return []
        if isinstance(part, ToolCallPart):
            return [{"toolUse": {"toolUseId": part.call_id, "name": part.name, "input": part.arguments}}]
        return [] if isinstance(part, ToolResultPart) else [self.user_part(part)]

    def result(self, part: ToolResultPart) -> dict[str, Any]:
        """The result of a call."""
        output = part.output
        if isinstance(output, tuple):
            content = [self.user_part(item) for item in output]
        elif isinstance(output, dict):
            content = [{"json": output}]
        else:
            content = [{"text": output if isinstance(output, str) else dumps(output)}]
        item: dict[str, Any] = {"toolUseId": part.call_id, "content": content}
        if part.is_error:
            item["status"] = "error"
        return {"toolResult": item}

    def decoder(self, request: ModelRequest, composer: Composer) -> Decoder:
        """What reads the answer."""
        del request
        return BedrockDecoder(self.provider, self.model_id, composer)


class BedrockDecoder:
    """Reads the messages of a Converse stream."""

    def __init__(self, provider: str, model: str, composer: Composer) -> None:
        self.composer = composer
        self.provider = provider
        self.model = model
        self._signature: str | None = None
        self._redacted = b""

    def read(self, event: str, data: str | bytes) -> None:
        """One message; an exception's name begins with `!`."""
        payload = parse_event(data, self.provider) if data else {}
        if event.startswith("!"):
            raise self._error(event[1:], payload)
        composer = self.composer
        if event == "contentBlockDelta":
            self._delta(payload)
        elif event == "messageStart":
            composer.start("", self.model)
        elif event == "contentBlockStart":
            use = (payload.get("start") or {}).get("toolUse")
            if use:
                index = payload.get("contentBlockIndex", 0)
                composer.open_call(index, use.get("toolUseId") or "", use.get("name") or "")
        elif event == "contentBlockStop":
            self._stop(payload.get("contentBlockIndex", 0))
        elif event == "messageStop":
            composer.raw_reason = str(payload.get("stopReason") or "")
            composer.finish_reason = STOP_REASONS.get(composer.raw_reason, "other")
            if payload.get("additionalModelResponseFields"):
                composer.metadata[self.provider] = {"additional": payload["additionalModelResponseFields"]}
        elif event == "metadata":
            composer.usage = read_usage(payload.get("usage") or {})
            if payload.get("trace"):
                composer.metadata.setdefault(self.provider, {})["trace"] = payload["trace"]
            if composer.finish_reason is not None:
                composer.finish()

    def _delta(self, payload: dict[str, Any]) -> None:
        delta = payload.get("delta") or {}
        composer = self.composer
        if "text" in delta:
            composer.add_text(delta["text"] or "")
        elif "toolUse" in delta:
            call = composer.calls.get(payload.get("contentBlockIndex", 0))
            if call is not None:
                composer.add_arguments(call, delta["toolUse"].get("input") or "")
        elif "reasoningContent" in delta:
            thought = delta["reasoningContent"]
            if thought.get("text"):
                composer.add_reasoning(thought["text"])
            if thought.get("signature"):
                self._signature = (self._signature or "") + thought["signature"]
            if thought.get("redactedContent"):
                if composer.reasoning is None:
                    composer.open_reasoning()
                try:
                    self._redacted += base64.b64decode(thought["redactedContent"])
                except binascii.Error:
                    self._redacted += thought["redactedContent"].encode()

    def _stop(self, index: int) -> None:
        composer = self.composer
        if composer.reasoning is not None:
            redacted = base64.b64encode(self._redacted).decode() if self._redacted else None
            mark = thought_of(self.provider, signature=self._signature, redactedData=redacted)
            composer.close_reasoning(self._signature, redacted, mark)
            self._signature, self._redacted = None, b""
        composer.close_text()
        composer.close_call(index)

    def _error(self, kind: str, payload: dict[str, Any]) -> ModelError:
        message, _ = describe(payload)
        return make_error(
            _STATUS.get(kind[:1].lower() + kind[1:]),
            kind,
            message,
            provider=self.provider,
            facts={"model": self.model},
        )

    def end(self) -> None:
        """After the last byte: the stop message came, even when the metadata did not."""
        if self.composer.finish_reason is not None:
            self.composer.finish()


def read_usage(usage: dict[str, Any]) -> Usage:
    """The tokens: those of the cache are counted apart."""
    read, written = usage.get("cacheReadInputTokens"), usage.get("cacheWriteInputTokens")
    return Usage(
        (usage.get("inputTokens") or 0) + (read or 0) + (written or 0),
        usage.get("outputTokens") or 0,
        None,
        read,
        written,
        usage or None,
    )
