"""Python code as a tool, in a sandbox of the operating system: no network, no files, bounded time and memory.

Where the sandbox is missing the tool refuses to be made: there is no weaker one to fall back to.
"""

from __future__ import annotations

from typing import Any

from mastra.errors import BadDefinition, ToolTimeout
from mastra.tools.builtin.sandbox import run_shut_in, sandbox
from mastra.tools.tool import Tool, tool


def python_tool(*, timeout_s: float = 10.0, memory_mb: int = 256, require_approval: bool = False) -> Tool:
    """A tool that runs Python in the sandbox; `Unsupported` where there is none that works."""
    if not timeout_s > 0 or memory_mb < 32:
        raise BadDefinition("A sandbox needs a time above 0 and at least 32 MB.")
    sandbox()

    @tool(require_approval=require_approval)
    async def run_python(code: str) -> dict[str, Any]:
        """Run a Python program without network and files; print what you want to see."""
        try:
            done = await run_shut_in(code, timeout_s=timeout_s, memory_mb=memory_mb)
        except TimeoutError as error:
            raise ToolTimeout(f"The program took longer than {timeout_s} s.") from error
        out: dict[str, Any] = {"output": done.output, "errors": done.errors, "exit_code": done.exit_code}
        if done.cut:
            out["stopped"] = "It printed too much."
        return out

    return run_python
