"""Messages from whatever a caller has: texts, stored messages, AI SDK UI messages (4 to 6), model messages."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

from mastra.errors import InvalidInput, near_miss
from mastra.types.ids import new_id
from mastra.types.messages import Message, Part, Role
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
from mastra.types.times import from_wire

MessageInput: TypeAlias = "str | Message | Mapping[str, Any] | Sequence[str | Message | Mapping[str, Any]]"
_ROLES = frozenset({"user", "assistant", "system", "tool", "signal"})
_PROMPT = (UserMessage, AssistantMessage, SystemMessage, ToolMessage)
_MAX_MESSAGES = 10_000
# The parts of model messages and of stored ones; more begin with `data-` and `tool-`.
_KINDS = frozenset({"text", "reasoning", "redacted-reasoning", "tool-call", "tool-result", "tool-invocation", "image",
                    "file", "reasoning-file", "source", "source-url", "source-document", "step-start", "dynamic-tool",
                    "custom"})  # fmt: skip


def user_message(text: str) -> Message:
    """What a user said, now."""
    now = time.time()
    part = {"type": "text", "text": text, "createdAt": int(now * 1000)}
    return Message(
        id=new_id(),
        role="user",
        parts=(part,),
        created_at=datetime.fromtimestamp(now, UTC),
        extra={"content": text},
    )


def read_messages(given: Any) -> list[Message]:
    """The messages that `given` stands for; results of tools are put to the calls they answer."""
    if isinstance(given, str):
        return [user_message(given)]
    if isinstance(given, Message | Mapping) or isinstance(given, _PROMPT):  # noqa: SIM101 - a tuple is no union
        given = [given]
    if not isinstance(given, Iterable):
        raise InvalidInput(f"A {type(given).__name__} is no message.", hint="Use a text, a message, or a list of them.")
    out: list[Message] = []
    for index, one in enumerate(given):
        if index >= _MAX_MESSAGES:
            raise InvalidInput(f"More than {_MAX_MESSAGES} messages.")
        if isinstance(one, str):
            out.append(user_message(one))
        elif isinstance(one, Message):
            out.append(one)
        elif isinstance(one, _PROMPT):
            _add(out, _from_prompt(one))
        elif isinstance(one, Mapping):
            _add(out, _from_mapping(one, f"messages[{index}]"))
        else:
            raise InvalidInput(f"messages[{index}] is a {type(one).__name__}.", hint="Use texts or messages.")
    return out


def says_something(messages: list[Message]) -> bool:
    """Whether any of the messages has content: a text that is not blank, a file, a call, a result."""
    for message in messages:
        for part in message.parts:
            if part["type"] != "text" or part["text"].strip():
                return True
    return False


def _add(out: list[Message], message: Message) -> None:
    """Append, unless the message only brings results of calls that are there already."""
    if message.role == "tool" or (message.extra.get("results_only")):
        left = [part for part in message.parts if not settle(out, part)]
        if not left:
            return
        message = replace(message, role="assistant", parts=tuple(left), extra={})
    out.append(message)


def settle(messages: list[Message], result: Part) -> bool:
    """Put a finished tool invocation to the open call of the same id; whether there was one."""
    answer = result["toolInvocation"]
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message.role != "assistant":
            continue
        for at, part in enumerate(message.parts):
            call = part.get("toolInvocation")
            if call is None or call.get("toolCallId") != answer["toolCallId"]:
                continue
            parts = list(message.parts)
            parts[at] = {**part, "toolInvocation": {**call, **answer, "args": call.get("args", {})}}
            messages[index] = replace(message, parts=tuple(parts))
            return True
    return False


# ---------------------------------------------------------------- mappings


def _from_mapping(one: Mapping[str, Any], where: str) -> Message:
    role = one.get("role")
    if role not in _ROLES:
        raise InvalidInput(f"{where}.role is {role!r}.", hint=f"Use one of {', '.join(sorted(_ROLES))}.")
    content = one.get("content")
    extra: dict[str, Any] = {}
    if isinstance(content, Mapping) and "parts" in content:
        kept = dict(content)
        kept.pop("format", None)
        parts = tuple(_checked(part, where) for part in kept.pop("parts"))
        extra = kept
    elif isinstance(one.get("parts"), list):
        parts = tuple(_ui_part(part, f"{where}.parts[{index}]") for index, part in enumerate(one["parts"]))
        if isinstance(one.get("metadata"), Mapping):
            extra["metadata"] = dict(one["metadata"])
    else:
        parts = _from_content(content, one, where)
        if isinstance(content, str):
            extra["content"] = content
    if role == "tool":
        parts = tuple(part for part in parts if part["type"] == "tool-invocation")
    return Message(
        id=str(one.get("id") or new_id()),
        role=cast("Role", role),
        parts=parts,
        created_at=from_wire(one["createdAt"], f"{where}.createdAt") if one.get("createdAt") else datetime.now(UTC),
        thread_id=one.get("threadId"),
        resource_id=one.get("resourceId"),
        type=one.get("type") if isinstance(one.get("type"), str) else None,
        extra=extra,
    )


def _checked(part: Any, where: str) -> Part:
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        raise InvalidInput(f"{where} has a part without a type.")
    if part["type"] == "text" and not isinstance(part.get("text"), str):
        raise InvalidInput(f"{where} is a text part without a text.")
    if part["type"] == "tool-invocation":
        call = part.get("toolInvocation")
        if not isinstance(call, Mapping) or not isinstance(call.get("toolCallId"), str) or not call["toolCallId"]:
            raise InvalidInput(f"{where} is a tool invocation without a toolCallId.")
        if not isinstance(call.get("toolName"), str):
            raise InvalidInput(f"{where} is a tool invocation without a toolName.")
    return dict(part)


def _from_content(content: Any, one: Mapping[str, Any], where: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    if isinstance(content, str):
        if content or not one.get("toolInvocations"):
            parts.append({"type": "text", "text": content})
    elif isinstance(content, Sequence):
        parts.extend(_model_part(part, f"{where}.content[{index}]") for index, part in enumerate(content))
    elif content is not None:
        raise InvalidInput(f"{where}.content is a {type(content).__name__}.", hint="Use a text or a list of parts.")
    # AI SDK 4 kept these beside the content.
    if isinstance(one.get("reasoning"), str):
        parts.insert(0, _reasoning(one["reasoning"]))
    calls, files = one.get("toolInvocations") or (), one.get("experimental_attachments") or ()
    parts.extend(_checked({"type": "tool-invocation", "toolInvocation": call}, where) for call in calls)
    parts.extend(_file(file.get("url", ""), file.get("contentType", ""), file.get("name")) for file in files)
    if not parts and content is None:
        raise InvalidInput(f"{where} has no content.")
    return tuple(parts)


def _reasoning(text: str, signature: str | None = None, redacted: str | None = None) -> Part:
    detail: dict[str, Any] = {"type": "text", "text": text}
    if redacted is not None:
        detail = {"type": "redacted", "data": redacted}
    elif signature is not None:
        detail["signature"] = signature
    return {"type": "reasoning", "reasoning": "", "details": [detail]}


def _with_options(made: Part, options: Any) -> Part:
    """A part with what its provider wants back: signatures and the ids of items."""
    if isinstance(options, Mapping):
        # What stands under our own name is not for others to say, but for what a model reads instead of a result.
        kept = {name: facts for name, facts in options.items() if name != "mastra"}
        shown = _own(options).get("modelOutput")
        if made["type"] == "tool-invocation" and isinstance(shown, Mapping):
            kept["mastra"] = {"modelOutput": dict(shown)}
        if kept:
            made["providerMetadata"] = kept
    return made


def _own(options: Any) -> Mapping[str, Any]:
    """What was said of a part under our own name."""
    own = options.get("mastra") if isinstance(options, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def _thought(part: Mapping[str, Any], options: Any) -> Part:
    own = _own(options)
    signature, sealed = part.get("signature", own.get("signature")), own.get("redactedData")
    made = _reasoning(
        part["text"],
        signature if isinstance(signature, str) else None,
        sealed if isinstance(sealed, str) else None,
    )
    return _with_options(made, options)


def _invocation(state: str, part: Mapping[str, Any], args: Any, **facts: Any) -> Part:
    call = {"state": state, "toolCallId": part.get("toolCallId", ""), "toolName": part.get("toolName", "")}
    return {"type": "tool-invocation", "toolInvocation": {**call, "args": args if args is not None else {}, **facts}}


def _model_part(part: Any, where: str) -> Part:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    part = _checked(part, where)
    kind = part["type"]
    if kind == "text":
        return _text(part)
    if kind == "reasoning" and "text" in part:
        return _thought(part, _options(part))
    if kind == "tool-call":
        return _with_options(_invocation("call", part, part.get("input", part.get("args"))), _options(part))
    if kind == "tool-result":
        return _result_part(part)
    if kind in ("image", "file"):
        data = part.get("image", part.get("data", part.get("url", "")))
        media = part.get("mediaType") or part.get("mimeType") or ("image/*" if kind == "image" else "")
        return _file(data, media, part.get("filename"))
    if kind not in _KINDS and not kind.startswith(("data-", "tool-")):
        # What nobody knows would be left out of the prompt, and the model would answer something else.
        raise InvalidInput(f"{where}.type is {kind[:40]!r}.", hint=near_miss(kind, _KINDS))
    return dict(part)


def _text(part: Mapping[str, Any]) -> Part:
    made = {key: value for key, value in part.items() if key in ("type", "text", "createdAt")}
    options = _options(part)
    if isinstance(options, Mapping):
        kept = {name: facts for name, facts in options.items() if name != "mastra"}
        if kept:
            made["providerOptions"] = kept
    return made


def _options(part: Mapping[str, Any]) -> Any:
    return part.get("providerOptions") or part.get("providerMetadata")


def _result_part(part: Mapping[str, Any]) -> Part:
    output = part.get("output", part.get("result"))
    failed = bool(part.get("isError"))
    if isinstance(output, Mapping) and output.get("type") in ("json", "text", "content", "error-text", "error-json"):
        failed = failed or str(output["type"]).startswith("error")
        output = output.get("value")
    facts = {"isError": True} if failed else {}
    return _invocation("result", part, part.get("input", part.get("args")), result=output, **facts)


def _file(data: Any, media: str, filename: str | None) -> Part:
    if isinstance(data, bytes | bytearray):
        data = base64.b64encode(data).decode()
    out: Part = {"type": "file", "mimeType": media, "data": str(data)}
    if filename:
        out["filename"] = filename
    return out


def _ui_part(part: Any, where: str) -> Part:
    part = _checked(part, where)
    kind = part["type"]
    if (kind.startswith("tool-") and kind != "tool-invocation") or kind == "dynamic-tool":
        name = part.get("toolName") or kind[len("tool-") :]
        return _with_options(_ui_call({**part, "toolName": name}), part.get("callProviderMetadata"))
    if kind == "file" and "mediaType" in part:
        return _file(part.get("url", part.get("data", "")), part["mediaType"], part.get("filename"))
    if kind == "text":
        return _text(part)
    if kind == "reasoning" and "text" in part:
        return _thought(part, _options(part))
    return dict(part)


def _ui_call(part: Mapping[str, Any]) -> Part:
    state = part.get("state")
    if state == "output-available":
        return _invocation("result", part, part.get("input"), result=part.get("output"))
    if state == "output-error":
        return _invocation("result", part, part.get("input"), result=part.get("errorText"), isError=True)
    if state == "output-denied":
        approval = part.get("approval")
        return _invocation(
            state, part, part.get("input"), approval=dict(approval) if isinstance(approval, Mapping) else {}
        )
    return _invocation("call" if state == "input-available" else "partial-call", part, part.get("input"))


def _from_prompt(one: Any) -> Message:
    now = datetime.now(UTC)
    if isinstance(one, SystemMessage):
        return Message(id=new_id(), role="system", parts=({"type": "text", "text": one.text},), created_at=now)
    parts: list[Part] = []
    for part in one.parts:
        if isinstance(part, TextPart):
            parts.append(_with_options({"type": "text", "text": part.text}, part.provider_options))
        elif isinstance(part, FilePart):
            parts.append(_file(part.data, part.media_type, part.filename))
        elif isinstance(part, ReasoningPart):
            made = _reasoning(part.text, part.signature, part.redacted_data)
            parts.append(_with_options(made, part.provider_options))
        elif isinstance(part, ToolCallPart):
            about = {"toolCallId": part.call_id, "toolName": part.name}
            parts.append(_with_options(_invocation("call", about, part.arguments), part.provider_options))
        elif isinstance(part, ToolResultPart):
            facts = {"isError": True} if part.is_error else {}
            about = {"toolCallId": part.call_id, "toolName": part.name}
            parts.append(_invocation("result", about, None, result=part.output, **facts))
    return Message(id=new_id(), role=one.role, parts=tuple(parts), created_at=now)
