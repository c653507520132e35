"""Whether a tool is declared with values that it can have: a mistake shows where it is made, not in a run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from mastra.errors import BadDefinition, near_miss

if TYPE_CHECKING:
    from mastra.tools.tool import Tool

_HOOKS = ("before", "after", "on_input_start", "on_input_delta", "on_input_available")


def check_declaration(tool: Tool) -> None:
    """`BadDefinition` for the first value that `tool` cannot have."""
    if tool.execute is not None and not callable(tool.execute):
        _refuse(tool, "execute", tool.execute, "Give a function, or None for a tool that the caller runs.")
    if inspect.isasyncgenfunction(tool.execute) or inspect.isgeneratorfunction(tool.execute):
        raise BadDefinition(
            f"The function of tool {tool.id!r} yields.",
            hint="Return the result, and send what comes before it with context.write().",
        )
    # A value that only looks like a yes must not switch a guard off.
    if tool.require_approval is not True and tool.require_approval is not False and not callable(tool.require_approval):
        _refuse(tool, "require_approval", tool.require_approval, "Give True, or a function of (arguments, context).")
    if not isinstance(tool.description, str):
        _refuse(tool, "description", tool.description, "Say in a text what the tool does.")
    seconds: Any = tool.timeout_s
    if seconds is not None and (not isinstance(seconds, int | float) or not seconds > 0):
        _refuse(tool, "timeout_s", seconds, "Give a number of seconds above 0.")
    retries: Any = tool.retries
    if not isinstance(retries, int) or retries < 0:
        _refuse(tool, "retries", retries, "Give a whole number, 0 or more.")
    if tool.to_model_output is not None and not callable(tool.to_model_output):
        _refuse(tool, "to_model_output", tool.to_model_output, "Give a function of the result.")
    if tool.provider_options is not None and not isinstance(tool.provider_options, Mapping):
        _refuse(tool, "provider_options", tool.provider_options, 'Give {"provider": {"option": value}}.')
    if not isinstance(tool.version, str):
        _refuse(tool, "version", tool.version, "Give a text, like '1.2'.")
    for name in ("sequential", "idempotent", "strict"):
        if not isinstance(getattr(tool, name), bool):
            _refuse(tool, name, getattr(tool, name), "Give True or False.")
    if tool.hooks:
        _check_hooks(tool)


def _check_hooks(tool: Tool) -> None:
    if not isinstance(tool.hooks, Mapping):
        _refuse(tool, "hooks", tool.hooks, 'Give {"before": function, "after": function}.')
    for name, hook in tool.hooks.items():
        if name not in _HOOKS:
            hint = near_miss(str(name), _HOOKS) or f"Use {', '.join(_HOOKS)}."
            raise BadDefinition(f"Tool {tool.id!r} has a hook {name!r}, which nobody calls.", hint=hint)
        if not callable(hook):
            _refuse(tool, f"hooks[{name!r}]", hook, "Give a function.")


def _refuse(tool: Tool, name: str, value: Any, hint: str) -> NoReturn:
    shown = repr(value) if isinstance(value, int | float | bool) else f"a {type(value).__name__}"
    raise BadDefinition(f"{name} of tool {tool.id!r} cannot be {shown}.", hint=hint)
