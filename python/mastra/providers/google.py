"""Google's Gemini (`streamGenerateContent`): parts, thoughts with signatures, grounding, and safety blocks."""

from __future__ import annotations

import base64
import os
import re
from typing import Any

from mastra.providers.composer import Composer, parse_event, thought_of
from mastra.providers.failures import error_of_event
from mastra.providers.schemas import Compiled, rewrite_google
from mastra.providers.wire import Decoder, WireModel, left_out, output_tool_of, own_signature, with_instruction
from mastra.types.chunks import FinishReason
from mastra.types.json import dumps
from mastra.types.model import (
    GeneratedFile,
    ModelRequest,
    Source,
    ToolCall,
    ToolInputDelta,
    ToolInputEnd,
    ToolInputStart,
    ToolResult,
)
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

FINISH_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content-filter",
    "RECITATION": "content-filter",
    "BLOCKLIST": "content-filter",
    "PROHIBITED_CONTENT": "content-filter",
    "SPII": "content-filter",
    "IMAGE_SAFETY": "content-filter",
    "LANGUAGE": "other",
    "OTHER": "other",
    "FUNCTION_CALL": "tool-calls",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
}
_google_form = Compiled(rewrite_google)
# Options that stand beside the generation config, not in it.
_TOP_LEVEL = frozenset({"safetySettings", "cachedContent", "labels", "serviceTier"})
# The models that take calls without a signature.
_UNSIGNED = re.compile(r"(models/)?gemini-[12]\b|(?!.*gemini)")
_EFFORT_BUDGETS = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576}


class Google(WireModel):
    """A model behind the Gemini API."""

    vendor = "google"
    home = "https://generativelanguage.googleapis.com/v1beta"
    key_env = ("GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")

    def path(self, request: ModelRequest) -> str:
        """The endpoint; the key is never part of it."""
        del request
        name = self.model_id if "/" in self.model_id else f"models/{self.model_id}"
        return f"/{name}:streamGenerateContent?alt=sse"

    def auth(self, key: Secret | None) -> dict[str, str]:
        """The header that carries the key."""
        return {} if key is None else {"x-goog-api-key": key.reveal()}

    # ------------------------------------------------------------ the request

    def body(self, request: ModelRequest, warnings: list[str]) -> dict[str, Any]:
        """The request: tools and instructions before the conversation."""
        body: dict[str, Any] = {}
        tools = self.tools(request)
        if tools:
            body["tools"] = tools
            self.choose_tool(body, request)
        system = [message.text for message in with_instruction(request) if isinstance(message, SystemMessage)]
        if system:
            body["systemInstruction"] = {"parts": [{"text": text} for text in system if text]}
        body["contents"] = self.contents(request)
        config = self.config(request, warnings)
        for key, value in request.provider_options.get(self.provider, {}).items():
            if key in _TOP_LEVEL:
                body[key] = value
            else:
                config[key] = value
        if config:
            body["generationConfig"] = config
        return body

    def config(self, request: ModelRequest, warnings: list[str]) -> dict[str, Any]:
        """The knobs of the call."""
        settings = request.settings
        values = {
            "temperature": settings.temperature,
            "topP": settings.top_p,
            "topK": settings.top_k,
            "maxOutputTokens": settings.max_output_tokens,
            "stopSequences": list(settings.stop_sequences) or None,
            "seed": settings.seed,
            "presencePenalty": settings.presence_penalty,
            "frequencyPenalty": settings.frequency_penalty,
        }
        config: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
        effort = settings.reasoning_effort
        if effort is not None:
            thinking: dict[str, Any] = {"includeThoughts": effort != "none"}
            if self.model_id.startswith("gemini-2"):
                thinking["thinkingBudget"] = _EFFORT_BUDGETS.get(effort, -1)
            else:
                thinking["thinkingLevel"] = effort
            config["thinkingConfig"] = thinking
        if request.output is not None and request.output.mode == "native":
            config["responseMimeType"] = "application/json"
            config["responseSchema"] = _google_form(request.output.json_schema)
        elif request.output is not None and request.output.mode == "prompted" and not request.tools:
            config["responseMimeType"] = "application/json"
        if settings.service_tier is not None:
            warnings.append(left_out(self.provider, "service_tier"))
        return config

    def tools(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The functions in the order of their names, and Google's own tools."""
        functions: list[dict[str, Any]] = []
        own: list[dict[str, Any]] = []
        for tool in sorted(request.tools, key=lambda tool: tool.name):
            if tool.provider_type is not None:
                own.append({tool.provider_type: (tool.provider_options or {}).get(self.provider, {})})
                continue
            function = {"name": tool.name, "description": tool.description}
            schema = _google_form(tool.parameters)
            if schema.get("properties"):
                function["parameters"] = schema
            functions.append(function)
        output = request.output
        if output is not None and output_tool_of(output):
            schema = _google_form(output.json_schema)
            functions.append({"name": output.name, "description": "Give the answer.", "parameters": schema})
        return ([{"functionDeclarations": functions}] if functions else []) + own

    def choose_tool(self, body: dict[str, Any], request: ModelRequest) -> None:
        """Which functions may or must be called."""
        choice = request.tool_choice
        output_tool = output_tool_of(request.output)
        if output_tool is not None:
            config: dict[str, Any] = {"mode": "ANY"}
            if not request.tools:
                config["allowedFunctionNames"] = [output_tool]
        elif choice == "auto":
            return
        elif choice in ("none", "required"):
            config = {"mode": "NONE" if choice == "none" else "ANY"}
        else:
            config = {"mode": "ANY", "allowedFunctionNames": [choice]}
        body["toolConfig"] = {"functionCallingConfig": config}

    def contents(self, request: ModelRequest) -> list[dict[str, Any]]:
        """The conversation; neighbours of one role become one."""
        out: list[dict[str, Any]] = []
        for message in request.messages:
            if isinstance(message, SystemMessage):
                continue
            if isinstance(message, AssistantMessage):
                role, parts = "model", [item for part in message.parts for item in self.said(part)]
                self.sign_calls(parts)
            elif isinstance(message, UserMessage):
                role, parts = "user", [self.user_part(part) for part in message.parts]
            else:
                role, parts = "user", [item for part in message.parts for item in self.result(part)]
            if not parts:
                continue
            if out and out[-1]["role"] == role:
                out[-1]["parts"].extend(parts)
            else:
                out.append({"role": role, "parts": parts})
        return out

    def user_part(self, part: TextPart | FilePart) -> dict[str, Any]:
        """A text or a file."""
        if isinstance(part, TextPart):
            return {"text": part.text}
        if isinstance(part.data, str):
            if part.data.startswith("data:"):
                return {"inlineData": {"mimeType": part.media_type, "data": part.data.partition(",")[2]}}
            return {"fileData": {"mimeType": part.media_type, "fileUri": part.data}}
        return {"inlineData": {"mimeType": part.media_type, "data": base64.b64encode(part.data).decode()}}

    def said(self, part: Any) -> list[dict[str, Any]]:
        """A part of what the model said, with the signature that Google wants back."""
        signature = _signature(part, self.provider)
        if isinstance(part, TextPart):
            return [{"text": part.text, **signature}] if part.text or signature else []
        if isinstance(part, ReasoningPart):
            own = own_signature(part, self.provider)
            thought = {"thoughtSignature": own} if own else {}
            return [{"text": part.text, "thought": True, **thought}] if part.text else []
        if isinstance(part, ToolCallPart):
            if part.provider_executed:
                return []
            return [{"functionCall": {"name": part.name, "args": part.arguments}, **signature}]
        if isinstance(part, FilePart):
            return [self.user_part(part)]
        return []

    def sign_calls(self, parts: list[dict[str, Any]]) -> None:
        """Mark calls that another model made: from Gemini 3 on the first call of a step must carry a signature."""
        calls = [part for part in parts if "functionCall" in part]
        if calls and "thoughtSignature" not in calls[0] and not _UNSIGNED.match(self.model_id):
            calls[0]["thoughtSignature"] = "skip_thought_signature_validator"

    def result(self, part: ToolResultPart) -> list[dict[str, Any]]:
        """The result of a call: Google wants an object; files follow it."""
        output = part.output
        files: list[dict[str, Any]] = []
        if isinstance(output, tuple):
            files = [self.user_part(item) for item in output if isinstance(item, FilePart)]
            output = "\n".join(item.text for item in output if isinstance(item, TextPart))
        if part.is_error:
            response: Any = {"error": output}
        else:
            response = output if isinstance(output, dict) else {"result": output}
        return [{"functionResponse": {"name": part.name, "response": response}}, *files]

    def decoder(self, request: ModelRequest, composer: Composer) -> Decoder:
        """What reads the answer."""
        del request
        return GoogleDecoder(self.provider, self.model_id, composer)


def _signature(part: Any, provider: str) -> dict[str, Any]:
    facts = (part.provider_options or {}).get(provider, {}) if hasattr(part, "provider_options") else {}
    return {"thoughtSignature": facts["thoughtSignature"]} if facts.get("thoughtSignature") else {}


class GoogleDecoder:
    """Reads the chunks of a Gemini stream."""

    def __init__(self, provider: str, model: str, composer: Composer) -> None:
        self.composer = composer
        self.provider = provider
        self.model = model
        self._calls = 0
        self._sources: set[str] = set()
        self._signature: str | None = None
        # Calls often come without an id; theirs are made from the answer's.
        self._answer_id = ""

    def read(self, event: str, data: str | bytes) -> None:
        """One chunk."""
        chunk = parse_event(data, self.provider)
        if event == "error" or "error" in chunk:
            raise error_of_event(chunk, provider=self.provider, model=self.model)
        composer = self.composer
        if not self._answer_id:
            self._answer_id = chunk.get("responseId") or os.urandom(8).hex()
        composer.start(chunk.get("responseId") or "", chunk.get("modelVersion") or self.model)
        if chunk.get("usageMetadata"):
            composer.usage = read_usage(chunk["usageMetadata"])
        candidates = chunk.get("candidates")
        if candidates:
            self._candidate(candidates[0])
        blocked = (chunk.get("promptFeedback") or {}).get("blockReason")
        if blocked:
            composer.metadata.setdefault(self.provider, {})["promptFeedback"] = chunk["promptFeedback"]
            composer.raw_reason = str(blocked)
            composer.finish_reason = "content-filter"

    def _candidate(self, candidate: dict[str, Any]) -> None:
        composer = self.composer
        for part in (candidate.get("content") or {}).get("parts") or ():
            self._part(part)
        facts = composer.metadata.setdefault(self.provider, {})
        for name in ("safetyRatings", "groundingMetadata", "urlContextMetadata", "citationMetadata"):
            if candidate.get(name):
                facts[name] = candidate[name]
        for source in (candidate.get("groundingMetadata") or {}).get("groundingChunks") or ():
            self._cite(source.get("web") or source.get("retrievedContext") or {})
        if candidate.get("finishReason") and candidate["finishReason"] != "FINISH_REASON_UNSPECIFIED":
            composer.raw_reason = str(candidate["finishReason"])
            composer.finish_reason = FINISH_REASONS.get(composer.raw_reason, "other")

    def _part(self, part: dict[str, Any]) -> None:
        composer = self.composer
        signature = part.get("thoughtSignature")
        text = part.get("text")
        if isinstance(text, str):
            if part.get("thought"):
                composer.add_reasoning(text)
                self._signature = signature or self._signature
            elif text or signature:
                self._close_thought()
                if text:
                    composer.add_text(text)
                if signature:
                    if composer.text is None:
                        composer.open_text()
                    composer.close_text({self.provider: {"thoughtSignature": signature}})
        elif "functionCall" in part:
            self._close_thought()
            self._call(part["functionCall"], signature)
        elif "inlineData" in part:
            data = part["inlineData"]
            content = base64.b64decode(data.get("data") or "")
            if part.get("thought"):
                return
            composer.out.append(GeneratedFile(content, data.get("mimeType") or "application/octet-stream"))
        elif "executableCode" in part:
            self._calls += 1
            call_id = f"code-{self._calls}"
            arguments = dict(part["executableCode"])
            raw = dumps(arguments)
            composer.out.append(ToolInputStart(call_id, "code_execution", provider_executed=True))
            composer.out.append(ToolInputDelta(call_id, raw))
            composer.out.append(ToolInputEnd(call_id))
            composer.out.append(ToolCall(call_id, "code_execution", arguments, raw, provider_executed=True))
        elif "codeExecutionResult" in part:
            result = part["codeExecutionResult"]
            failed = result.get("outcome") not in (None, "OUTCOME_OK")
            composer.out.append(ToolResult(f"code-{self._calls}", "code_execution", result, is_error=failed))

    def _close_thought(self) -> None:
        if self.composer.reasoning is not None:
            mark = thought_of(self.provider, thoughtSignature=self._signature)
            self.composer.close_reasoning(self._signature, None, mark)
            self._signature = None

    def _call(self, function: dict[str, Any], signature: str | None) -> None:
        composer = self.composer
        key = f"call-{self._calls}"
        self._calls += 1
        call_id = function.get("id") or f"call_{self._answer_id}_{self._calls - 1}"
        call = composer.open_call(key, call_id, function.get("name") or "")
        if signature:
            call.metadata = {self.provider: {"thoughtSignature": signature}}
        composer.add_arguments(call, dumps(function.get("args") or {}))
        composer.close_call(key)

    def _cite(self, place: dict[str, Any]) -> None:
        url = place.get("uri")
        if url and url not in self._sources:
            self._sources.add(url)
            self.composer.out.append(Source(f"source-{len(self._sources) - 1}", "url", place.get("title") or "", url))

    def end(self) -> None:
        """After the last byte: the finish reason came, or the answer does not count."""
        composer = self.composer
        if composer.finish_reason is None:
            return
        self._close_thought()
        if not composer.metadata.get(self.provider):
            composer.metadata.pop(self.provider, None)
        composer.finish()


def read_usage(usage: dict[str, Any]) -> Usage:
    """The tokens: thoughts are counted apart from the answer and belong to it."""
    thoughts = usage.get("thoughtsTokenCount")
    return Usage(
        (usage.get("promptTokenCount") or 0) + (usage.get("toolUsePromptTokenCount") or 0),
        (usage.get("candidatesTokenCount") or 0) + (thoughts or 0),
        thoughts,
        usage.get("cachedContentTokenCount"),
        None,
        usage,
    )
