"""McpClient: other people's MCP servers, their tools as toolsets of ours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mastra.errors import BadDefinition, MastraError, McpError, NotFound, near_miss
from mastra.mcp.foreign import fingerprint, foreign_tool, hidden
from mastra.mcp.session import HttpServer, Session, StdioServer
from mastra.runtime.tracing import inside, traceparent
from mastra.tools.toolset import Toolset

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from pydantic import BaseModel

    from mastra.tools.context import ToolContext
    from mastra.tools.tool import Approval, Tool

log = logging.getLogger("mastra.mcp")

# A server that lists more than this is not one whose list anybody read.
MAX_TOOLS = 1_000


class McpClient:
    """The tools of several servers. One that cannot be reached is named in `errors`; the others work.

    ```
    servers = {"files": StdioServer("mcp-files", ("--root", "/srv")), "maps": "https://maps.example/mcp"}
    async with McpClient(servers) as mcp:
        agent = Agent("helper", model=..., tools=mcp)
    ```

    Each tool keeps the fingerprint of what it said of itself when it was first seen. With `pins` (server -> tool ->
    fingerprint) only tools that are named there and unchanged are used. A definition that changes later, under the
    same name, is put aside into `changed` until `accept` is called.
    """

    def __init__(
        self,
        servers: Mapping[str, StdioServer | HttpServer | str],
        *,
        timeout_s: float = 60.0,
        prefix: bool = True,
        require_approval: Approval = False,
        pins: Mapping[str, Mapping[str, str]] | None = None,
        on_elicitation: Callable[..., Any] | None = None,
    ) -> None:
        if not servers:
            raise BadDefinition("An MCP client needs at least one server.")
        options = {} if on_elicitation is None else {"elicitation_callback": on_elicitation}
        self._sessions = {
            name: Session(name, HttpServer(one) if isinstance(one, str) else one, timeout_s=timeout_s, options=options)
            for name, one in servers.items()
        }
        self._prefix = prefix
        self._approval: Approval = require_approval
        self._known: dict[str, dict[str, str]] = {name: dict((pins or {}).get(name, {})) for name in self._sessions}
        self._pinned = pins is not None
        self._tools: dict[str, dict[str, Tool]] = {}
        # Server -> why it is not here.
        self.errors: dict[str, MastraError] = {}
        # Server -> tool -> its new definition, put aside.
        self.changed: dict[str, dict[str, dict[str, Any]]] = {}

    # ---------------------------------------------------------------- life

    async def open(self) -> Self:
        """Connect to all servers at once and list their tools."""
        await asyncio.gather(*(self._load(name) for name in self._sessions))
        if len(self.errors) == len(self._sessions):
            first = next(iter(self.errors.values()))
            await self.close()
            raise first
        return self

    async def close(self) -> None:
        """Leave all servers. Idempotent."""
        await asyncio.gather(*(session.close() for session in self._sessions.values()))

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def reconnect(self, name: str) -> None:
        """Open the connection to a server anew and read its list again."""
        await self._session(name).close()
        await self._load(name)

    def _session(self, name: str) -> Session:
        session = self._sessions.get(name)
        if session is None:
            raise NotFound(f"There is no MCP server {name!r}.", hint=near_miss(name, self._sessions))
        return session

    # ---------------------------------------------------------------- tools

    @property
    def toolsets(self) -> dict[str, Toolset]:
        """The tools by server."""
        return {name: Toolset(list(tools.values())) for name, tools in self._tools.items()}

    @property
    def toolset(self) -> Toolset:
        """All tools, each with the name of its server before its own."""
        return Toolset([tool for tools in self._tools.values() for tool in tools.values()])

    @property
    def tools(self) -> dict[str, Tool]:
        """All tools by name: a client is accepted wherever tools are, once it is open."""
        return self.toolset.tools

    @property
    def pins(self) -> dict[str, dict[str, str]]:
        """The fingerprints of everything that is used now, to be kept and given back as `pins`."""
        return {
            name: {str(tool.metadata["mcpTool"]): str(tool.metadata["fingerprint"]) for tool in tools.values()}
            for name, tools in self._tools.items()
        }

    def accept(self, server: str, tool: str) -> None:
        """Use a tool whose definition changed, as it is now."""
        aside = self.changed.get(server, {})
        if tool not in aside:
            raise NotFound(f"No change of {tool!r} waits at MCP server {server!r}.", hint=near_miss(tool, aside))
        definition = aside.pop(tool)
        self._known[server][tool] = fingerprint(definition)
        made = self._make(server, definition)
        self._tools[server][made.name] = made

    async def _load(self, name: str) -> None:
        session = self._sessions[name]
        self.errors.pop(name, None)
        try:
            definitions = await self._definitions(session)
        except MastraError as error:
            self.errors[name] = error
            self._tools.pop(name, None)
            log.warning("MCP server %s is left out: %s", name, error.message)
            return
        tools: dict[str, Tool] = {}
        for definition in definitions:
            try:
                if self._is_known(name, definition):
                    made = self._make(name, definition)
                    tools[made.name] = made
            except MastraError as error:
                log.warning("tool %r of MCP server %s is left out: %s", definition.get("name"), name, error.message)
        self._tools[name] = tools

    def _is_known(self, server: str, definition: dict[str, Any]) -> bool:
        tool, now = str(definition.get("name", "")), fingerprint(definition)
        before = self._known[server].get(tool)
        unseen = hidden(str(definition.get("description") or ""))
        if unseen:
            log.warning("tool %r of MCP server %s hides characters: %s", tool, server, ", ".join(unseen[:5]))
        if before is None and not self._pinned:
            self._known[server][tool] = now
            return True
        if before == now:
            return True
        self.changed.setdefault(server, {})[tool] = definition
        log.warning("tool %r of MCP server %s is not what was agreed to; it is put aside", tool, server)
        return False

    def _make(self, server: str, definition: Mapping[str, Any]) -> Tool:
        session = self._sessions[server]

        async def call(tool: str, arguments: dict[str, Any], context: ToolContext) -> dict[str, Any]:
            async def progress(progress: float, total: float | None, message: str | None) -> None:
                await context.write({"progress": progress, "total": total, "message": message})

            facts = {"mcpServer": server, "mcpMethod": "tools/call"}
            with inside(f"mcp tool: '{tool}' on '{server}'", "mcp_tool_call", entity_name=tool, attributes=facts):
                # Taken here: the session works in a task of its own.
                trace = traceparent()
                more: dict[str, Any] = {} if trace is None else {"meta": {"traceparent": trace}}
                result = await session.ask(
                    lambda client: client.call_tool(tool, arguments, progress_callback=progress, **more)
                )
            return _wire(result)

        return foreign_tool(server, definition, call, prefix=self._prefix, approval=self._approval)

    async def _definitions(self, session: Session) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(MAX_TOOLS):
            page = await session.ask(lambda client, at=cursor: client.list_tools(cursor=at))  # type: ignore[misc]
            found += [_wire(tool) for tool in page.tools]
            if len(found) > MAX_TOOLS:
                raise McpError(f"MCP server {session.name!r} lists more than {MAX_TOOLS} tools.")
            cursor = page.next_cursor
            if not cursor:
                return found
        raise McpError(f"MCP server {session.name!r} lists its tools without an end.")

    # ---------------------------------------------------------------- resources and prompts

    async def resources(self, server: str) -> list[dict[str, Any]]:
        """The resources that a server lists first."""
        page = await self._session(server).ask(lambda client: client.list_resources())
        return [_wire(one) for one in page.resources]

    async def read_resource(self, server: str, uri: str) -> list[dict[str, Any]]:
        """The contents of a resource: {uri, mimeType, text | blob}."""
        found = await self._session(server).ask(lambda client: client.read_resource(uri))
        return [_wire(one) for one in found.contents]

    async def prompts(self, server: str) -> list[dict[str, Any]]:
        """The prompts that a server lists first."""
        page = await self._session(server).ask(lambda client: client.list_prompts())
        return [_wire(one) for one in page.prompts]

    async def get_prompt(
        self, server: str, name: str, arguments: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """The messages of a prompt: {role, content}."""
        given = dict(arguments or {})
        found = await self._session(server).ask(lambda client: client.get_prompt(name, given))
        return [_wire(one) for one in found.messages]

    def __repr__(self) -> str:
        return f"McpClient({', '.join(self._sessions)})"


def _wire(part: BaseModel) -> dict[str, Any]:
    """A part of an answer as the protocol writes it."""
    return part.model_dump(mode="json", by_alias=True, exclude_none=True)
