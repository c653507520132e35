"""OpenAI's Chat Completions: the wire format that most vendors speak, with their differences as data."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Unpack

from mastra.errors import ModelUnavailable, RateLimited
from mastra.providers.composer import Composer, OpenCall, parse_event
from mastra.providers.failures import error_of_event
from mastra.providers.repeats import Repeats
from mastra.providers.schemas import Compiled, drop_nulls, is_exact_in_strict, rewrite_plain, rewrite_strict
from mastra.providers.wire import (
    Decoder,
    WireModel,
    WireOptions,
    left_out,
    output_tool_of,
    snake_case,
    take_out,
    unsupported,
    with_instruction,
)
from mastra.types.chunks import FinishReason
from mastra.types.json import dumps
from mastra.types.model import GeneratedFile, ModelRequest, OutputSpec, Source, ToolCall, ToolSpec
from mastra.types.prompt import (
    AssistantMessage,
    FilePart,
    ReasoningPart,
    SystemMessage,
    TextPart,
    ToolCallPart,
    ToolMessage,
    ToolResultPart,
    UserMessage,
)
from mastra.types.secrets import Secret
from mastra.types.usage import Usage

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "tool_calls": "tool-calls",
    "function_call": "tool-calls",
    "content_filter": "content-filter",
    "sensitive": "content-filter",
    "error": "error",
}
_AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """Where a vendor differs from OpenAI."""

    auth: str = "authorization"
    path: str = "/chat/completions"
    query: str = ""
    max_tokens: str = "max_tokens"
    output: Literal["json_schema", "json_object", "none"] = "json_schema"
    strict: bool = True
    stream_usage: bool = True
    drop: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    tool_choice_required: str = "required"
    reasoning: Literal["", "content"] = ""


OPENAI = Dialect(max_tokens="max_completion_tokens")
_strict_form = Compiled(rewrite_strict)
_plain_form = Compiled(rewrite_plain)
_exact_form = Compiled(lambda schema: rewrite_strict(schema) if is_exact_in_strict(schema) else None)


class OpenAIChat(WireModel):
    """A model behind Chat Completions."""

    vendor = "openai-chat"
    home = "https://api.openai.com/v1"
    key_env = ("OPENAI_API_KEY",)

    def __init__(self, model_id: str, *, dialect: Dialect = OPENAI, **options: Unpack[WireOptions]) -> None:
        super().__init__(model_id, **options)
        self.dialect = dialect

    def path(self, request: ModelRequest) -> str:
        """The endpoint of the vendor."""
        del request
        dialect = self.dialect
        path = dialect.path.replace("{model}", self.model_id)
        return f"{path}?{dialect.query}" if dialect.query else path

    def auth(self, key: Secret | None) -> dict[str, str]:
        """The vendor's header for the key."""
        if key is None or self.dialect.auth == "authorization":
            return super().auth(key)
        return {self.dialect.auth: key.reveal()}

    # ------------------------------------------------------------ the request

    def body(self, request: ModelRequest, warnings: list[str]) -> dict[str, Any]:
        """The request; what never changes comes first, so that a provider can keep the prefix."""
        dialect = self.dialect
        body: dict[str, Any] = {"model": self.model_id}
        tools = self.tools(request)
        if tools:
            body["tools"] = tools
            self.choose_tool(body, request)
        if request.output is not None:
            self.shape_output(body, request.output, warnings)
            if request.tools and not self.profile.output_with_tools:
                # The shape is asked for in words then, or by a tool.
                body.pop("response_format", None)
        body["messages"] = self.messages(request)
        body["stream"] = True
        if dialect.stream_usage:
            body["stream_options"] = {"include_usage": True}
        self.settings(body, request, warnings)
        for key, value in request.provider_options.get(self.provider, {}).items():
            if value is not None:
                body[snake_case(key)] = value
        warnings.extend(take_out(body, dialect.drop, self.provider))
        for name, other in dialect.rename.items():
            if name in body:
                body[other] = body.pop(name)
        return body

    def settings(self, body: dict[str, Any], request: ModelRequest, warnings: list[str]) -> None:
        """The knobs of the call."""
        settings = request.settings
        values = {
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            self.dialect.max_tokens: settings.max_output_tokens,
            "presence_penalty": settings.presence_penalty,
            "frequency_penalty": settings.frequency_penalty,
            "stop": list(settings.stop_sequences) or None,
            "seed": settings.seed,
            "service_tier": settings.service_tier,
            "reasoning_effort": settings.reasoning_effort,
            "parallel_tool_calls": settings.parallel_tool_calls if request.tools else None,
        }
        body.update((name, value) for name, value in values.items() if value is not None)
        if settings.top_k is not None:
            warnings.append(left_out(self.provider, "top_k"))
        if self.profile.reasoning and self.provider.startswith("openai"):
            refused = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
            warnings.extend(take_out(body, refused, self.model_id))

    def tools(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The tools in the order of their names: the same set gives the same bytes."""
        out = [self.tool(tool) for tool in sorted(request.tools, key=lambda tool: tool.name)]
        if output_tool_of(request.output):
            out.append(self.output_tool(request.output))  # type: ignore[arg-type]  # there is one
        return out

    def tool(self, tool: ToolSpec) -> dict[str, Any]:
        """One tool."""
        options = (tool.provider_options or {}).get(self.provider, {})
        if tool.provider_type is not None:
            return {"type": tool.provider_type, **options}
        strict = _strict_form(tool.parameters) if tool.strict and self.dialect.strict else None
        function: dict[str, Any] = {
            "name": tool.name,
            "description": tool.description,
            "parameters": strict or _plain_form(tool.parameters),
        }
        if strict is not None:
            function["strict"] = True
        return {"type": "function", "function": function}

    def output_tool(self, output: OutputSpec) -> dict[str, Any]:
        """The tool that stands for the shape of the answer."""
        return {
            "type": "function",
            "function": {
                "name": output.name,
                "description": "Give the answer.",
                "parameters": _plain_form(output.json_schema),
            },
        }

    def choose_tool(self, body: dict[str, Any], request: ModelRequest) -> None:
        """Which tools may or must be called."""
        choice = request.tool_choice
        required = self.dialect.tool_choice_required
        output_tool = output_tool_of(request.output)
        if output_tool is not None:
            only = {"type": "function", "function": {"name": output_tool}}
            body["tool_choice"] = required if request.tools else only
        elif choice == "required":
            body["tool_choice"] = required
        elif choice == "none":
            body["tool_choice"] = "none"
        elif choice != "auto":
            body["tool_choice"] = {"type": "function", "function": {"name": choice}}

    def shape_output(self, body: dict[str, Any], output: OutputSpec, warnings: list[str]) -> None:
        """The shape of the answer, as far as the vendor can be told."""
        kind = self.dialect.output
        if output.mode == "tool" or kind == "none":
            return
        if output.mode == "prompted" or kind == "json_object":
            if output.mode == "native":
                warnings.append(f"{self.provider} cannot be held to a schema; it was asked for JSON.")
            body["response_format"] = {"type": "json_object"}
            return
        exact = _exact_form(output.json_schema)
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": output.name,
                "schema": exact or _plain_form(output.json_schema),
                "strict": exact is not None,
            },
        }

    def messages(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The conversation."""
        out: list[dict[str, Any]] = []
        for message in self.prompt(request):
            if isinstance(message, SystemMessage):
                out.append({"role": "system", "content": message.text})
            elif isinstance(message, UserMessage):
                out.append({"role": "user", "content": self.user_content(message)})
            elif isinstance(message, AssistantMessage):
                out.append(self.assistant_message(message))
            else:
                out.extend(self.tool_messages(message))
        return out

    def prompt(self, request: ModelRequest) -> tuple[Any, ...]:
        """The messages, with the answer's shape in words where the vendor cannot be told otherwise."""
        output = request.output
        if output is not None and output.mode == "native" and self.dialect.output != "json_schema":
            from dataclasses import replace  # noqa: PLC0415 - rarely needed

            return with_instruction(replace(request, output=replace(output, mode="prompted")))
        return with_instruction(request)

    def user_content(self, message: UserMessage) -> Any:
        """What the user said, as a text where it is nothing else."""
        parts = message.parts
        if all(isinstance(part, TextPart) for part in parts):
            return "\n".join(part.text for part in parts if isinstance(part, TextPart))
        return [
            {"type": "text", "text": part.text} if isinstance(part, TextPart) else self.file(part) for part in parts
        ]

    def file(self, part: FilePart) -> dict[str, Any]:
        """A picture, a sound or a document."""
        options = (part.provider_options or {}).get(self.provider, {})
        if part.media_type.startswith("image/"):
            return {"type": "image_url", "image_url": {"url": as_url(part), **options}}
        if part.media_type in _AUDIO_FORMATS and isinstance(part.data, bytes):
            data = base64.b64encode(part.data).decode()
            return {"type": "input_audio", "input_audio": {"data": data, "format": _AUDIO_FORMATS[part.media_type]}}
        if part.media_type.startswith("text/") and isinstance(part.data, bytes):
            return {"type": "text", "text": part.data.decode("utf-8", "replace")}
        if part.media_type == "application/pdf" and isinstance(part.data, bytes):
            return {"type": "file", "file": {"filename": part.filename or "document.pdf", "file_data": as_url(part)}}
        raise unsupported(self.provider, f"a file of the type {part.media_type!r} this way")

    def assistant_message(self, message: AssistantMessage) -> dict[str, Any]:
        """What the model said and called."""
        text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
        calls = [part for part in message.parts if isinstance(part, ToolCallPart) and not part.provider_executed]
        out: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else "")}
        if self.dialect.reasoning == "content":
            thought = "".join(part.text for part in message.parts if isinstance(part, ReasoningPart))
            if thought:
                out["reasoning_content"] = thought
        if calls:
            out["tool_calls"] = [
                {
                    "id": self.call_id(call.call_id),
                    "type": "function",
                    "function": {"name": call.name, "arguments": dumps(call.arguments)},
                }
                for call in calls
            ]
        return out

    def tool_messages(self, message: ToolMessage) -> list[dict[str, Any]]:
        """The results of calls; pictures among them follow as a message of the user."""
        out: list[dict[str, Any]] = []
        pictures: list[dict[str, Any]] = []
        for part in message.parts:
            out.append({"role": "tool", "tool_call_id": self.call_id(part.call_id), "content": result_text(part)})
            pictures.extend(self.file(item) for item in result_files(part))
        if pictures:
            out.append({"role": "user", "content": pictures})
        return out

    def call_id(self, call_id: str) -> str:
        """A call's id in the form that the vendor accepts."""
        return call_id

    def decoder(self, request: ModelRequest, composer: Composer) -> Decoder:
        """What reads the answer."""
        return ChatDecoder(self.provider, self.model_id, request, composer)


def as_url(part: FilePart) -> str:
    """A file as a URL, its bytes inside when it has some."""
    if isinstance(part.data, str):
        return part.data
    return f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"


def result_text(part: ToolResultPart) -> str:
    """The result of a call as a text; files in it are named."""
    output = part.output
    if isinstance(output, str):
        return output
    if isinstance(output, tuple):
        return "\n".join(item.text if isinstance(item, TextPart) else f"[{item.media_type}]" for item in output)
    return dumps(output)


def result_files(part: ToolResultPart) -> list[FilePart]:
    """The files in the result of a call."""
    return [item for item in part.output if isinstance(item, FilePart)] if isinstance(part.output, tuple) else []


def _says_only_text(chunk: dict[str, Any], choice: dict[str, Any], delta: dict[str, Any]) -> bool:
    """Whether a chunk brings a piece of text and nothing that has to be looked at again in the next one like it."""
    return (
        isinstance(delta.get("content"), str)
        and delta["content"] != ""
        and not any(value for key, value in delta.items() if key not in {"content", "role"})
        and not choice.get("finish_reason")
        and len(chunk["choices"]) == 1
        and not any(chunk.get(key) for key in ("usage", "x_groq", "citations", "search_results", "error"))
    )


class ChatDecoder:
    """Reads the chunks of a Chat Completions stream."""

    def __init__(self, provider: str, model: str, request: ModelRequest, composer: Composer) -> None:
        self.composer = composer
        self.provider = provider
        self.model = model
        self._strict = {tool.name: tool.parameters for tool in request.tools if tool.strict}
        self._sources: set[str] = set()
        self._refusal: list[str] = []
        self._repeats = Repeats()

    def read(self, event: str, data: str | bytes) -> None:
        """One chunk, or `[DONE]`."""
        if isinstance(data, str) and (text := self._repeats.text(data)) is not None:
            self.composer.add_text(text)
            return
        if data == "[DONE]":
            self._finish()
            return
        chunk = parse_event(data, self.provider)
        if event == "error" or chunk.get("error"):
            raise error_of_event(chunk, provider=self.provider, model=self.model)
        composer = self.composer
        if not composer.started:
            composer.start(chunk.get("id") or "", chunk.get("model") or self.model)
        choices = chunk.get("choices")
        if choices:
            choice = choices[0]
            if not choice.get("index"):
                delta = choice.get("delta") or choice.get("message")
                if delta:
                    self._delta(delta)
                    if isinstance(data, str) and _says_only_text(chunk, choice, delta):
                        self._repeats.learn(data, "content", delta["content"])
                if choice.get("finish_reason"):
                    self._reason(choice)
        if usage := (chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage")):
            composer.usage = read_usage(usage)
        for name in ("citations", "search_results"):
            if chunk.get(name):
                self._cite(chunk[name])
        if chunk.get("service_tier"):
            composer.metadata.setdefault(self.provider, {})["serviceTier"] = chunk["service_tier"]

    def _delta(self, delta: dict[str, Any]) -> None:
        composer = self.composer
        content = delta.get("content")
        if content:
            if isinstance(content, str):
                composer.add_text(content)
            else:
                self._parts(content)
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            composer.add_reasoning(thought)
        if refusal := delta.get("refusal"):
            self._refusal.append(refusal)
            composer.add_text(refusal)
        for position, call in enumerate(delta.get("tool_calls") or ()):
            self._call(call, position)
        for annotation in delta.get("annotations") or ():
            if cited := annotation.get("url_citation"):
                self._source(cited.get("url"), cited.get("title") or "")
        for image in delta.get("images") or ():
            self._image((image.get("image_url") or {}).get("url") or "")

    def _parts(self, parts: list[Any]) -> None:
        """Content in parts, as Mistral sends it."""
        for part in parts:
            kind = part.get("type")
            if kind == "text":
                self.composer.add_text(part.get("text") or "")
            elif kind == "thinking":
                for thought in part.get("thinking") or ():
                    self.composer.add_reasoning(thought.get("text") or "")
            elif kind == "reference":
                references = part.get("reference_ids") or ()
                self.composer.out.extend(Source(str(reference), "document") for reference in references)

    def _call(self, call: dict[str, Any], position: int) -> None:
        composer = self.composer
        function = call.get("function") or {}
        index = call.get("index")
        key = position if index is None else index
        current: OpenCall | None = composer.calls.get(key)
        call_id, name = call.get("id"), function.get("name")
        if current is not None and call_id and name and call_id != current.call_id:
            # Some give every call the same index.
            composer.close_call(key)
            current = None
        if current is None:
            if not name:
                return
            current = composer.open_call(key, call_id or f"{composer.answer_id}-{composer.new_id('call')}", name)
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = dumps(arguments)
        if arguments:
            composer.add_arguments(current, arguments)

    def _reason(self, choice: dict[str, Any]) -> None:
        composer = self.composer
        raw = str(choice["finish_reason"])
        if raw == "error":
            problem = choice.get("error") or {"message": "The answer broke off."}
            raise error_of_event({"error": problem}, provider=self.provider, model=self.model)
        if raw in ("insufficient_system_resource", "network_error"):
            raise ModelUnavailable(f"{self.provider} broke off the answer: {raw}.", adapter=self.provider)
        if raw == "rate_limit":
            raise RateLimited(f"{self.provider} broke off the answer: {raw}.", adapter=self.provider)
        composer.raw_reason = raw
        composer.finish_reason = FINISH_REASONS.get(raw, "other")

    def _source(self, url: str | None, title: str) -> None:
        if url and url not in self._sources:
            self._sources.add(url)
            self.composer.out.append(Source(f"source-{len(self._sources) - 1}", "url", title, url))

    def _cite(self, items: list[Any]) -> None:
        for item in items:
            if isinstance(item, str):
                self._source(item, "")
            elif isinstance(item, dict):
                self._source(item.get("url"), item.get("title") or "")

    def _image(self, url: str) -> None:
        head, separator, data = url.partition(";base64,")
        if separator and head.startswith("data:"):
            self.composer.out.append(GeneratedFile(base64.b64decode(data), head[5:]))

    def _finish(self) -> None:
        """Finish, if the model gave a reason: `[DONE]` alone does not say that the answer is whole."""
        composer = self.composer
        if composer.finish_reason is None:
            return
        if self._refusal:
            composer.metadata.setdefault(self.provider, {})["refusal"] = "".join(self._refusal)
            composer.finish(FINISH_REASONS["content_filter"], composer.raw_reason)
        else:
            composer.finish()
        if self._strict:
            composer.out[:] = [self._without_nulls(delta) for delta in composer.out]

    def _without_nulls(self, delta: Any) -> Any:
        if isinstance(delta, ToolCall) and delta.arguments is not None and delta.name in self._strict:
            return delta._replace(arguments=drop_nulls(delta.arguments, self._strict[delta.name]))
        return delta

    def end(self) -> None:
        """After the last byte: the finish reason is end enough."""
        self._finish()


def read_usage(usage: dict[str, Any]) -> Usage:
    """The tokens, in the names that the vendors use."""
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    cached = prompt.get("cached_tokens")
    if cached is None:
        cached = usage.get("prompt_cache_hit_tokens", usage.get("cached_tokens"))
    return Usage(
        usage.get("prompt_tokens") or 0,
        usage.get("completion_tokens") or 0,
        completion.get("reasoning_tokens", usage.get("reasoning_tokens")),
        cached,
        prompt.get("cache_write_tokens") or prompt.get("cache_creation_tokens"),
        usage,
    )
