"""Tools from an OpenAPI document: one for each operation, called through the egress gate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from mastra.errors import BadDefinition, ToolFailed
from mastra.tools.context import ToolContext
from mastra.tools.egress import Egress
from mastra.tools.tool import Tool
from mastra.types.json import dumps, loads

_METHODS = ("get", "put", "post", "delete", "patch", "head")
_SAFE = frozenset({"get", "head"})


def openapi_tools(
    document: Mapping[str, Any],
    *,
    base_url: str | None = None,
    headers: Mapping[str, str] | Callable[[ToolContext], Mapping[str, str]] | None = None,
    include: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    egress: Egress | None = None,
    approve_changes: bool = True,
) -> list[Tool]:
    """The operations of an OpenAPI 3 document as tools.

    `headers` (a mapping, or a function of the context) are sent with every request and never shown to a model.
    Operations that change something ask a person first unless `approve_changes=False`.
    """
    if not str(document.get("openapi", "")).startswith("3.") or not isinstance(document.get("paths"), Mapping):
        raise BadDefinition("This is not an OpenAPI 3 document.", hint="It has 'openapi': '3.x' and 'paths'.")
    servers = document.get("servers") or [{}]
    root = (base_url or servers[0].get("url") or "").rstrip("/")
    if urlsplit(root).scheme not in ("http", "https"):
        raise BadDefinition("The document names no server.", hint="Give base_url='https://...'.")
    gate = egress or Egress(hosts=[urlsplit(root).hostname or ""])
    wanted, unwanted = None if include is None else frozenset(include), frozenset(exclude)
    tools: dict[str, Tool] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method not in item:
                continue
            operation = _Operation(document, path, method, item)
            if operation.name in unwanted or (wanted is not None and operation.name not in wanted):
                continue
            if operation.name in tools:
                raise BadDefinition(f"Two operations are called {operation.name!r}.", hint="Exclude one of them.")
            tools[operation.name] = operation.tool(root, headers, gate, approve=approve_changes)
    return list(tools.values())


class _Operation:
    def __init__(self, document: Mapping[str, Any], path: str, method: str, item: Mapping[str, Any]) -> None:
        operation = item[method]
        self.document = document
        self.path = path
        self.method = method
        raw = operation.get("operationId") or f"{method}_{path.strip('/')}"
        self.name = re.sub(r"[^A-Za-z0-9_-]+", "_", raw).strip("_")[:64]
        self.description = (
            " ".join(text for text in (operation.get("summary"), operation.get("description")) if text)
            or f"{method.upper()} {path}"
        )
        given = [*item.get("parameters", ()), *operation.get("parameters", ())]
        self.parameters = {
            one["name"]: one for one in map(self.resolve, given) if one.get("in") in ("path", "query", "header")
        }
        body = self.resolve(operation.get("requestBody") or {})
        self.body = (body.get("content") or {}).get("application/json", {}).get("schema")
        self.body_required = bool(body.get("required"))

    def resolve(self, value: Any) -> Any:
        """What a reference into the document stands for."""
        seen = 0
        while isinstance(value, Mapping) and "$ref" in value:
            seen += 1
            reference = str(value["$ref"])
            if not reference.startswith("#/") or seen > 20:
                raise BadDefinition(f"The reference {reference[:80]!r} cannot be followed.")
            value = self.document
            for token in reference[2:].split("/"):
                key = token.replace("~1", "/").replace("~0", "~")
                if not isinstance(value, Mapping) or key not in value:
                    raise BadDefinition(f"The reference {reference[:80]!r} leads nowhere.")
                value = value[key]
        return value

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the tool's arguments."""
        properties: dict[str, Any] = {}
        required: list[str] = []
        for name, one in self.parameters.items():
            properties[name] = {**_inline(self, one.get("schema") or {}, 0)}
            if one.get("description"):
                properties[name].setdefault("description", one["description"])
            if one.get("required") or one["in"] == "path":
                required.append(name)
        if self.body is not None:
            properties["body"] = _inline(self, self.body, 0)
            if self.body_required:
                required.append("body")
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def tool(self, root: str, headers: Any, gate: Egress, *, approve: bool) -> Tool:
        """The operation as a tool."""

        async def execute(arguments: dict[str, Any], context: ToolContext) -> Any:
            url, sent = self.address(root, arguments)
            sent.update(headers(context) if callable(headers) else headers or {})  # pyright: ignore[reportArgumentType, reportCallIssue]  # mypy reads it right
            body = None
            if "body" in arguments:
                body = dumps(arguments["body"]).encode()
                sent["content-type"] = "application/json"
            reply = await gate.request(self.method.upper(), url, headers=sent, body=body)
            if reply.status >= 400:
                raise ToolFailed(
                    f"The server answered {reply.status}: {reply.text[:500]}", retryable=reply.status >= 500
                )
            if "json" in reply.headers.get("content-type", ""):
                try:
                    return loads(reply.body)
                except ValueError as error:
                    raise ToolFailed("The answer is not JSON.") from error
            return reply.text

        return Tool(
            self.name,
            description=self.description,
            input=self.schema(),
            execute=execute,
            require_approval=approve and self.method not in _SAFE,
        )

    def address(self, root: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        """The URL and the headers that the arguments make."""
        path = self.path
        query: list[tuple[str, Any]] = []
        sent: dict[str, str] = {}
        for name, one in self.parameters.items():
            if name not in arguments or arguments[name] is None:
                continue
            value = arguments[name]
            if one["in"] == "path":
                # Nothing of a value may become a path of its own.
                path = path.replace("{" + name + "}", quote(_text(value), safe=""))
            elif one["in"] == "query":
                values = value if isinstance(value, list) else [value]
                query.extend((name, _text(each)) for each in values)
            else:
                sent[name] = _text(value).replace("\r", "").replace("\n", "")
        return root + path + (f"?{urlencode(query)}" if query else ""), sent


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else dumps(value)


def _inline(operation: _Operation, schema: Any, depth: int) -> Any:
    """A schema with its references followed; what contains itself is cut off."""
    if depth > 12:
        return {}
    schema = operation.resolve(schema)
    if isinstance(schema, Mapping):
        out = {
            key: {name: _inline(operation, sub, depth + 1) for name, sub in value.items()}
            if key == "properties"
            else _inline(operation, value, depth + 1)
            for key, value in schema.items()
            if key not in _IGNORED
        }
        if schema.get("nullable") is True and isinstance(out.get("type"), str):
            out["type"] = [out["type"], "null"]
        return out
    if isinstance(schema, list):
        return [_inline(operation, value, depth + 1) for value in schema]
    return schema


_IGNORED = frozenset({"nullable", "example", "examples", "xml", "externalDocs", "discriminator", "deprecated",
                      "readOnly", "writeOnly"})  # fmt: skip
