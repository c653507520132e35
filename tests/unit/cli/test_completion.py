from __future__ import annotations

import subprocess

import pytest
from typer.testing import CliRunner

from mastra.cli.completion import SHELLS
from mastra.cli.main import make_app


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_a_script(shell: str) -> None:
    done = CliRunner().invoke(make_app("completion"), ["completion", shell])
    assert done.exit_code == 0
    assert "_MASTRA_COMPLETE" in done.stdout
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)


def test_another_shell_is_refused() -> None:
    done = CliRunner().invoke(make_app("completion"), ["completion", "tcsh"])
    assert (done.exit_code, "There is no completion for 'tcsh'" in done.stderr) == (2, True)
