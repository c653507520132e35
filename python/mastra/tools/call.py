"""Running one tool: checked arguments, timeout, retries, hooks. Whatever happens, a result or a typed error."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

from mastra.errors import BadArguments, InvalidInput, MastraError, ToolFailed, ToolTimeout
from mastra.runtime.signals import ToolRetry
from mastra.runtime.workers import run_blocking
from mastra.types.schema import to_json
from mastra.types.secrets import redact

if TYPE_CHECKING:
    from mastra.tools.context import ToolContext
    from mastra.tools.tool import Tool

log = logging.getLogger("mastra.tools")

# Between retries of a tool that raised: doubling, so that a flaky service gets time.
RETRY_DELAY_S = 0.1


async def run_tool(tool: Tool, arguments: Any, context: ToolContext) -> Any:
    """The result of a call. Raises `BadArguments`, `ToolFailed`, `ToolTimeout`, `ToolRetry` or `Suspend`."""
    try:
        made = tool.validate(arguments)
    except InvalidInput as error:
        raise BadArguments(
            f"The arguments of {tool.name} are not valid: {_shown(error)}",
            run_id=context.run_id,
            hint="Call the tool again with arguments that fit its schema.",
            details={"issues": error.issues},
        ) from error
    attempt = 0
    while True:
        context.attempt = attempt
        try:
            return await _once(tool, made, context)
        except (ToolRetry, BadArguments):
            raise
        except ToolTimeout:
            if attempt >= tool.retries:
                raise
        except Exception as error:
            if attempt >= tool.retries or (isinstance(error, MastraError) and not error.retryable):
                raise _failed(tool, error, context) from error
        await asyncio.sleep(RETRY_DELAY_S * 2**attempt)
        attempt += 1


def _shown(error: InvalidInput) -> str:
    return "; ".join(f"{issue['field']}: {issue['message']}" for issue in error.issues[:5]) or error.message


def _failed(tool: Tool, error: Exception, context: ToolContext) -> Exception:
    if isinstance(error, ToolFailed):
        return error
    return ToolFailed(
        redact(str(error)) or type(error).__name__,
        run_id=context.run_id,
        details={"tool": tool.name, "error": type(error).__name__},
    )


async def _once(tool: Tool, arguments: Any, context: ToolContext) -> Any:
    hooks = tool.hooks
    if hooks and "before" in hooks:
        skipped = hooks["before"](arguments, context)
        skipped = await skipped if inspect.isawaitable(skipped) else skipped
        if skipped is not None:
            return skipped
    if tool.timeout_s is None:
        result = await _invoke(tool, arguments, context)
    else:
        try:
            async with asyncio.timeout(tool.timeout_s):
                result = await _invoke(tool, arguments, context)
        except TimeoutError as error:
            context.abort.set()
            raise ToolTimeout(
                f"{tool.name} took longer than {tool.timeout_s} s.",
                run_id=context.run_id,
                retryable=True,
                details={"tool": tool.name},
            ) from error
    if hooks and "after" in hooks:
        changed = hooks["after"](result, context)
        changed = await changed if inspect.isawaitable(changed) else changed
        if changed is not None:
            return changed
    return result


async def _invoke(tool: Tool, arguments: Any, context: ToolContext) -> Any:
    if tool.blocking:
        context.bind_loop()
        signal = context.abort
        try:
            result = await run_blocking(tool.invoke, arguments, context)
        except asyncio.CancelledError:
            # A thread cannot be cancelled from outside: it is told, and named when it does not listen.
            signal.set()
            log.warning("tool %s of run %s was cancelled in its thread", tool.name, context.run_id)
            raise
        return await result if inspect.isawaitable(result) else result
    return await tool.invoke(arguments, context)


def checked_output(tool: Tool, result: Any) -> tuple[Any, list[dict[str, str]]]:
    """The result as JSON, and what is wrong with it by the tool's output schema.

    A result that does not fit is still returned: the tool has run, and hiding what it did would be worse.
    """
    data = to_json(result)
    if tool.output is None:
        return data, []
    return data, tool.output.issues(data)
