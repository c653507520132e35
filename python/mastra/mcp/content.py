"""What an MCP server shows besides tools: resources, templates of resources, prompts."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mastra.errors import BadDefinition, InvalidInput
from mastra.types.json import dumps
from mastra.types.schema import to_json


@dataclass(frozen=True, slots=True)
class Resource:
    """Something to read under a URI: a text, bytes, a JSON value, or a function (async or not) that returns one."""

    uri: str
    read: Any
    name: str = ""
    description: str = ""
    mime_type: str = ""

    async def contents(self) -> dict[str, Any]:
        """The resource as the protocol gives it."""
        value = self.read() if callable(self.read) else self.read
        return _contents(self.uri, self.mime_type, await value if inspect.isawaitable(value) else value)

    def to_wire(self) -> dict[str, Any]:
        """The resource in a listing."""
        return {"uri": self.uri, **_about(self.name or self.uri, self.description, self.mime_type)}


@dataclass(frozen=True, slots=True)
class ResourceTemplate:
    """Resources by pattern: `notes://{id}`. A name stands for one segment; `read(**values)` gives the value."""

    uri_template: str
    read: Callable[..., Any]
    name: str = ""
    description: str = ""
    mime_type: str = ""
    # Literal texts, with the names that stand between them.
    _literals: tuple[str, ...] = field(init=False, repr=False, default=())
    _names: tuple[str, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        literals: list[str] = []
        names: list[str] = []
        rest = self.uri_template
        while "{" in rest:
            literal, _, rest = rest.partition("{")
            name, closed, rest = rest.partition("}")
            if not closed or not name.isidentifier() or name in names or (names and not literal):
                raise BadDefinition(
                    f"{self.uri_template!r} is not a template.", hint="Write names like {id}, with text between them."
                )
            literals.append(literal)
            names.append(name)
        if not names:
            raise BadDefinition(f"{self.uri_template!r} has no {{name}}.", hint="Use Resource for a fixed URI.")
        object.__setattr__(self, "_literals", (*literals, rest))
        object.__setattr__(self, "_names", tuple(names))

    def match(self, uri: str) -> dict[str, str] | None:
        """The values of the names, or None. Linear in the length of the URI: no pattern engine sees it."""
        first, *others = self._literals
        if not uri.startswith(first):
            return None
        at, values = len(first), {}
        for index, (name, literal) in enumerate(zip(self._names, others, strict=True)):
            last = index == len(others) - 1
            end = (
                len(uri) - len(literal) if last and uri.endswith(literal) else uri.find(literal, at) if literal else -1
            )
            if last and not literal:
                end = len(uri)
            if end <= at or (last and end + len(literal) != len(uri)):
                return None
            value = uri[at:end]
            if "/" in value:
                return None
            values[name] = value
            at = end + len(literal)
        return values

    async def contents(self, uri: str, values: Mapping[str, str]) -> dict[str, Any]:
        """The resource of one URI, as the protocol gives it."""
        value = self.read(**values)
        return _contents(uri, self.mime_type, await value if inspect.isawaitable(value) else value)

    def to_wire(self) -> dict[str, Any]:
        """The template in a listing."""
        about = _about(self.name or self.uri_template, self.description, self.mime_type)
        return {"uriTemplate": self.uri_template, **about}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt to choose by name. `render(**arguments)` gives a text, or messages {role, content}.

    `arguments` maps names to descriptions; a name that ends in `?` may be left out.
    """

    name: str
    render: Callable[..., Any]
    description: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)

    async def messages(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The messages for these arguments."""
        known = {name.rstrip("?"): not name.endswith("?") for name in self.arguments}
        missing = [name for name, required in known.items() if required and name not in given]
        unknown = [name for name in given if name not in known]
        if missing or unknown:
            said = f"needs {missing[0]!r}" if missing else f"does not know {unknown[0]!r}"
            raise InvalidInput(f"Prompt {self.name!r} {said}.")
        made = self.render(**given)
        made = await made if inspect.isawaitable(made) else made
        if isinstance(made, str):
            made = [{"role": "user", "content": made}]
        if not isinstance(made, Sequence):
            raise BadDefinition(
                f"Prompt {self.name!r} gave a {type(made).__name__}.", hint="Return a text or messages."
            )
        return [_message(one, self.name) for one in made]

    def to_wire(self) -> dict[str, Any]:
        """The prompt in a listing."""
        arguments = [
            {"name": name.rstrip("?"), "description": about, "required": not name.endswith("?")}
            for name, about in self.arguments.items()
        ]
        out: dict[str, Any] = {"name": self.name, "arguments": arguments}
        if self.description:
            out["description"] = self.description
        return out


def _message(one: Any, prompt: str) -> dict[str, Any]:
    if not isinstance(one, Mapping) or one.get("role") not in {"user", "assistant"}:
        raise BadDefinition(f"Prompt {prompt!r} gave a message without the role user or assistant.")
    content = one.get("content")
    return {"role": one["role"], "content": {"type": "text", "text": content} if isinstance(content, str) else content}


def _about(name: str, description: str, mime_type: str) -> dict[str, Any]:
    out = {"name": name}
    if description:
        out["description"] = description
    if mime_type:
        out["mimeType"] = mime_type
    return out


def _contents(uri: str, mime_type: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bytes):
        kind = mime_type or "application/octet-stream"
        return {"uri": uri, "mimeType": kind, "blob": base64.b64encode(value).decode()}
    if isinstance(value, str):
        return {"uri": uri, "mimeType": mime_type or "text/plain", "text": value}
    return {"uri": uri, "mimeType": mime_type or "application/json", "text": dumps(to_json(value))}
