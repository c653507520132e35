"""The route table: one row per route, from which routing, validation, permissions, OpenAPI and the reports are made.

Rows come from `protocol.json` (what the protocol says) and from the modules in `routes/` (who answers).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module, resources
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mastra.errors import BadDefinition
from mastra.server.shapes import Check, Issues, Shape, Shapes

if TYPE_CHECKING:
    from mastra.server.call import Call

Handler: TypeAlias = Callable[["Call"], Awaitable[Any]]
Out: TypeAlias = Literal["json", "sse", "sse-flush", "records", "raw", "mcp-http", "mcp-sse"]

# The modules of `routes/` in the order of the documentation; a new noun is one file and one line here.
NOUNS = (
    "agents",
    "runs",
    "signals",
    "voice",
    "workflows",
    "tools",
    "memory",
    "vectors",
    "scores",
    "logs",
    "observability",
    "measures",
    "trace_queries",
    "schedules",
    "background",
    "processors",
    "mcp",
    "openai",
    "chat",
    "ag_ui",
    "auth",
    "system",
    "page",
)


@dataclass(frozen=True, slots=True)
class Route:
    """One row. `permissions`: any one of them is enough; none and not `public` means any authenticated caller."""

    method: str
    path: str
    out: Out = "json"
    permissions: tuple[str, ...] = ()
    public: bool = False
    client: bool = False
    query: Mapping[str, Shape] | None = None
    body: Shape | None = None
    response: Shape | None = None
    max_body: int | None = None
    handler: Handler | None = field(default=None, compare=False)
    # Whether the work stops when its caller leaves.
    watched: bool = True
    # Whether the body may be a form with files.
    files: bool = False
    # Whether errors have the shape that OpenAI's SDK reads.
    openai_errors: bool = False
    check_query: Check | None = field(default=None, compare=False)
    check_body: Check | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """`METHOD /path`, by which handlers name the row."""
        return f"{self.method} {self.path}"

    @property
    def is_open(self) -> bool:
        """Whether nobody answers yet: the route then says that its feature is not configured."""
        return self.handler is None


def takes_files(handler: Handler) -> Handler:
    """Mark a handler whose body may be a form with files."""
    handler.__dict__["files"] = True
    return handler


def outlives(handler: Handler) -> Handler:
    """Mark a handler whose work goes on when its caller leaves."""
    handler.__dict__["outlives"] = True
    return handler


class Node:
    """One segment of the paths: its literal children and the one that takes anything."""

    __slots__ = ("children", "names", "parameter", "routes")

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.parameter: Node | None = None
        # Method -> the route and the names of its parameters, in order.
        self.routes: dict[str, Route] = {}
        self.names: dict[str, tuple[str, ...]] = {}


class Table:
    """All routes, findable by path."""

    def __init__(self, routes: list[Route], shapes: Shapes) -> None:
        self.routes = routes
        self.shapes = shapes
        self._root = Node()
        for route in routes:
            self._add(route)

    def __iter__(self) -> Iterator[Route]:
        return iter(self.routes)

    def __len__(self) -> int:
        return len(self.routes)

    def _add(self, route: Route) -> None:
        node, names = self._root, []
        for segment in route.path.strip("/").split("/"):
            if segment.startswith(":"):
                names.append(segment[1:])
                node.parameter = node.parameter or Node()
                node = node.parameter
            else:
                node = node.children.setdefault(segment, Node())
        if route.method in node.routes:
            raise BadDefinition(f"The route {route.key} stands twice in the table.")
        node.routes[route.method] = route
        node.names[route.method] = tuple(names)

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route of a path (without prefix and leading slash) and its parameters."""
        values: list[str] = []
        node = _walk(self._root, path.split("/"), 0, method, values)
        if node is None:
            return None
        name = method if method in node.routes else "ALL"
        return node.routes[name], dict(zip(node.names[name], values, strict=True))

    def methods(self, path: str) -> set[str]:
        """The methods that a path answers to."""
        known = {route.method for route in self.routes}
        return {method for method in known if self.match(method, path) is not None}


def _walk(node: Node, segments: list[str], at: int, method: str, values: list[str]) -> Node | None:
    if at == len(segments):
        return node if method in node.routes or "ALL" in node.routes else None
    segment = segments[at]
    child = node.children.get(segment)
    if child is not None:
        found = _walk(child, segments, at + 1, method, values)
        if found is not None:
            return found
    if node.parameter is not None and segment:
        values.append(segment)
        found = _walk(node.parameter, segments, at + 1, method, values)
        if found is not None:
            return found
        values.pop()
    return None


def protocol() -> tuple[list[dict[str, Any]], dict[str, Shape]]:
    """The rows and the shared shapes of the protocol, as data."""
    text = resources.files("mastra.server").joinpath("protocol.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return data["routes"], data["shapes"]


def load(extra: Mapping[str, Handler] | None = None) -> Table:
    """The table with every built-in handler in its row."""
    rows, shared = protocol()
    shapes = Shapes(shared)
    handlers: dict[str, Handler] = {}
    own: list[Route] = []
    for noun in NOUNS:
        module = import_module(f"mastra.server.routes.{noun}")
        handlers.update(module.ROUTES)
        own.extend(getattr(module, "OWN", ()))
    handlers.update(extra or {})
    routes = [_row(row, handlers.pop(f"{row['method']} {row['path']}", None), shapes) for row in rows]
    for route in own:
        routes.append(_compile(route, shapes))
        handlers.pop(route.key, None)
    if handlers:
        raise BadDefinition(f"Handlers without a row: {', '.join(sorted(handlers))}.")
    return Table(routes, shapes)


def _row(row: Mapping[str, Any], handler: Handler | None, shapes: Shapes) -> Route:
    route = Route(
        method=row["method"],
        path=row["path"],
        out=row["out"],
        permissions=tuple(row.get("permission", "").split()),
        public=row.get("public", False),
        client=row.get("client", False),
        query=shapes.resolve(row["query"]) if "query" in row else None,
        body=row.get("body"),
        response=row.get("response"),
        max_body=row.get("maxBody"),
        handler=handler,
    )
    return _compile(route, shapes)


def _check(shapes: Shapes, shape: Shape) -> Check:
    """The validator of a shape, compiled when the first request needs it: a start is quicker without."""
    compiled: Check | None = None

    def check(value: Any, path: str, issues: Issues) -> None:
        nonlocal compiled
        if compiled is None:
            compiled = shapes.check(shape)
        compiled(value, path, issues)

    return check


def _compile(route: Route, shapes: Shapes) -> Route:
    return replace(
        route,
        watched=not getattr(route.handler, "outlives", False),
        files=getattr(route.handler, "files", False),
        check_query=_check(shapes, route.query) if route.query else None,
        check_body=_check(shapes, route.body) if route.body is not None else None,
    )
