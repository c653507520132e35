"""Cohere's chat (version 2): typed events, a plan before tool calls, and citations of documents."""

from __future__ import annotations

from typing import Any

from mastra.providers.composer import Composer, parse_event
from mastra.providers.failures import error_of_event
from mastra.providers.openai_chat import as_url, result_text
from mastra.providers.schemas import Compiled, rewrite_plain
from mastra.providers.wire import (
    Decoder,
    WireModel,
    left_out,
    output_tool_of,
    snake_case,
    unsupported,
    with_instruction,
)
from mastra.types.chunks import FinishReason
from mastra.types.json import dumps
from mastra.types.model import ModelRequest, Source
from mastra.types.prompt import AssistantMessage, SystemMessage, TextPart, ToolCallPart, UserMessage
from mastra.types.usage import Usage

FINISH_REASONS: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool-calls",
    "ERROR_TOXIC": "content-filter",
    "ERROR_LIMIT": "length",
}
_plain_form = Compiled(rewrite_plain)


class Cohere(WireModel):
    """A model behind Cohere's API."""

    vendor = "cohere"
    home = "https://api.cohere.com/v2"
    key_env = ("COHERE_API_KEY", "CO_API_KEY")

    def path(self, request: ModelRequest) -> str:
        """The endpoint."""
        del request
        return "/chat"

    def body(self, request: ModelRequest, warnings: list[str]) -> dict[str, Any]:
        """The request."""
        settings = request.settings
        body: dict[str, Any] = {"model": self.model_id}
        tools = self.tools(request)
        if tools:
            body["tools"] = tools
            self.choose_tool(body, request, warnings)
        body["messages"] = [item for message in with_instruction(request) for item in self.message(message)]
        body["stream"] = True
        values = {
            "temperature": settings.temperature,
            "p": settings.top_p,
            "k": settings.top_k,
            "max_tokens": settings.max_output_tokens,
            "presence_penalty": settings.presence_penalty,
            "frequency_penalty": settings.frequency_penalty,
            "stop_sequences": list(settings.stop_sequences) or None,
            "seed": settings.seed,
        }
        body.update((name, value) for name, value in values.items() if value is not None)
        output = request.output
        if output is not None and output.mode == "native":
            body["response_format"] = {"type": "json_object", "json_schema": _plain_form(output.json_schema)}
        elif output is not None and output.mode == "prompted" and not tools:
            body["response_format"] = {"type": "json_object"}
        if settings.reasoning_effort is not None:
            body["thinking"] = {"type": "disabled" if settings.reasoning_effort == "none" else "enabled"}
        if settings.service_tier is not None:
            warnings.append(left_out(self.provider, "service_tier"))
        for key, value in request.provider_options.get(self.provider, {}).items():
            if value is not None:
                body[snake_case(key)] = value
        return body

    def tools(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The tools in the order of their names."""
        items = [
            (tool.name, tool.description, tool.parameters)
            for tool in sorted(request.tools, key=lambda tool: tool.name)
            if tool.provider_type is None
        ]
        choice = request.tool_choice
        if choice not in ("auto", "none", "required"):
            # Cohere cannot be told which tool: the others are not shown to it.
            items = [item for item in items if item[0] == choice]
        output = request.output
        if output is not None and output_tool_of(output):
            items.append((output.name, "Give the answer.", output.json_schema))
        return [
            {"type": "function", "function": {"name": name, "description": about, "parameters": _plain_form(schema)}}
            for name, about, schema in items
        ]

    def choose_tool(self, body: dict[str, Any], request: ModelRequest, warnings: list[str]) -> None:
        """Whether tools may or must be called."""
        choice = request.tool_choice
        if output_tool_of(request.output) or choice not in ("auto", "none"):
            body["tool_choice"] = "REQUIRED"
        elif choice == "none":
            body["tool_choice"] = "NONE"
        if request.settings.parallel_tool_calls is False:
            warnings.append(left_out(self.provider, "parallel_tool_calls"))

    def message(self, message: Any) -> list[dict[str, Any]]:
        """One message as Cohere's."""
        if isinstance(message, SystemMessage):
            return [{"role": "system", "content": message.text}]
        if isinstance(message, UserMessage):
            if all(isinstance(part, TextPart) for part in message.parts):
                return [{"role": "user", "content": "\n".join(part.text for part in message.parts)}]  # type: ignore[union-attr]
            return [{"role": "user", "content": [self.user_part(part) for part in message.parts]}]
        if isinstance(message, AssistantMessage):
            text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
            calls = [
                {
                    "id": part.call_id,
                    "type": "function",
                    "function": {"name": part.name, "arguments": dumps(part.arguments)},
                }
                for part in message.parts
                if isinstance(part, ToolCallPart)
            ]
            if calls:
                return [{"role": "assistant", "tool_calls": calls, **({"tool_plan": text} if text else {})}]
            return [{"role": "assistant", "content": text}]
        return [{"role": "tool", "tool_call_id": part.call_id, "content": result_text(part)} for part in message.parts]

    def user_part(self, part: Any) -> dict[str, Any]:
        """A text or a picture."""
        if isinstance(part, TextPart):
            return {"type": "text", "text": part.text}
        if part.media_type.startswith("image/"):
            return {"type": "image_url", "image_url": {"url": as_url(part)}}
        raise unsupported(self.provider, f"a file of the type {part.media_type!r}")

    def decoder(self, request: ModelRequest, composer: Composer) -> Decoder:
        """What reads the answer."""
        del request
        return CohereDecoder(self.provider, self.model_id, composer)


class CohereDecoder:
    """Reads the events of a chat stream."""

    def __init__(self, provider: str, model: str, composer: Composer) -> None:
        self.composer = composer
        self.provider = provider
        self.model = model
        self._sources = 0

    def read(self, event: str, data: str | bytes) -> None:
        """One event."""
        if data == "[DONE]":
            return
        payload = parse_event(data, self.provider)
        kind = payload.get("type") or event
        composer = self.composer
        delta = payload.get("delta") or {}
        message = delta.get("message") or {} if isinstance(delta, dict) else {}
        if kind == "content-delta":
            content = message.get("content") or {}
            if content.get("thinking"):
                composer.add_reasoning(content["thinking"])
            if content.get("text"):
                composer.add_text(content["text"])
        elif kind == "message-start":
            composer.start(payload.get("id") or "", self.model)
        elif kind == "content-start":
            content = message.get("content") or {}
            if content.get("type") == "thinking":
                composer.open_reasoning()
                composer.add_reasoning(content.get("thinking") or "")
            else:
                composer.open_text()
                composer.add_text(content.get("text") or "")
        elif kind == "content-end":
            composer.close_text()
            composer.close_reasoning()
        elif kind == "tool-plan-delta":
            composer.add_reasoning(message.get("tool_plan") or "")
        elif kind == "tool-call-start":
            call = message.get("tool_calls") or {}
            function = call.get("function") or {}
            opened = composer.open_call(payload.get("index", 0), call.get("id") or "", function.get("name") or "")
            composer.add_arguments(opened, function.get("arguments") or "")
        elif kind == "tool-call-delta":
            current = composer.calls.get(payload.get("index", 0))
            if current is not None:
                function = (message.get("tool_calls") or {}).get("function") or {}
                composer.add_arguments(current, function.get("arguments") or "")
        elif kind == "tool-call-end":
            composer.close_call(payload.get("index", 0))
        elif kind == "citation-start":
            self._cite(message.get("citations") or {})
        elif kind == "message-end":
            self._end_of(delta)
        elif kind == "error" or "error" in payload:
            raise error_of_event(payload, provider=self.provider, model=self.model)

    def _cite(self, citation: dict[str, Any]) -> None:
        for source in citation.get("sources") or ():
            document = source.get("document") or {}
            source_id = f"source-{self._sources}"
            self._sources += 1
            title, url = document.get("title") or "", document.get("url")
            metadata = {self.provider: {name: citation.get(name) for name in ("start", "end", "text")}}
            if url:
                self.composer.out.append(Source(source_id, "url", title, url, None, None, metadata))
            else:
                name = title or str(source.get("id") or "")
                cited = Source(source_id, "document", name, None, "text/plain", None, metadata)
                self.composer.out.append(cited)

    def _end_of(self, delta: dict[str, Any]) -> None:
        raw = str(delta.get("finish_reason") or "COMPLETE")
        if raw in ("ERROR", "TIMEOUT"):
            said = delta.get("error") or "The answer broke off."
            raise error_of_event({"error": said}, provider=self.provider, model=self.model)
        usage = delta.get("usage") or {}
        tokens = usage.get("tokens") or usage.get("billed_units") or {}
        composer = self.composer
        composer.usage = Usage(
            int(tokens.get("input_tokens") or 0),
            int(tokens.get("output_tokens") or 0),
            None,
            usage.get("cached_tokens"),
            None,
            usage or None,
        )
        composer.finish(FINISH_REASONS.get(raw, "other"), raw)

    def end(self) -> None:
        """After the last byte: only `message-end` ends an answer."""
