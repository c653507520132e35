"""Python code in a sandbox of the operating system (bubblewrap): no network, no files, bounded time and memory.

Where the sandbox is missing the tool refuses to be made: there is no weaker one to fall back to.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

from mastra.errors import ToolTimeout, Unsupported
from mastra.tools.tool import Tool, tool

_MAX_OUTPUT = 100_000
_LIMITS = "import resource as r; r.setrlimit(r.RLIMIT_AS, ({memory}, {memory})); r.setrlimit(r.RLIMIT_CPU, ({cpu}, {cpu})); r.setrlimit(r.RLIMIT_NPROC, (32, 32)); r.setrlimit(r.RLIMIT_FSIZE, (10**7, 10**7)); import sys; exec(compile(sys.stdin.read(), 'code', 'exec'), {{'__name__': '__main__'}})"  # noqa: E501 - one program text


def sandbox() -> str:
    """The sandbox program; `Unsupported` where there is none."""
    found = shutil.which("bwrap")
    if sys.platform != "linux" or found is None:
        raise Unsupported("There is no sandbox for code on this machine.", hint="Install bubblewrap (Linux).")
    return found


def command(bwrap: str, *, memory_mb: int, seconds: int) -> list[str]:
    """How the sandboxed interpreter is started."""
    program = _LIMITS.format(memory=memory_mb * 1024 * 1024, cpu=seconds)
    folders = [one for one in ("/usr", "/lib", "/lib64", "/bin") if Path(one).exists()]
    binds = [word for folder in folders for word in ("--ro-bind", folder, folder)]
    return [bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", *binds,
            "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev", "--chdir", "/tmp",  # noqa: S108 - inside of the sandbox
            "/usr/bin/python3", "-I", "-S", "-c", program]  # fmt: skip


def python_tool(*, timeout_s: float = 10.0, memory_mb: int = 256, require_approval: bool = False) -> Tool:
    """A tool that runs Python in the sandbox."""
    bwrap = sandbox()

    @tool(require_approval=require_approval)
    async def run_python(code: str) -> dict[str, Any]:
        """Run a Python program without network and files; print what you want to see."""
        started = command(bwrap, memory_mb=memory_mb, seconds=int(timeout_s) + 1)
        process = await asyncio.create_subprocess_exec(
            *started,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate(code.encode())
        except TimeoutError as error:
            raise ToolTimeout(f"The program took longer than {timeout_s} s.") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return {
            "output": out.decode("utf-8", "replace")[:_MAX_OUTPUT],
            "errors": err.decode("utf-8", "replace")[-5000:],
            "exit_code": process.returncode,
        }

    return run_python
