"""`.map(...)`: a step that makes a value from what came before."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mastra.errors import BadDefinition, InvalidInput
from mastra.types.schema import to_json
from mastra.workflows.context import StepContext
from mastra.workflows.step import Step

_FIELDS = frozenset({"step", "init_data", "value", "request_context", "state", "path", "fn"})


def mapping_step(id: str, mapping: Callable[..., Any] | Mapping[str, Any]) -> Step[Any, Any]:
    """The step that a mapping stands for."""
    if callable(mapping):
        return Step(mapping, id=id) if inspect.isroutine(mapping) else _wrapped(id, mapping)
    for name, spec in mapping.items():
        if callable(spec):
            continue
        known = isinstance(spec, Mapping) and bool(spec) and set(spec) <= _FIELDS
        if not known or not isinstance(spec.get("path", ""), str):
            raise BadDefinition(
                f"The mapping of {name!r} is not understood.",
                hint='Write {"step": "id", "path": "a.b"}, {"init_data": True}, {"value": 1} or a function.',
            )
    fields = dict(mapping)

    async def fill(value: Any, ctx: StepContext) -> dict[str, Any]:
        return {name: await _field(name, spec, value, ctx) for name, spec in fields.items()}

    return Step(fill, id=id, output=None)


def _wrapped(id: str, mapping: Callable[..., Any]) -> Step[Any, Any]:
    def call(value: Any) -> Any:
        return mapping(value)

    return Step(call, id=id)


async def _field(name: str, spec: Any, value: Any, ctx: StepContext) -> Any:
    if callable(spec) or "fn" in spec:
        made = (spec if callable(spec) else spec["fn"])(value)
        return await made if inspect.isawaitable(made) else made
    if "value" in spec:
        return spec["value"]
    if "request_context" in spec:
        return ctx.request_context.get(spec["request_context"])
    if "step" in spec:
        found = _first_result(spec["step"], ctx)
    elif "state" in spec:
        found = ctx.state
    else:
        found = ctx.init_data if spec.get("init_data") else value
    path = spec.get("path", ".")
    return follow(found, path, name)


def _first_result(steps: Any, ctx: StepContext) -> Any:
    for step in steps if isinstance(steps, list | tuple) else [steps]:
        found = ctx.get_step_result(step)
        if found is not None:
            return found
    return None


def follow(value: Any, path: str, what: str) -> Any:
    """What stands at a dotted path of `value`."""
    if path in ("", "."):
        return value
    for part in path.split("."):
        plain = value if isinstance(value, dict | list) else to_json(value)
        if isinstance(plain, dict) and part in plain:
            value = plain[part]
        elif isinstance(plain, list) and part.isdigit() and int(part) < len(plain):
            value = plain[int(part)]
        else:
            raise InvalidInput(f"The mapping of {what!r} finds nothing at {path!r}.")
    return value
