"""Tools of other people's servers as our own: names that fit, fingerprints, and results a model can read."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mastra.errors import ToolFailed
from mastra.tools.context import ToolContext
from mastra.tools.tool import Approval, Tool
from mastra.types.json import dumps

_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
MAX_DESCRIPTION = 8_000
MAX_RESULT = 1_000_000

Caller = Callable[[str, dict[str, Any], ToolContext], Awaitable[Any]]


def fingerprint(definition: Mapping[str, Any]) -> str:
    """SHA-256 over all that a model sees of a tool: whoever changes a word of it changes this."""
    seen = {key: definition.get(key) for key in ("name", "description", "inputSchema", "outputSchema", "annotations")}
    return hashlib.sha256(dumps(_sorted(seen)).encode("utf-8", "surrogatepass")).hexdigest()


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def hidden(text: str) -> list[str]:
    """The names of characters that a person does not see and a model reads: direction marks, zero widths, tags."""
    found = {char for char in text if unicodedata.category(char) in {"Cf", "Co", "Cn"} and char not in "\u200c\u200d"}
    return sorted(unicodedata.name(char, f"U+{ord(char):04X}") for char in found)


def visible(text: str) -> str:
    """A text without the characters that `hidden` names."""
    return "".join(
        char for char in text if unicodedata.category(char) not in {"Cf", "Co", "Cn"} or char in "\u200c\u200d"
    )


def tool_name(server: str, name: str, *, prefix: bool) -> str:
    """A name that every provider takes; what had to be shortened or changed ends in a digest of the whole."""
    whole = f"{server}_{name}" if prefix else name
    made = "".join(char if char in _NAME_CHARS else "_" for char in whole)
    if made == whole and 0 < len(made) <= 64:
        return made
    return f"{made[:55]}_{hashlib.sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def foreign_tool(
    server: str,
    definition: Mapping[str, Any],
    call: Caller,
    *,
    prefix: bool,
    approval: Approval,
) -> Tool:
    """One tool of a server; the connection bounds its time. A schema that cannot be used is a typed error."""
    name = str(definition.get("name", ""))
    hints = definition.get("annotations") or {}

    async def execute(arguments: dict[str, Any], context: ToolContext) -> Any:
        return readable(await call(name, arguments, context), name)

    return Tool(
        tool_name(server, name, prefix=prefix),
        description=visible(str(definition.get("description") or ""))[:MAX_DESCRIPTION],
        input=definition.get("inputSchema") or None,
        execute=execute,
        require_approval=approval,
        idempotent=bool(hints.get("idempotentHint") or hints.get("readOnlyHint")),
        metadata={"mcp": server, "mcpTool": name, "fingerprint": fingerprint(definition)},
    )


def readable(result: Mapping[str, Any], name: str) -> Any:
    """What a call gave: its structured value, else its texts; `ToolFailed` when the server says that it failed."""
    parts = result.get("content") or []
    texts = [_shown(part) for part in parts if isinstance(part, Mapping)]
    text = "\n".join(texts)
    if result.get("isError"):
        raise ToolFailed(visible(text)[:4_000] or f"{name} failed and does not say why.", details={"tool": name})
    structured = result.get("structuredContent")
    made = text if structured is None else structured
    size = len(made) if isinstance(made, str) else len(dumps(made))
    if size > MAX_RESULT:
        raise ToolFailed(f"{name} gave {size:,} characters; {MAX_RESULT:,} are the most.", details={"tool": name})
    return made


def _shown(part: Mapping[str, Any]) -> str:
    kind = part.get("type")
    if kind == "text":
        return str(part.get("text", ""))
    if kind == "resource":
        held = part.get("resource") or {}
        return str(held.get("text") or f"[{held.get('mimeType', 'data')} at {held.get('uri', '')}]")
    if kind == "resource_link":
        return f"[{part.get('name', '')}]({part.get('uri', '')})"
    return f"[{kind}: {part.get('mimeType', 'data')}, {len(str(part.get('data', '')))} characters of base64]"
