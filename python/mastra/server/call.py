"""One request on its way through a handler: parsed, authenticated, validated."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from mastra.errors import AccessDenied, InvalidInput
from mastra.runtime.request_context import RESOURCE_ID, USER, RequestContext
from mastra.types.json import loads

if TYPE_CHECKING:
    from mastra.agents.agent import Agent
    from mastra.mastra import Mastra
    from mastra.server.access import Principal
    from mastra.server.shapes import Issues, Shapes
    from mastra.server.state import State
    from mastra.server.table import Route

Headers = Sequence[tuple[bytes, bytes]]
# Products of two of these still fit where storages keep numbers.
PAGING = ("page", "perPage", "limit", "offset")
MAX_PAGING = 2**31 - 1


@dataclass(slots=True)
class Call:
    """What a handler gets. `query` and `body` fit the shapes of the route; `principal` is None without auth."""

    mastra: Mastra
    state: State
    route: Route
    params: dict[str, str]
    headers: Headers
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    principal: Principal | None = None
    request_id: str = ""
    _context: RequestContext | None = None

    def header(self, name: bytes) -> str:
        """The value of a header (lower-case name), or an empty text."""
        return header(self.headers, name)

    def find_agent(self) -> Agent:
        """The agent that the path names; 404 without it."""
        agent: Agent = self.mastra.get_agent(self.params["agentId"])
        return agent

    @property
    def context(self) -> RequestContext:
        """The request context: the caller's own values, and the reserved ones that only the server sets."""
        if self._context is None:
            given = self.body.get("requestContext") if isinstance(self.body, dict) else None
            if given is None:
                given = _context_of(self.query.get("requestContext"))
            context = RequestContext.from_client(given if isinstance(given, Mapping) else None)
            if self.principal is not None:
                context.reserve(USER, self.principal.to_wire())
                if self.bound is not None:
                    context.reserve(RESOURCE_ID, self.bound)
            self._context = context
        return self._context

    # ---------------------------------------------------------------- whose is it

    def owner(self, asked: str | None) -> str | None:
        """The resource that this call works for: the token's own, whatever the client asked for."""
        principal = self.principal
        if principal is None:
            return asked
        return principal.resource if principal.isolated else asked or principal.resource

    @property
    def bound(self) -> str | None:
        """The only resource that the caller may touch; None when all are."""
        principal = self.principal
        return principal.resource if principal is not None and principal.isolated else None

    def guard(self, resource: str | None, what: str = "thread") -> None:
        """Refuse when `resource` is somebody else's."""
        if not self.mine(resource):
            raise AccessDenied(f"Access denied: {what} belongs to a different resource")

    def mine(self, resource: str | None) -> bool:
        """Whether the caller may see things of `resource`."""
        return self.bound is None or resource == self.bound


def header(headers: Headers, name: bytes) -> str:
    """The value of a header (lower-case name), or an empty text."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return ""


def _context_of(text: Any) -> Mapping[str, Any] | None:
    """The context of a query: base64 of JSON, or JSON as it is."""
    if not isinstance(text, str) or not text:
        return None
    try:
        value = loads(text if text.startswith("{") else base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error, InvalidInput):
        return None
    return value if isinstance(value, dict) else None


def parse_query(route: Route, shapes: Shapes, raw: bytes, issues: Issues) -> dict[str, Any]:
    """The query with texts turned into what the route's shape wants; `field[name]=` pairs become objects."""
    if not raw:
        found: dict[str, Any] = {}
    else:
        texts: dict[str, list[str]] = {}
        for key, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=200):
            texts.setdefault(key, []).append(value)
        fields = {name.rstrip("?"): shape for name, shape in (route.query or {}).items()}
        found = {}
        for key, values in texts.items():
            name, bracket, rest = key.partition("[")
            if bracket and rest.endswith("]") and name in fields:
                inner = found.setdefault(name, {})
                if isinstance(inner, dict):
                    inner[rest[:-1]] = values[-1]
            elif key in fields:
                found[key] = shapes.coerce(fields[key], values)
            else:
                found[key] = values[-1]
        for name in PAGING:
            if isinstance(found.get(name), int) and found[name] > MAX_PAGING:
                issues.append({"field": name, "message": f"Too big: expected number to be <={MAX_PAGING}"})
    if route.check_query is not None:
        route.check_query(found, "", issues)
    return found
