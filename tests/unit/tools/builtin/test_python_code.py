import shutil

import pytest

from mastra.errors import Unsupported
from mastra.tools.builtin import python_code


def test_without_a_sandbox_there_is_no_tool(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Unsupported, match="bubblewrap"):
        python_code.python_tool()


def test_the_sandbox_shares_nothing_that_matters():
    command = python_code.command("bwrap", memory_mb=64, seconds=1)
    assert {"--unshare-all", "--clearenv", "--die-with-parent"} <= set(command)
    assert "--bind" not in command


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")
async def test_code_runs_without_network_and_files():
    run = python_code.python_tool()
    assert (await run(code="print(6 * 7)"))["output"] == "42\n"
    assert (await run(code="open('/etc/passwd')"))["exit_code"] != 0
    assert (await run(code="import socket; socket.create_connection(('1.1.1.1', 53), 1)"))["exit_code"] != 0
