"""Ollama's own chat: one JSON object on each line, whole tool calls, and knobs of the local model."""

from __future__ import annotations

import base64
import os
from typing import Any

from mastra.providers.composer import Composer, parse_event
from mastra.providers.failures import error_of_event
from mastra.providers.framing import LineFraming
from mastra.providers.openai_chat import result_files, result_text
from mastra.providers.schemas import Compiled, rewrite_plain
from mastra.providers.wire import Decoder, WireModel, left_out, output_tool_of, unsupported, with_instruction
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
    UserMessage,
)
from mastra.types.usage import Usage

DONE_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length", "load": "other", "unload": "other"}
_plain_form = Compiled(rewrite_plain)
_DEFAULT_URL = "http://127.0.0.1:11434"
# Options of the caller that stand beside the model's own options.
_TOP_LEVEL = frozenset({"think", "keep_alive", "truncate", "shift"})


class Ollama(WireModel):
    """A model that Ollama serves."""

    vendor = "ollama"
    key_env = ("OLLAMA_API_KEY",)
    key_required = False
    framing = LineFraming
    accept = "application/x-ndjson"

    def default_url(self) -> str:
        """Where OLLAMA_HOST says the server is."""
        return host_url()

    def path(self, request: ModelRequest) -> str:
        """The endpoint."""
        del request
        return "/api/chat"

    def body(self, request: ModelRequest, warnings: list[str]) -> dict[str, Any]:
        """The request."""
        settings = request.settings
        body: dict[str, Any] = {"model": self.model_id}
        tools = self.tools(request)
        if tools and request.tool_choice != "none":
            body["tools"] = tools
            if request.tool_choice != "auto":
                warnings.append(left_out(self.provider, "tool_choice"))
        body["messages"] = [item for message in with_instruction(request) for item in self.message(message)]
        body["stream"] = True
        if request.output is not None and request.output.mode == "native":
            body["format"] = _plain_form(request.output.json_schema)
        elif request.output is not None and request.output.mode == "prompted":
            body["format"] = "json"
        values = {
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "top_k": settings.top_k,
            "num_predict": settings.max_output_tokens,
            "stop": list(settings.stop_sequences) or None,
            "seed": settings.seed,
            "presence_penalty": settings.presence_penalty,
            "frequency_penalty": settings.frequency_penalty,
        }
        options = {name: value for name, value in values.items() if value is not None}
        if settings.reasoning_effort is not None:
            effort = settings.reasoning_effort
            body["think"] = (
                effort if effort in ("low", "medium", "high") and "gpt-oss" in self.model_id else (effort != "none")
            )
        for key, value in request.provider_options.get(self.provider, {}).items():
            if key in _TOP_LEVEL:
                body[key] = value
            else:
                options[key] = value
        if options:
            body["options"] = options
        return body

    def tools(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The tools in the order of their names."""
        items = [
            (tool.name, tool.description, tool.parameters)
            for tool in sorted(request.tools, key=lambda tool: tool.name)
            if tool.provider_type is None
        ]
        output = request.output
        if output is not None and output_tool_of(output):
            items.append((output.name, "Give the answer.", output.json_schema))
        return [
            {
                "type": "function",
                "function": {"name": name, "description": about, "parameters": _plain_form(schema)},
            }
            for name, about, schema in items
        ]

    def message(self, message: Any) -> list[dict[str, Any]]:
        """One message as Ollama's."""
        if isinstance(message, SystemMessage):
            return [{"role": "system", "content": message.text}]
        if isinstance(message, UserMessage):
            text = "\n".join(part.text for part in message.parts if isinstance(part, TextPart))
            images = [self.image(part) for part in message.parts if isinstance(part, FilePart)]
            return [{"role": "user", "content": text, **({"images": images} if images else {})}]
        if isinstance(message, AssistantMessage):
            text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
            thought = "".join(part.text for part in message.parts if isinstance(part, ReasoningPart))
            calls = [
                {"function": {"name": part.name, "arguments": part.arguments}}
                for part in message.parts
                if isinstance(part, ToolCallPart)
            ]
            out: dict[str, Any] = {"role": "assistant", "content": text}
            if thought:
                out["thinking"] = thought
            if calls:
                out["tool_calls"] = calls
            return [out]
        results = []
        for part in message.parts:
            item: dict[str, Any] = {"role": "tool", "tool_name": part.name, "content": result_text(part)}
            files = result_files(part)
            if files:
                item["images"] = [self.image(file) for file in files]
            results.append(item)
        return results

    def image(self, part: FilePart) -> str:
        """A picture as base64."""
        if not part.media_type.startswith("image/"):
            raise unsupported(self.provider, f"a file of the type {part.media_type!r}")
        if isinstance(part.data, bytes):
            return base64.b64encode(part.data).decode()
        if part.data.startswith("data:"):
            return part.data.partition(",")[2]
        raise unsupported(self.provider, "a picture by its URL")

    def decoder(self, request: ModelRequest, composer: Composer) -> Decoder:
        """What reads the answer."""
        del request
        return OllamaDecoder(self.provider, self.model_id, composer)


def host_url() -> str:
    """Where OLLAMA_HOST says the server is, or the usual place."""
    host = os.environ.get("OLLAMA_HOST", "")
    if not host:
        return _DEFAULT_URL
    if "://" not in host:
        host = f"http://{host}"
    return host if host.count(":") > 1 else f"{host.rstrip('/')}:11434"


class OllamaDecoder:
    """Reads the lines of an answer."""

    def __init__(self, provider: str, model: str, composer: Composer) -> None:
        self.composer = composer
        self.provider = provider
        self.model = model
        self._created = ""

    def read(self, event: str, data: str | bytes) -> None:
        """One line."""
        del event
        line = parse_event(data, self.provider)
        if line.get("error"):
            raise error_of_event(line, provider=self.provider, model=self.model)
        composer = self.composer
        self._created = self._created or str(line.get("created_at") or "")
        composer.start("", line.get("model") or self.model)
        message = line.get("message") or {}
        if message.get("thinking"):
            composer.add_reasoning(message["thinking"])
        if message.get("content"):
            composer.add_text(message["content"])
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            key = composer.new_id("call")
            # Ollama names no calls: the moment of the answer and a number do.
            call_id = call.get("id") or f"call_{''.join(filter(str.isalnum, self._created))}_{key}"
            opened = composer.open_call(key, call_id, function.get("name") or "")
            arguments = function.get("arguments")
            composer.add_arguments(opened, arguments if isinstance(arguments, str) else dumps(arguments or {}))
            composer.close_call(key)
        if line.get("done"):
            composer.usage = Usage(
                line.get("prompt_eval_count") or 0,
                line.get("eval_count") or 0,
                raw={
                    name: line[name]
                    for name in ("prompt_eval_count", "eval_count", "total_duration", "load_duration")
                    if name in line
                },
            )
            reason = str(line.get("done_reason") or "stop")
            composer.finish(DONE_REASONS.get(reason, "other"), reason)

    def end(self) -> None:
        """After the last byte: only the line that says done ends an answer."""
