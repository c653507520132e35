"""OpenAI's Responses API: items in, items out, thoughts carried along encrypted instead of stored."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from mastra.errors import ContentRefused
from mastra.ports.model import ChatModel
from mastra.providers.composer import Composer, OpenCall, parse_event, parse_object, thought_of
from mastra.providers.failures import error_of_event
from mastra.providers.keys import KeySource
from mastra.providers.openai_chat import OpenAIChat, as_url, result_files, result_text
from mastra.providers.schemas import Compiled, drop_nulls, is_exact_in_strict, rewrite_plain, rewrite_strict
from mastra.providers.transport import Http, HttpOptions
from mastra.providers.wire import (
    Decoder,
    WireModel,
    left_out,
    output_tool_of,
    own_signature,
    snake_case,
    take_out,
    unsupported,
    with_instruction,
)
from mastra.types.json import dumps
from mastra.types.model import GeneratedFile, ModelRequest, OutputSpec, Source, ToolCall, ToolResult
from mastra.types.prompt import (
    AssistantMessage,
    FilePart,
    ReasoningPart,
    SystemMessage,
    TextPart,
    ToolCallPart,
    ToolMessage,
    UserMessage,
)
from mastra.types.usage import Usage

_strict_form = Compiled(rewrite_strict)
_plain_form = Compiled(rewrite_plain)
_exact_form = Compiled(lambda schema: rewrite_strict(schema) if is_exact_in_strict(schema) else None)
_REASONING_REFUSES = ("temperature", "top_p")
# Items that are a tool which OpenAI ran itself.
_OWN_TOOLS = frozenset({
    "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "computer_call",
    "mcp_call", "local_shell_call",
})  # fmt: skip


def make_openai(
    model_id: str,
    *,
    url: str | None = None,
    api_key: KeySource = None,
    headers: Mapping[str, str] | None = None,
    http: Http | HttpOptions | None = None,
) -> ChatModel:
    """The model of `"openai/..."`: the Responses API, or Chat Completions when it is somebody else's endpoint."""
    if url is not None:
        return OpenAIChat(model_id, provider="openai", url=url, api_key=api_key, headers=headers, http=http)
    return OpenAIResponses(model_id, api_key=api_key, headers=headers, http=http)


class OpenAIResponses(WireModel):
    """A model behind the Responses API."""

    vendor = "openai"
    home = "https://api.openai.com/v1"
    key_env = ("OPENAI_API_KEY",)

    def path(self, request: ModelRequest) -> str:
        """The endpoint."""
        del request
        return "/responses"

    def body(self, request: ModelRequest, warnings: list[str]) -> dict[str, Any]:
        """The request; nothing is stored at OpenAI unless the options ask for it."""
        settings = request.settings
        body: dict[str, Any] = {"model": self.model_id}
        tools = self.tools(request)
        if tools:
            body["tools"] = tools
            self.choose_tool(body, request)
        if request.output is not None and request.output.mode == "native":
            body["text"] = {"format": self.output_format(request.output)}
        body["input"] = self.input(request)
        body["stream"] = True
        body["store"] = False
        values = {
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "max_output_tokens": settings.max_output_tokens,
            "service_tier": settings.service_tier,
            "parallel_tool_calls": settings.parallel_tool_calls if request.tools else None,
        }
        body.update((name, value) for name, value in values.items() if value is not None)
        if settings.reasoning_effort is not None:
            body["reasoning"] = {"effort": settings.reasoning_effort}
        warnings.extend(
            left_out("The Responses API", name)
            for name in ("top_k", "seed", "presence_penalty", "frequency_penalty", "stop_sequences")
            if getattr(settings, name) not in (None, ())
        )
        if self.profile.reasoning:
            body["include"] = ["reasoning.encrypted_content"]
            warnings.extend(take_out(body, _REASONING_REFUSES, self.model_id))
        self.options(body, request)
        return body

    def options(self, body: dict[str, Any], request: ModelRequest) -> None:
        """The caller's own options for OpenAI."""
        for key, value in request.provider_options.get(self.provider, {}).items():
            name = snake_case(key)
            if value is None:
                continue
            if name in ("reasoning_effort", "reasoning_summary"):
                body.setdefault("reasoning", {})[name.removeprefix("reasoning_")] = value
            elif name in ("text_verbosity", "verbosity"):
                body.setdefault("text", {})["verbosity"] = value
            else:
                body[name] = value

    def tools(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The tools in the order of their names."""
        out: list[dict[str, Any]] = []
        for tool in sorted(request.tools, key=lambda tool: tool.name):
            if tool.provider_type is not None:
                out.append({"type": tool.provider_type, **(tool.provider_options or {}).get(self.provider, {})})
                continue
            strict = _strict_form(tool.parameters) if tool.strict else None
            out.append(
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": strict or _plain_form(tool.parameters),
                    "strict": strict is not None,
                }
            )
        if request.output is not None and output_tool_of(request.output):
            out.append(
                {
                    "type": "function",
                    "name": request.output.name,
                    "description": "Give the answer.",
                    "parameters": _plain_form(request.output.json_schema),
                    "strict": False,
                }
            )
        return out

    def choose_tool(self, body: dict[str, Any], request: ModelRequest) -> None:
        """Which tools may or must be called."""
        choice = request.tool_choice
        output_tool = output_tool_of(request.output)
        if output_tool is not None:
            body["tool_choice"] = "required" if request.tools else {"type": "function", "name": output_tool}
        elif choice in ("required", "none"):
            body["tool_choice"] = choice
        elif choice != "auto":
            body["tool_choice"] = {"type": "function", "name": choice}

    def output_format(self, output: OutputSpec) -> dict[str, Any]:
        """The shape of the answer."""
        exact = _exact_form(output.json_schema)
        return {
            "type": "json_schema",
            "name": output.name,
            "schema": exact or _plain_form(output.json_schema),
            "strict": exact is not None,
        }

    def input(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The conversation as items."""
        out: list[dict[str, Any]] = []
        for message in with_instruction(request):
            if isinstance(message, SystemMessage):
                role = "developer" if self.profile.reasoning else "system"
                out.append({"role": role, "content": message.text})
            elif isinstance(message, UserMessage):
                out.append({"role": "user", "content": [self.user_part(part) for part in message.parts]})
            elif isinstance(message, AssistantMessage):
                out.extend(self.assistant_items(message))
            elif isinstance(message, ToolMessage):
                out.extend(self.result_item(part) for part in message.parts)
        return out

    def user_part(self, part: TextPart | FilePart) -> dict[str, Any]:
        """A text, a picture or a document of the user."""
        if isinstance(part, TextPart):
            return {"type": "input_text", "text": part.text}
        options = (part.provider_options or {}).get(self.provider, {})
        if part.media_type.startswith("image/"):
            return {"type": "input_image", "image_url": as_url(part), "detail": "auto", **options}
        if isinstance(part.data, str):
            return {"type": "input_file", "file_url": part.data}
        if part.media_type.startswith("audio/"):
            data = base64.b64encode(part.data).decode()
            form = "mp3" if part.media_type in ("audio/mpeg", "audio/mp3") else "wav"
            return {"type": "input_audio", "input_audio": {"data": data, "format": form}}
        if part.media_type.startswith("text/") or part.media_type == "application/pdf":
            return {"type": "input_file", "filename": part.filename or "document", "file_data": as_url(part)}
        raise unsupported(self.provider, f"a file of the type {part.media_type!r}")

    def assistant_items(self, message: AssistantMessage) -> list[dict[str, Any]]:
        """What the model said, thought and called, as the items that they were."""
        out: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, TextPart):
                if part.text:
                    out.append({"role": "assistant", "content": part.text})
            elif isinstance(part, ReasoningPart):
                facts = (part.provider_options or {}).get(self.provider, {})
                secret = own_signature(part, self.provider)
                if secret:
                    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
                    item = {"type": "reasoning", "summary": summary, "encrypted_content": secret}
                    if facts.get("itemId"):
                        item["id"] = facts["itemId"]
                    out.append(item)
            elif isinstance(part, ToolCallPart) and not part.provider_executed:
                out.append(
                    {
                        "type": "function_call",
                        "call_id": part.call_id,
                        "name": part.name,
                        "arguments": dumps(part.arguments),
                    }
                )
        return out

    def result_item(self, part: Any) -> dict[str, Any]:
        """The result of a call."""
        files = result_files(part)
        output: Any = result_text(part)
        if files:
            output = [
                {"type": "input_text", "text": item.text} if isinstance(item, TextPart) else self.user_part(item)
                for item in part.output
            ]
        return {"type": "function_call_output", "call_id": part.call_id, "output": output}

    def decoder(self, request: ModelRequest, composer: Composer) -> Decoder:
        """What reads the answer."""
        return ResponsesDecoder(self.provider, self.model_id, request, composer)


class ResponsesDecoder:
    """Reads the events of a Responses stream."""

    def __init__(self, provider: str, model: str, request: ModelRequest, composer: Composer) -> None:
        self.composer = composer
        self.provider = provider
        self.model = model
        self._strict = {tool.name: tool.parameters for tool in request.tools if tool.strict}
        self._refusal: list[str] = []
        self._sources = 0
        self._thoughts = 0

    def read(self, event: str, data: str | bytes) -> None:
        """One event."""
        if data == "[DONE]":
            return
        payload = parse_event(data, self.provider)
        kind = payload.get("type") or event
        composer = self.composer
        if kind == "response.output_text.delta":
            composer.add_text(payload.get("delta") or "")
        elif kind == "response.function_call_arguments.delta":
            call = composer.calls.get(payload.get("output_index"))
            if call is not None:
                composer.add_arguments(call, payload.get("delta") or "")
        elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            composer.add_reasoning(payload.get("delta") or "")
        elif kind == "response.created":
            response = payload.get("response") or {}
            composer.start(response.get("id") or "", response.get("model") or self.model)
        elif kind == "response.output_item.added":
            self._item_added(payload)
        elif kind == "response.output_item.done":
            self._item_done(payload)
        elif kind == "response.reasoning_summary_part.added":
            self._thoughts += 1
            if self._thoughts > 1:
                composer.add_reasoning("\n\n")
        elif kind == "response.refusal.delta":
            self._refusal.append(payload.get("delta") or "")
            composer.add_text(payload.get("delta") or "")
        elif kind == "response.output_text.annotation.added":
            self._annotation(payload.get("annotation") or {})
        elif kind in ("response.completed", "response.incomplete"):
            self._end_of(payload.get("response") or {})
        elif kind in ("response.failed", "error"):
            self._fail(payload)

    def _item_added(self, payload: dict[str, Any]) -> None:
        item = payload.get("item") or {}
        composer = self.composer
        composer.start("", self.model)
        if item.get("type") == "function_call":
            key = payload.get("output_index")
            call = composer.open_call(key, item.get("call_id") or item.get("id") or "", item.get("name") or "")
            composer.add_arguments(call, item.get("arguments") or "")
        elif item.get("type") == "reasoning":
            self._thoughts = 0
            composer.open_reasoning()
        elif item.get("type") == "message":
            composer.close_reasoning()

    def _item_done(self, payload: dict[str, Any]) -> None:
        item = payload.get("item") or {}
        kind = item.get("type")
        composer = self.composer
        if kind == "function_call":
            key = payload.get("output_index")
            call: OpenCall | None = composer.calls.get(key)
            if call is None:
                call = composer.open_call(key, item.get("call_id") or "", item.get("name") or "")
            whole = item.get("arguments")
            if isinstance(whole, str) and not call.pieces and call.name != composer.output_tool:
                composer.add_arguments(call, whole)
            composer.close_call(key)
        elif kind == "message":
            composer.close_text({self.provider: {"itemId": item.get("id")}} if item.get("id") else None)
        elif kind == "reasoning":
            if composer.reasoning is None and item.get("encrypted_content"):
                composer.open_reasoning()
            mark = thought_of(self.provider, itemId=item.get("id"))
            composer.close_reasoning(item.get("encrypted_content"), None, mark)
        elif kind in _OWN_TOOLS:
            self._own_tool(kind, item)

    def _own_tool(self, kind: str, item: dict[str, Any]) -> None:
        """A tool that OpenAI ran: the call and its result come together."""
        composer = self.composer
        call_id = item.get("id") or composer.new_id("call")
        name = kind.removesuffix("_call")
        if kind == "image_generation_call" and item.get("result"):
            form = item.get("output_format") or "png"
            composer.out.append(GeneratedFile(base64.b64decode(item["result"]), f"image/{form}"))
        asked = item.get("action") or {key: item[key] for key in ("queries", "code", "arguments") if key in item}
        if isinstance(asked.get("arguments"), str):
            asked = parse_object(asked["arguments"]) or asked
        call = composer.open_call(call_id, call_id, name, provider_executed=True)
        composer.add_arguments(call, dumps(asked))
        composer.close_call(call_id)
        result = {key: value for key, value in item.items() if key not in ("id", "type", "action", "result")}
        composer.out.append(ToolResult(call_id, name, result, is_error=item.get("status") == "failed"))

    def _annotation(self, note: dict[str, Any]) -> None:
        kind = note.get("type")
        source_id = f"source-{self._sources}"
        self._sources += 1
        if kind == "url_citation":
            self.composer.out.append(Source(source_id, "url", note.get("title") or "", note.get("url")))
        elif kind in ("file_citation", "container_file_citation"):
            name = note.get("filename") or note.get("file_id") or ""
            self.composer.out.append(Source(source_id, "document", name, None, None, note.get("filename")))

    def _end_of(self, response: dict[str, Any]) -> None:
        composer = self.composer
        usage = response.get("usage") or {}
        composer.usage = Usage(
            usage.get("input_tokens") or 0,
            usage.get("output_tokens") or 0,
            (usage.get("output_tokens_details") or {}).get("reasoning_tokens"),
            (usage.get("input_tokens_details") or {}).get("cached_tokens"),
            (usage.get("input_tokens_details") or {}).get("cache_write_tokens"),
            usage or None,
        )
        facts = {"responseId": response.get("id"), "serviceTier": response.get("service_tier")}
        known = {key: value for key, value in facts.items() if value}
        if self._refusal:
            known["refusal"] = "".join(self._refusal)
        if known:
            composer.metadata[self.provider] = known
        why = (response.get("incomplete_details") or {}).get("reason")
        composer.start(response.get("id") or "", response.get("model") or self.model)
        if self._refusal:
            composer.finish("content-filter", "refusal")
        elif response.get("status") == "incomplete" or why:
            reason = {"max_output_tokens": "length", "content_filter": "content-filter"}.get(why or "", "other")
            composer.finish(reason, why or "incomplete")  # type: ignore[arg-type]  # the table's values
        else:
            composer.finish("tool-calls" if composer.saw_call else "stop", response.get("status") or "completed")
        if self._strict:
            composer.out[:] = [self._without_nulls(delta) for delta in composer.out]

    def _without_nulls(self, delta: Any) -> Any:
        if isinstance(delta, ToolCall) and delta.arguments is not None and delta.name in self._strict:
            return delta._replace(arguments=drop_nulls(delta.arguments, self._strict[delta.name]))
        return delta

    def _fail(self, payload: dict[str, Any]) -> None:
        response = payload.get("response") or {}
        problem = response.get("error") or payload.get("error") or payload
        if isinstance(problem, dict) and problem.get("code") in ("content_filter", "content_policy_violation"):
            raise ContentRefused(f"{self.provider} refused: {problem.get('message', '')}", adapter=self.provider)
        raise error_of_event({"error": problem}, provider=self.provider, model=self.model)

    def end(self) -> None:
        """After the last byte: only a terminal event ends an answer."""
