import asyncio
import os
import shutil
from pathlib import Path

import pytest

from mastra import Agent
from mastra.errors import BadDefinition, ToolTimeout, Unsupported
from mastra.providers.scripted import Call, ScriptedModel
from mastra.tools.builtin import sandbox as shut
from mastra.tools.builtin.python_code import python_tool


@pytest.fixture
def run():
    try:
        return python_tool(timeout_s=5, memory_mb=128)
    except Unsupported as error:
        pytest.skip(f"NOT TRIED: {error.message} {error.hint}")


def test_without_a_sandbox_there_is_no_tool(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    shut.sandbox.cache_clear()
    with pytest.raises(Unsupported, match="bubblewrap"):
        python_tool()


@pytest.mark.parametrize("limits", [{"timeout_s": 0}, {"timeout_s": float("nan")}, {"memory_mb": 1}])
def test_limits_that_limit_nothing_are_refused(limits):
    with pytest.raises(BadDefinition):
        python_tool(**limits)


async def test_a_program_computes_and_prints(run):
    done = await run(code="import asyncio, json, math, sys\nprint(json.dumps({'π': math.pi}))\nsys.exit(3)")
    assert done == {"output": '{"\\u03c0": 3.141592653589793}\n', "errors": "", "exit_code": 3}


async def test_threads_and_event_loops_work(run):
    code = (
        "import asyncio\nasync def main(): return await asyncio.to_thread(lambda: 'there')\nprint(asyncio.run(main()))"
    )
    assert (await run(code=code))["output"] == "there\n"


async def test_the_error_of_a_program_is_shown(run):
    done = await run(code="1 / 0")
    assert done["exit_code"] == 1
    assert "ZeroDivisionError" in done["errors"]


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "/etc/hosts", "/root", "/home", "/proc", "/var", "/sys", "/run", "/bin/sh", __file__]
)
async def test_no_file_of_the_machine_is_there(run, name):
    done = await run(code=f"import os; print(os.path.exists({name!r}))")
    assert done["output"] == "False\n"


async def test_nothing_of_the_environment_is_there(run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-host")
    code = "import os, pathlib as p\nprint(dict(os.environ), os.uname().nodename, p.Path('/proc/1/environ').exists())"
    done = await run(code=code)
    assert "secret" not in done["output"]
    assert os.uname().nodename not in done["output"].replace("sandbox", "")


ESCAPES = {
    "a connection": "import socket; socket.create_connection(('127.0.0.1', 6379), 2)",
    "a unix socket": "import socket; socket.socket(socket.AF_UNIX)",
    "a name look-up": "import socket; socket.getaddrinfo('example.org', 80)",
    "a fork": "import os; os.fork()",
    "a spawn": "import os; os.posix_spawn('/usr/bin/python3', ['python3'], {})",
    "a subprocess": "import subprocess; subprocess.run(['/usr/bin/python3', '-c', '1'])",
    "a pool": "import multiprocessing as m; m.Pool(2).map(abs, [1])",
    "the root": "open('/made', 'w')",
    "the libraries": "open('/usr/lib/made', 'w')",
    "the devices": "open('/dev/made', 'w')",
    "shared memory": "open('/dev/shm/made', 'w')",
    "a higher limit": "import resource as r; r.setrlimit(r.RLIMIT_AS, (-1, -1))",
    "root's rights": "import os; os.setuid(0); os.chroot('/')",
    "a device": "import os; os.mknod('/tmp/disk', 0o60600, os.makedev(8, 0)); open('/tmp/disk', 'rb')",
    "memory beside the limit": "import os; os.memfd_create('x')",
    # Opening is what the kernel checks; nothing is written where it would be let.
    "the kernel's settings": "open('/proc/sys/kernel/core_pattern', 'r+')",
    "the host's processes": "import os; os.listdir('/proc')",
    "its parent": "import os; os.kill(os.getppid() or 1, 0); assert os.getppid() > 1",
}
SYSTEM_CALLS = {
    "unshare": "l.unshare(0x10000000)",
    "ptrace": "l.ptrace(0, 0, 0, 0)",
    "mount": "l.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "keyctl": "l.syscall(250, 0)",
    "io_uring": "l.syscall(425, 1, 0)",
    "bpf": "l.syscall(321, 0, 0, 0)",
    "x32": "l.syscall(0x40000000 + 41, 2, 1, 0)",
    "clone3": "l.syscall(435, 0, 0)",
}


@pytest.mark.parametrize("code", ESCAPES.values(), ids=ESCAPES)
async def test_an_escape_ends_in_an_error(run, code):
    done = await run(code=code)
    assert done["exit_code"] != 0
    assert done["errors"]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
@pytest.mark.parametrize("call", SYSTEM_CALLS.values(), ids=SYSTEM_CALLS)
async def test_the_kernel_refuses_what_no_program_needs(run, call):
    code = f"import ctypes; l = ctypes.CDLL(None, use_errno=True)\nprint({call}, ctypes.get_errno() in (1, 38))"
    assert (await run(code=code))["output"] == "-1 True\n"


async def test_too_much_memory_is_an_error_of_the_program(run):
    done = await run(code="x = bytearray(1 << 30)")
    assert "MemoryError" in done["errors"]


async def test_a_full_disk_is_an_error_of_the_program(run):
    done = await run(code="for n in range(100): open(f'/tmp/{n}', 'wb').write(bytes(1 << 20))")
    assert "No space left" in done["errors"]


async def test_a_flood_is_cut_and_ends_the_program(run):
    done = await run(code="while True: print('x' * 10_000)")
    assert len(done["output"]) == shut.MAX_OUTPUT
    assert done["stopped"]
    done = await run(code="import sys\nwhile True: sys.stderr.write('e' * 10_000)")
    assert len(done["errors"]) <= shut.MAX_ERRORS


def _inside() -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if b"bwrap" in line and b"from_this_test" in line:
                found.append(folder.name)
    return found


async def test_a_program_that_does_not_end_is_killed_with_all_it_started(run):
    quick = python_tool(timeout_s=0.5)
    with pytest.raises(ToolTimeout):
        await quick(code="while True: pass")
    with pytest.raises(ToolTimeout):
        await quick(code="import time\ntry: time.sleep(99)\nexcept BaseException: time.sleep(99)")
    # A program that is never read, because it is never begun in time, ends too.
    with pytest.raises(ToolTimeout):
        await python_tool(timeout_s=0.001)(code="#" * 5_000_000)


async def test_a_cancelled_call_leaves_no_process(run, monkeypatch):
    monkeypatch.setattr(shut, "_START", "# from_this_test\n" + shut._START)
    task = asyncio.create_task(run(code="while True: pass"))
    for _ in range(200):
        await asyncio.sleep(0.01)
        if len(_inside()) >= 2:
            break
    assert _inside()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(200):
        if not _inside():
            break
        await asyncio.sleep(0.01)
    assert _inside() == []


async def test_programs_do_not_see_each_other(run):
    code = "import os, time; print(sorted(os.listdir('/tmp'))); open('/tmp/mine', 'w').write('x'); time.sleep(0.2)"
    assert {one["output"] for one in await asyncio.gather(*(run(code=code) for _ in range(3)))} == {"[]\n"}


async def test_an_agent_reads_what_its_program_printed(run):
    model = ScriptedModel([Call("run_python", {"code": "print(sum(range(101)))"}), "5050"])
    result = await Agent("a", model=model, tools=[run]).generate("Sum?")
    assert result.tool_results[0]["result"]["output"] == "5050\n"
