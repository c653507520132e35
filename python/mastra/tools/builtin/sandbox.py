"""The sandbox for code: bubblewrap's namespaces, a filter of system calls, and limits on everything that can run out.

Of the machine there are only the interpreter and the system's libraries, read-only: no /proc, no network, no processes.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mastra.errors import Unsupported

# Text of a program that is kept, of its output and of its errors; the rest ends the program.
MAX_OUTPUT = 100_000
MAX_ERRORS = 5_000
_TMP_BYTES = 16 * 1024 * 1024
_START = """\
import resource as r, sys
for name, most in (("AS", {memory}), ("CPU", {cpu}), ("FSIZE", {files}), ("NOFILE", 64), ("CORE", 0)):
    r.setrlimit(getattr(r, "RLIMIT_" + name), (most, most))
program = compile(sys.stdin.buffer.read(), "<code>", "exec")
del r, name, most
exec(program, {{"__name__": "__main__", "__builtins__": __builtins__}})
"""

_ERRNO, _ALLOW, _KILL = 0x00050000, 0x7FFF0000, 0x80000000
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD = 0x00010000
# Audit name of the machine, clone, clone3, and what no program needs that only computes: new processes, sockets,
# memory beside the limits, keys, tracing, mounts and ways to more rights.
_CALLS = {
    "x86_64": (0xC000003E, 56, 435, (57, 58, 41, 29, 68, 240, 319, 447, 101, 310, 311, 248, 249, 250, 155, 161, 165,
               166, 272, 308, 428, 429, 430, 442, 175, 313, 246, 298, 321, 323, 425)),
    "aarch64": (0xC00000B7, 220, 435, (198, 194, 186, 180, 279, 447, 117, 270, 271, 217, 218, 219, 41, 51, 40, 39, 97,
                268, 428, 429, 430, 442, 105, 273, 104, 241, 280, 282, 425)),
}  # fmt: skip


class Finished(NamedTuple):
    """What a program printed, and how it ended; `cut` when it was stopped for printing too much."""

    output: str
    errors: str
    exit_code: int | None
    cut: bool


def call_filter(machine: str) -> bytes:
    """The program (classic BPF) that the kernel asks about every system call; threads are let through."""
    audit, clone, clone3, refused = _CALLS[machine]
    load, equal, above, has_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    eperm = [(answer, 0, 0, _ERRNO | _EPERM)]
    code = [(load, 0, 0, 4), (equal, 1, 0, audit), (answer, 0, 0, _KILL), (load, 0, 0, 0)]
    # Numbers from here on are those of another convention (x32), which the list below does not know.
    code += [(above, 0, 1, 0x40000000), *eperm]
    code += [(equal, 0, 1, clone3), (answer, 0, 0, _ERRNO | _ENOSYS)]
    for number in refused:
        code += [(equal, 0, 1, number), *eperm]
    code += [(equal, 0, 3, clone), (load, 0, 0, 16), (has_bit, 1, 0, _CLONE_THREAD), *eperm]
    code += [(answer, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *one) for one in code)


def command(
    bwrap: str, python: str, *, memory_mb: int, seconds: int, filter_fd: int, status_fd: int | None = None
) -> list[str]:
    """How the sandboxed interpreter is started. There is no /proc: it would show, and let write, what is the host's."""
    program = _START.format(memory=memory_mb * 1024 * 1024, cpu=seconds, files=_TMP_BYTES)
    shown = ["--ro-bind", "/usr/lib", "/usr/lib", "--ro-bind", python, python]
    for name in ("lib", "lib64"):
        folder = Path("/", name)
        if folder.is_symlink():
            shown += ["--symlink", str(folder.readlink()), str(folder)]
            if name == "lib64":
                shown += ["--ro-bind-try", "/usr/lib64", "/usr/lib64"]
        elif folder.exists():
            shown += ["--ro-bind", str(folder), str(folder)]
    tmp = ["--size", str(_TMP_BYTES), "--tmpfs", "/tmp", "--chdir", "/tmp"]  # noqa: S108 - inside of the sandbox
    status = [] if status_fd is None else ["--json-status-fd", str(status_fd)]
    closed = [*status, "--remount-ro", "/dev", "--remount-ro", "/"]
    return [bwrap, "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv",
            "--hostname", "sandbox", "--cap-drop", "ALL", *shown, "--dev", "/dev", *tmp, *closed,
            "--seccomp", str(filter_fd), python, "-I", "-S", "-B", "-X", "utf8", "-c", program]  # fmt: skip


def _nobody() -> dict[str, Any]:
    """Root in a namespace is root for the kernel's own files: who is root starts the sandbox as nobody."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def _filter_fd() -> int:
    fd = os.memfd_create("calls")
    os.write(fd, call_filter(platform.machine()))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


@functools.cache
def sandbox() -> tuple[str, str]:
    """The sandbox program and the interpreter, once tried; `Unsupported` where a program cannot be shut in."""
    bwrap = shutil.which("bwrap") if sys.platform == "linux" else None
    if bwrap is None:
        raise Unsupported("There is no sandbox for code on this machine.", hint="Install bubblewrap (Linux).")
    if platform.machine() not in _CALLS:
        raise Unsupported(f"The sandbox does not know the system calls of {platform.machine()}.")
    python = Path("/usr/bin/python3")
    if not python.exists():
        raise Unsupported("The sandbox has no interpreter.", hint="Install the system's python3.")
    interpreter = str(python.resolve())
    fd = _filter_fd()
    try:
        tried = subprocess.run(  # noqa: S603 - our own command
            command(bwrap, interpreter, memory_mb=256, seconds=5, filter_fd=fd),
            input=b"print(6 * 7)", capture_output=True, timeout=20, pass_fds=(fd,), env={}, check=False, **_nobody(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unsupported("The sandbox for code could not be tried.") from error
    finally:
        os.close(fd)
    if tried.stdout != b"42\n":
        said = tried.stderr.decode("utf-8", "replace").strip()[-300:]
        raise Unsupported(
            f"The sandbox for code does not work here: {said}",
            hint="bubblewrap needs user namespaces; containers often forbid them.",
        )
    return bwrap, interpreter


async def run_shut_in(code: str, *, timeout_s: float, memory_mb: int) -> Finished:
    """Run a Python program in the sandbox; `TimeoutError` when it takes too long. Nothing of it is left after."""
    bwrap, interpreter = sandbox()
    rules, (told, tells) = _filter_fd(), os.pipe()
    try:
        started = command(bwrap, interpreter, memory_mb=memory_mb, seconds=int(timeout_s) + 1, filter_fd=rules,
                          status_fd=tells)  # fmt: skip
        # Without an environment from the start: the sandbox's first process would show it in /proc.
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *started, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=(rules, tells), env={}, **_nobody()
        )
    except BaseException:
        os.close(told)
        raise
    finally:
        os.close(rules)
        os.close(tells)
    return await _carried(process, told, code.encode("utf-8", "surrogatepass"), timeout_s)


async def _carried(process: asyncio.subprocess.Process, told: int, code: bytes, timeout_s: float) -> Finished:
    output, errors = bytearray(), bytearray()
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    news = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(news), os.fdopen(told, "rb")
    )
    first = asyncio.create_task(_first_process(news))
    readers = [
        asyncio.create_task(_read(process, process.stdout, output, MAX_OUTPUT)),
        asyncio.create_task(_read(process, process.stderr, errors, MAX_ERRORS * 4)),
    ]
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.shield(first)
            await _feed(process.stdin, code)
            await asyncio.wait(readers)
            await process.wait()
    finally:
        # Killed while it is being built, the sandbox would leave a process behind: it is waited for, then ended inside.
        inside = await first
        if inside is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(inside, signal.SIGKILL)
            os.close(inside)
        if process.returncode is None:
            process.kill()
        if not process.stdin.is_closing():
            process.stdin.transport.abort()
        await process.wait()
        await asyncio.wait(readers)
        transport.close()
    cut = any(task.result() for task in readers)
    return Finished(
        output.decode("utf-8", "replace"), errors.decode("utf-8", "replace")[-MAX_ERRORS:], process.returncode, cut
    )


async def _first_process(news: asyncio.StreamReader) -> int | None:
    """A handle of the first process inside, whose end is the end of all of them; None when there is none."""
    try:
        said = json.loads(await news.readline() or b"{}")
        return os.pidfd_open(said["child-pid"]) if "child-pid" in said else None
    except (ProcessLookupError, ValueError):
        return None


async def _feed(stdin: asyncio.StreamWriter, code: bytes) -> None:
    try:
        stdin.write(code)
        await stdin.drain()
        stdin.close()
        await stdin.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        return  # it ended before it had read everything


async def _read(process: asyncio.subprocess.Process, stream: asyncio.StreamReader, into: bytearray, most: int) -> bool:
    """Read to the end, or to `most` bytes and stop the program: whether it was stopped."""
    cut = False
    while piece := await stream.read(65536):
        into += piece[: most - len(into)]
        if len(into) >= most and not cut:
            cut = True
            if process.returncode is None:
                process.kill()
    return cut
