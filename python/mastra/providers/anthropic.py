"""Anthropic's Messages: content blocks, thinking with signatures, cache marks, and results of tools it runs itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from mastra.providers.composer import Composer, parse_event, thought_of
from mastra.providers.failures import error_of_event
from mastra.providers.schemas import Compiled, is_exact_in_strict, rewrite_object, rewrite_strict
from mastra.providers.wire import (
    Decoder,
    WireModel,
    is_own,
    left_out,
    output_tool_of,
    own_signature,
    snake_case,
    take_out,
    unsupported,
    with_instruction,
)
from mastra.types.chunks import FinishReason
from mastra.types.json import dumps
from mastra.types.model import ModelRequest, Source, ToolResult
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

VERSION = "2023-06-01"
# The API wants a limit; this one is below every model's own.
DEFAULT_MAX_TOKENS = 8192
STOP_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "other",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool-calls",
    "refusal": "content-filter",
}
_object_form = Compiled(rewrite_object)
# The models that still take temperature, top_p and top_k: up to Claude 4.6.
_SAMPLES = re.compile(r"claude-(instant|[23]|(opus|sonnet|haiku)-4($|-\d{8}|-[0-6]($|-)))")
_exact_form = Compiled(lambda schema: rewrite_strict(schema) if is_exact_in_strict(schema) else None)


class Anthropic(WireModel):
    """A model behind the Messages API."""

    vendor = "anthropic"
    home = "https://api.anthropic.com/v1"
    key_env = ("ANTHROPIC_API_KEY",)
    own_headers: ClassVar = {"anthropic-version": VERSION}

    def path(self, request: ModelRequest) -> str:
        """The endpoint."""
        del request
        return "/messages"

    def auth(self, key: Secret | None) -> dict[str, str]:
        """The header that carries the key."""
        return {} if key is None else {"x-api-key": key.reveal()}

    # ------------------------------------------------------------ the request

    def body(self, request: ModelRequest, warnings: list[str]) -> dict[str, Any]:
        """The request: tools, then instructions, then the conversation, which is the order of Anthropic's cache."""
        settings = request.settings
        body: dict[str, Any] = {"model": self.model_id}
        tools = self.tools(request)
        if tools:
            body["tools"] = tools
            self.choose_tool(body, request)
        system = self.system(request)
        if system:
            body["system"] = system
        body["messages"] = self.messages(request)
        body["max_tokens"] = settings.max_output_tokens or min(
            DEFAULT_MAX_TOKENS, self.profile.max_output_tokens or DEFAULT_MAX_TOKENS
        )
        body["stream"] = True
        if request.output is not None and request.output.mode == "native":
            exact = _exact_form(request.output.json_schema)
            schema = exact or _object_form(request.output.json_schema)
            body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        values = {
            **self.sampling(request, warnings),
            "stop_sequences": list(settings.stop_sequences) or None,
            "service_tier": settings.service_tier,
        }
        body.update((name, value) for name, value in values.items() if value is not None)
        if settings.reasoning_effort is not None:
            body.setdefault("output_config", {})["effort"] = settings.reasoning_effort
        warnings.extend(
            left_out(self.provider, name)
            for name in ("seed", "presence_penalty", "frequency_penalty")
            if getattr(settings, name) is not None
        )
        self.options(body, request, warnings)
        return body

    def sampling(self, request: ModelRequest, warnings: list[str]) -> dict[str, Any]:
        """How daring the model is: newer models decide that themselves and refuse to be told."""
        settings = request.settings
        values = {"temperature": settings.temperature, "top_p": settings.top_p, "top_k": settings.top_k}
        given = {name: value for name, value in values.items() if value is not None}
        if self.model_id.startswith("claude-") and not _SAMPLES.match(self.model_id):
            warnings.extend(left_out(self.model_id, name) for name in given)
            return {}
        return given

    def options(self, body: dict[str, Any], request: ModelRequest, warnings: list[str]) -> None:
        """The caller's own options for Anthropic."""
        for key, value in request.provider_options.get(self.provider, {}).items():
            name = snake_case(key)
            if value is None:
                continue
            if name == "thinking" and isinstance(value, dict):
                body["thinking"] = {snake_case(field): item for field, item in value.items()}
                budget = body["thinking"].get("budget_tokens")
                if isinstance(budget, int):
                    # The limit counts thoughts too.
                    body["max_tokens"] = max(body["max_tokens"], 1) + budget
            elif name == "effort":
                body.setdefault("output_config", {})["effort"] = value
            elif name != "cache_control":
                body[name] = value
        if body.get("thinking", {}).get("type") == "enabled":
            warnings.extend(take_out(body, ("temperature", "top_p", "top_k"), f"A thinking {self.model_id}"))
            if body.get("tool_choice", {}).get("type") in ("any", "tool"):
                body["tool_choice"] = {"type": "auto"}
                warnings.append(f"{self.provider} cannot be made to call a tool while it thinks.")

    def tools(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The tools in the order of their names; a mark on the last keeps them in the cache."""
        out: list[dict[str, Any]] = []
        for tool in sorted(request.tools, key=lambda tool: tool.name):
            options = (tool.provider_options or {}).get(self.provider, {})
            if tool.provider_type is not None:
                out.append({"type": tool.provider_type, "name": tool.name, **options})
                continue
            item = {
                "name": tool.name,
                "description": tool.description,
                "input_schema": _object_form(tool.parameters),
            }
            if tool.strict and (exact := _exact_form(tool.parameters)) is not None:
                item["input_schema"] = exact
                item["strict"] = True
            out.append({**item, **cache_mark(options)})
        output = request.output
        if output is not None and output_tool_of(output):
            schema = _object_form(output.json_schema)
            out.append({"name": output.name, "description": "Give the answer.", "input_schema": schema})
        return out

    def choose_tool(self, body: dict[str, Any], request: ModelRequest) -> None:
        """Which tools may or must be called."""
        choice = request.tool_choice
        output_tool = output_tool_of(request.output)
        if output_tool is not None:
            body["tool_choice"] = {"type": "any"} if request.tools else {"type": "tool", "name": output_tool}
        elif choice == "required":
            body["tool_choice"] = {"type": "any"}
        elif choice == "none":
            body["tool_choice"] = {"type": "none"}
        elif choice != "auto":
            body["tool_choice"] = {"type": "tool", "name": choice}
        if request.settings.parallel_tool_calls is False and choice != "none":
            body.setdefault("tool_choice", {"type": "auto"})["disable_parallel_tool_use"] = True

    def system(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The instructions, with the caller's cache marks."""
        return [
            {"type": "text", "text": message.text, **self.mark(message.provider_options)}
            for message in with_instruction(request)
            if isinstance(message, SystemMessage) and message.text
        ]

    def mark(self, options: Mapping[str, Any] | None) -> dict[str, Any]:
        """The cache mark in somebody's options."""
        return cache_mark((options or {}).get(self.provider, {}))

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
            mark = self.mark(message.provider_options)
            if mark:
                content[-1] = {**content[-1], **mark}
            if out and out[-1]["role"] == role:
                out[-1]["content"].extend(content)
            else:
                out.append({"role": role, "content": content})
        if out and out[-1]["role"] == "assistant":
            # A text at the end that ends in white space is refused.
            last = out[-1]["content"][-1]
            if last.get("type") == "text":
                last["text"] = last["text"].rstrip()
        return out

    def user_part(self, part: TextPart | FilePart) -> dict[str, Any]:
        """A text, a picture or a document."""
        mark = self.mark(part.provider_options)
        if isinstance(part, TextPart):
            return {"type": "text", "text": part.text, **mark}
        if part.media_type.startswith("text/") and isinstance(part.data, bytes):
            text = part.data.decode("utf-8", "replace")
            source: dict[str, Any] = {"type": "text", "media_type": "text/plain", "data": text}
        elif isinstance(part.data, str):
            source = {"type": "url", "url": part.data}
        else:
            data = base64.b64encode(part.data).decode()
            source = {"type": "base64", "media_type": part.media_type, "data": data}
        if part.media_type.startswith("image/"):
            return {"type": "image", "source": source, **mark}
        if part.media_type == "application/pdf" or part.media_type.startswith("text/"):
            title = {"title": part.filename} if part.filename else {}
            return {"type": "document", "source": source, **title, **mark}
        raise unsupported(self.provider, f"a file of the type {part.media_type!r}")

    def said(self, part: Any) -> list[dict[str, Any]]:
        """A part of what the model said."""
        if isinstance(part, TextPart):
            return [{"type": "text", "text": part.text, **self.mark(part.provider_options)}] if part.text else []
        if isinstance(part, ReasoningPart):
            if part.redacted_data:
                own = is_own(part, self.provider)
                return [{"type": "redacted_thinking", "data": part.redacted_data}] if own else []
            # A thought without its signature is not accepted back.
            signature = own_signature(part, self.provider)
            return [{"type": "thinking", "thinking": part.text, "signature": signature}] if signature else []
        if isinstance(part, ToolCallPart):
            kind = "server_tool_use" if part.provider_executed else "tool_use"
            item = {"type": kind, "id": part.call_id, "name": part.name, "input": part.arguments}
            return [{**item, **self.mark(part.provider_options)}]
        if isinstance(part, ToolResultPart):
            kind = f"{part.name}_tool_result"
            return [{"type": kind, "tool_use_id": part.call_id, "content": part.output}]
        return [self.user_part(part)]

    def result(self, part: ToolResultPart) -> dict[str, Any]:
        """The result of a call."""
        output = part.output
        if isinstance(output, tuple):
            content: Any = [self.user_part(item) for item in output]
        else:
            content = output if isinstance(output, str) else dumps(output)
        item: dict[str, Any] = {"type": "tool_result", "tool_use_id": part.call_id, "content": content}
        if part.is_error:
            item["is_error"] = True
        return {**item, **self.mark(part.provider_options)}

    def decoder(self, request: ModelRequest, composer: Composer) -> Decoder:
        """What reads the answer."""
        del request
        return AnthropicDecoder(self.provider, self.model_id, composer)


def cache_mark(options: Mapping[str, Any]) -> dict[str, Any]:
    """`cacheControl` in Anthropic's own spelling."""
    mark = options.get("cacheControl", options.get("cache_control"))
    return {"cache_control": mark} if mark else {}


class AnthropicDecoder:
    """Reads the events of a Messages stream."""

    def __init__(self, provider: str, model: str, composer: Composer) -> None:
        self.composer = composer
        self.provider = provider
        self.model = model
        self._kinds: dict[int, str] = {}
        self._signature: str | None = None
        self._usage: dict[str, Any] = {}
        self._sources = 0

    def read(self, event: str, data: str | bytes) -> None:
        """One event."""
        payload = parse_event(data, self.provider)
        kind = payload.get("type") or event
        composer = self.composer
        if kind == "content_block_delta":
            self._delta(payload)
        elif kind == "content_block_start":
            self._start(payload)
        elif kind == "content_block_stop":
            self._stop(payload.get("index", 0))
        elif kind == "message_start":
            message = payload.get("message") or {}
            composer.start(message.get("id") or "", message.get("model") or self.model)
            self._usage.update(message.get("usage") or {})
        elif kind == "message_delta":
            delta = payload.get("delta") or {}
            self._usage.update({key: value for key, value in (payload.get("usage") or {}).items() if value is not None})
            if delta.get("stop_reason"):
                composer.raw_reason = str(delta["stop_reason"])
                composer.finish_reason = STOP_REASONS.get(composer.raw_reason, "other")
            if delta.get("stop_sequence"):
                composer.metadata.setdefault(self.provider, {})["stopSequence"] = delta["stop_sequence"]
        elif kind == "message_stop":
            composer.usage = read_usage(self._usage)
            composer.finish()
        elif kind == "error":
            raise error_of_event(payload, provider=self.provider, model=self.model)

    def _start(self, payload: dict[str, Any]) -> None:
        block = payload.get("content_block") or {}
        index = payload.get("index", 0)
        kind = block.get("type") or ""
        self._kinds[index] = kind
        composer = self.composer
        composer.start("", self.model)
        if kind == "text":
            composer.open_text()
            composer.add_text(block.get("text") or "")
            for citation in block.get("citations") or ():
                self._cite(citation)
        elif kind == "thinking":
            self._signature = block.get("signature") or None
            composer.open_reasoning()
            composer.add_reasoning(block.get("thinking") or "")
        elif kind == "redacted_thinking":
            composer.open_reasoning()
            composer.close_reasoning(None, block.get("data"), thought_of(self.provider, redactedData=block.get("data")))
        elif kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
            call = composer.open_call(
                index, block.get("id") or "", block.get("name") or "", provider_executed=kind != "tool_use"
            )
            if block.get("input"):
                composer.add_arguments(call, dumps(block["input"]))
        elif kind.endswith("_tool_result"):
            content = block.get("content")
            failed = isinstance(content, dict) and str(content.get("type", "")).endswith("_error")
            name = kind.removesuffix("_tool_result")
            composer.out.append(ToolResult(block.get("tool_use_id") or "", name, content, is_error=failed))
            for item in content if isinstance(content, list) else ():
                if isinstance(item, dict) and item.get("url"):
                    self._cite(item)

    def _delta(self, payload: dict[str, Any]) -> None:
        delta = payload.get("delta") or {}
        kind = delta.get("type")
        composer = self.composer
        if kind == "text_delta":
            composer.add_text(delta.get("text") or "")
        elif kind == "input_json_delta":
            call = composer.calls.get(payload.get("index", 0))
            if call is not None:
                composer.add_arguments(call, delta.get("partial_json") or "")
        elif kind == "thinking_delta":
            composer.add_reasoning(delta.get("thinking") or "")
        elif kind == "signature_delta":
            self._signature = (self._signature or "") + (delta.get("signature") or "")
        elif kind == "citations_delta":
            self._cite(delta.get("citation") or {})

    def _stop(self, index: int) -> None:
        kind = self._kinds.pop(index, "")
        composer = self.composer
        if kind == "text":
            composer.close_text()
        elif kind == "thinking":
            composer.close_reasoning(self._signature, None, thought_of(self.provider, signature=self._signature))
            self._signature = None
        else:
            composer.close_call(index)

    def _cite(self, citation: dict[str, Any]) -> None:
        source_id = f"source-{self._sources}"
        self._sources += 1
        if citation.get("url"):
            self.composer.out.append(Source(source_id, "url", citation.get("title") or "", citation["url"]))
        else:
            title = citation.get("document_title") or citation.get("title") or ""
            self.composer.out.append(Source(source_id, "document", title, None, "text/plain", title or None,
                                            {self.provider: citation}))  # fmt: skip

    def end(self) -> None:
        """After the last byte: only `message_stop` ends an answer."""


def read_usage(usage: dict[str, Any]) -> Usage:
    """The tokens: Anthropic counts what came from the cache apart."""
    read = usage.get("cache_read_input_tokens")
    written = usage.get("cache_creation_input_tokens")
    return Usage(
        (usage.get("input_tokens") or 0) + (read or 0) + (written or 0),
        usage.get("output_tokens") or 0,
        (usage.get("output_tokens_details") or {}).get("thinking_tokens"),
        read,
        written,
        usage or None,
    )
