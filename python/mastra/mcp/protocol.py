"""The protocol's words: one JSON-RPC message in, its answer out. Whoever carries them is no concern of this file.

Revision 2026-07-28 is stateless and says its revision with every request; the revisions before it shake hands first.
"""

from __future__ import annotations

import base64
import binascii
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mastra.errors import BadArguments, InputError, MastraError, NotFound, ToolFailed
from mastra.runtime.request_context import RequestContext
from mastra.runtime.signals import Suspend, ToolRetry
from mastra.runtime.tracing import NO_SPAN, NoSpan, Span, continued, parse_traceparent
from mastra.tools.call import checked_output, run_tool
from mastra.tools.context import ToolContext
from mastra.types.ids import new_id
from mastra.types.json import dumps
from mastra.types.schema import to_json

if TYPE_CHECKING:
    from mastra.mcp.server import McpServer
    from mastra.runtime.services import Services
    from mastra.tools.tool import Tool

log = logging.getLogger("mastra.mcp")

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022

_META = "io.modelcontextprotocol/"
_PAGE = 500
_SCHEMA = "https://json-schema.org/draft/2020-12/schema"

Notify = Callable[[dict[str, Any]], Awaitable[None]]


class RpcError(Exception):
    """An error as JSON-RPC says it."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


@dataclass(slots=True)
class Caller:
    """On whose behalf a message is answered. `resource` owns what comes of it; `notify` reaches them meanwhile."""

    resource: str | None = None
    context: RequestContext | None = None
    services: Services | None = None
    notify: Notify | None = None


Handler = Callable[["McpServer", dict[str, Any], Caller], Awaitable[dict[str, Any]]]


def failure(id: str | int | None, error: RpcError) -> dict[str, Any]:
    """The answer that is an error."""
    said: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        said["data"] = error.data
    return {"jsonrpc": "2.0", "error": said, "id": id}


def id_of(message: Any) -> str | int | None:
    """The id of a request; None for a notification and for what is no id."""
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, (str, int)) and not isinstance(found, bool) else None


def request_of(message: Any) -> tuple[str, dict[str, Any]]:
    """Method and parameters of a request."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        raise RpcError(INVALID_REQUEST, "This is not a JSON-RPC request.")
    if message.get("id") is not None and id_of(message) is None:
        raise RpcError(INVALID_REQUEST, "The id of a request is a text or a whole number.")
    params = message.get("params", {})
    if not isinstance(params, dict):
        raise RpcError(INVALID_REQUEST, "The parameters are not an object.")
    return message["method"], params


def revision_of(params: Mapping[str, Any]) -> str | None:
    """The revision that a request names in its own envelope; None for the revisions that shake hands."""
    meta = params.get("_meta")
    said = meta.get(f"{_META}protocolVersion") if isinstance(meta, dict) else None
    return said if isinstance(said, str) else None


def unsupported(requested: Any) -> RpcError:
    """The answer to a revision that is not spoken here."""
    return RpcError(
        UNSUPPORTED_VERSION,
        f"Unsupported protocol version: {str(requested)[:40]}",
        {"supported": [MODERN], "requested": requested},
    )


async def answer(server: McpServer, message: Any, caller: Caller, *, legacy: bool = False) -> dict[str, Any] | None:
    """The answer to one message; None for a notification."""
    asked = id_of(message)
    try:
        method, params = request_of(message)
        if asked is None:
            return None
        revision = revision_of(params)
        result = await _handler(method, params, revision, legacy=legacy)(server, params, caller)
    except RpcError as error:
        return failure(asked, error)
    except (InputError, NotFound) as error:
        return failure(asked, RpcError(INVALID_PARAMS, error.message))
    except Exception:
        # Whatever broke, a stranger is told no more than that it did.
        log.exception("MCP server %s failed to answer %s", server.id, message.get("method"))
        return failure(asked, RpcError(INTERNAL_ERROR, "Internal error"))
    if revision is not None:
        result = _sealed(server, method, result)
    return {"jsonrpc": "2.0", "result": result, "id": asked}


def _handler(method: str, params: Mapping[str, Any], revision: str | None, *, legacy: bool) -> Handler:
    if revision is not None and revision != MODERN:
        raise unsupported(revision)
    if revision is None and not legacy:
        raise _no_envelope(method, params)
    if revision is None:
        found = _HANDSHAKE.get(method) or (_HANDLERS.get(method) if method != "server/discover" else None)
    else:
        found = _HANDLERS.get(method)
    if found is None:
        raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method[:80]}")
    return found


def _no_envelope(method: str, params: Mapping[str, Any]) -> RpcError:
    if method == "initialize":
        return unsupported(params.get("protocolVersion"))
    return RpcError(INVALID_PARAMS, f"params._meta must name {_META}protocolVersion and {_META}clientCapabilities.")


def _sealed(server: McpServer, method: str, result: dict[str, Any]) -> dict[str, Any]:
    out = {**result, "resultType": "complete"}
    if method in _CACHEABLE:
        out |= {"ttlMs": 0, "cacheScope": "private"}
    meta = {**result.get("_meta", {}), f"{_META}serverInfo": {"name": server.name, "version": server.version}}
    return {**out, "_meta": meta}


# ---------------------------------------------------------------- who is there


def _capabilities(server: McpServer) -> dict[str, Any]:
    out: dict[str, Any] = {"tools": {"listChanged": True}, "logging": {}}
    if server.resources or server.templates:
        out["resources"] = {}
    if server.prompts:
        out["prompts"] = {}
    return out


async def _discover(server: McpServer, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    del params, caller
    out: dict[str, Any] = {"supportedVersions": [MODERN], "capabilities": _capabilities(server)}
    if server.instructions:
        out["instructions"] = server.instructions
    return out


async def _initialize(server: McpServer, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    del caller
    asked = params.get("protocolVersion")
    out: dict[str, Any] = {
        # The newest that both speak; a client that cannot live with the answer leaves.
        "protocolVersion": asked if asked in LEGACY else LEGACY[0],
        "capabilities": _capabilities(server),
        "serverInfo": {"name": server.name, "version": server.version},
    }
    if server.instructions:
        out["instructions"] = server.instructions
    return out


async def _nothing(server: McpServer, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    del server, params, caller
    return {}


# ---------------------------------------------------------------- listings


def _page(name: str, items: list[dict[str, Any]], params: Mapping[str, Any]) -> dict[str, Any]:
    cursor = params.get("cursor")
    start = 0
    if cursor is not None:
        try:
            start = int(base64.b64decode(str(cursor), validate=True))
        except (ValueError, binascii.Error):
            start = -1
        if not 0 < start < len(items):
            raise RpcError(INVALID_PARAMS, "This cursor is not one of ours.")
    out: dict[str, Any] = {name: items[start : start + _PAGE]}
    if start + _PAGE < len(items):
        out["nextCursor"] = base64.b64encode(str(start + _PAGE).encode()).decode()
    return out


def tool_entry(tool: Tool) -> dict[str, Any]:
    """A tool in a listing."""
    out: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": {"$schema": _SCHEMA, **tool.json_schema},
    }
    if tool.output is not None:
        out["outputSchema"] = {"$schema": _SCHEMA, **tool.output.json_schema}
    if tool.idempotent:
        out["annotations"] = {"idempotentHint": True}
    return out


async def _list_tools(server: McpServer, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    del caller
    return _page("tools", [tool_entry(tool) for tool in server.tools.values()], params)


async def _list_resources(server: McpServer, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    del caller
    return _page("resources", [one.to_wire() for one in server.resources.values()], params)


async def _list_templates(server: McpServer, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    del caller
    return _page("resourceTemplates", [one.to_wire() for one in server.templates], params)


async def _list_prompts(server: McpServer, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    del caller
    return _page("prompts", [one.to_wire() for one in server.prompts.values()], params)


async def _read(server: McpServer, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    del caller
    return {"contents": await server.read(_text(params, "uri"))}


async def _get_prompt(server: McpServer, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    del caller
    prompt = server.prompts.get(_text(params, "name"))
    if prompt is None:
        raise RpcError(INVALID_PARAMS, f"Unknown prompt: {params['name'][:80]}")
    return {"description": prompt.description, "messages": await prompt.messages(_arguments(params))}


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise RpcError(INVALID_PARAMS, f"{name} is missing.")
    return value


def _arguments(params: Mapping[str, Any]) -> dict[str, Any]:
    given = params.get("arguments") or {}
    if not isinstance(given, dict):
        raise RpcError(INVALID_PARAMS, "arguments is not an object.")
    return given


# ---------------------------------------------------------------- calls


async def call(server: McpServer, tool: Tool, arguments: Any, context: ToolContext) -> Any:
    """Run a tool for a caller outside. One that needs approval runs only when the server's `approve` says yes."""
    rule = tool.require_approval
    needed = await _said(rule(arguments, context)) if callable(rule) else rule
    if needed and (server.approve is None or not await _said(server.approve(tool, arguments, context))):
        raise ToolFailed(f"{tool.name} needs the approval of a person, which a caller over MCP cannot give.")
    return await run_tool(tool, arguments, context)


async def _said(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def _call_tool(server: McpServer, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name, arguments = _text(params, "name"), _arguments(params)
    tool = server.tools.get(name)
    if tool is None:
        raise RpcError(INVALID_PARAMS, f"Unknown tool: {name[:80]}")
    context = ToolContext(
        run_id=new_id(),
        tool_call_id=new_id(),
        tool_name=tool.name,
        resource_id=caller.resource,
        request_context=caller.context or RequestContext(),
        services=caller.services,
        emit=_progress(params, caller),
    )
    try:
        with _traced(server, tool, params, arguments, caller) as around:
            result = await call(server, tool, arguments, context)
            around.set_output(to_json(result))
    except BadArguments as error:
        return _refusal(_explained(tool, arguments, error))
    except ToolRetry as error:
        return _refusal(error.message)
    except Suspend:
        return _refusal(f"{tool.name} waits for an answer that cannot be given over MCP.")
    except MastraError as error:
        return _refusal(error.message)
    return _outcome(tool, result)


@contextmanager
def _traced(
    server: McpServer, tool: Tool, params: dict[str, Any], arguments: dict[str, Any], caller: Caller
) -> Iterator[Span | NoSpan]:
    """The span of a call, in the trace that the caller's `_meta` names."""
    tracer = None if caller.services is None else caller.services.tracer
    if tracer is None:
        yield NO_SPAN
        return
    meta = params.get("_meta")
    given = meta.get("traceparent") if isinstance(meta, dict) else None
    remote = parse_traceparent(given) if isinstance(given, str) else None
    facts = {"mcpMethod": "tools/call", "targetName": tool.name, "mcpServer": server.name}
    with (
        nullcontext() if remote is None else continued(remote),
        tracer.span(
            f"tools/call {tool.name}",
            "mcp_server_request",
            input={"name": tool.name, "arguments": arguments},
            entity_type="mcp_server",
            entity_id=server.id,
            entity_name=server.name,
            resource_id=caller.resource,
            attributes=facts,
        ) as span,
    ):
        yield span


def _outcome(tool: Tool, result: Any) -> dict[str, Any]:
    data, issues = checked_output(tool, result)
    shown = data if isinstance(data, str) else dumps(data)
    out: dict[str, Any] = {"content": [{"type": "text", "text": shown}], "isError": False}
    if tool.output is not None and not issues:
        out["structuredContent"] = data
    elif issues:
        # The tool has run: what it did is told, and marked as not what was promised.
        out["_meta"] = {"mastra/outputIssues": issues}
    return out


def _refusal(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _explained(tool: Tool, arguments: Any, error: BadArguments) -> str:
    issues = error.details.get("issues", [])
    lines = "".join(f"\n- {issue['field']}: {issue['message']}" for issue in issues) or f"\n- {error.message}"
    return (
        f"Tool input validation failed for {tool.name}. Please fix the following errors and try again:{lines}"
        f"\n\nProvided arguments: {dumps(arguments)[:2000]}"
    )


class _Progress:
    """What a tool writes, as progress of the call: only for callers who gave a token for it."""

    __slots__ = ("_notify", "_sent", "_token", "log")

    def __init__(self, notify: Notify, token: Any) -> None:
        self._notify = notify
        self._token = token
        self._sent = 0
        self.log = None

    def push(self, chunk: Any) -> bool:
        """Nothing is kept: what is pushed without waiting is left out."""
        del chunk
        return False

    async def room(self) -> None:
        """There always is."""

    async def send(self, chunk: Any) -> None:
        """Tell the caller."""
        self._sent += 1
        payload = chunk.payload if isinstance(chunk.payload, dict) else {}
        said = payload.get("output", payload.get("data"))
        message = said if isinstance(said, str) else dumps(said)
        params = {"progressToken": self._token, "progress": self._sent, "message": message[:10_000]}
        await self._notify({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})


def _progress(params: Mapping[str, Any], caller: Caller) -> Any:
    meta = params.get("_meta")
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    return None if token is None or caller.notify is None else _Progress(caller.notify, token)


_HANDLERS: Mapping[str, Handler] = {
    "server/discover": _discover,
    "tools/list": _list_tools,
    "tools/call": _call_tool,
    "resources/list": _list_resources,
    "resources/templates/list": _list_templates,
    "resources/read": _read,
    "prompts/list": _list_prompts,
    "prompts/get": _get_prompt,
}
_HANDSHAKE: Mapping[str, Handler] = {
    "initialize": _initialize,
    "ping": _nothing,
    "logging/setLevel": _nothing,
}
_CACHEABLE = frozenset(_HANDLERS) - {"tools/call", "prompts/get"}
