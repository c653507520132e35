"""What wheels/HARMONYOS.md says is so: the recipe for an application loads the core, the defaults are the code's."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from mastra.platform import DEFAULTS, PlatformDefaults

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "wheels" / "HARMONYOS.md").read_text(encoding="utf-8")


def application(folder: Path) -> Path:
    """An application's folder: the Python files among the resources, the module renamed among the libraries."""
    spec = importlib.util.find_spec("mastra._core")
    assert spec is not None
    assert spec.origin is not None
    libraries = folder / "libs" / "arm64-v8a"
    libraries.mkdir(parents=True)
    shutil.copy2(spec.origin, libraries / "libmastra_core.so")
    resources = folder / "resources"
    shutil.copytree(ROOT / "python" / "mastra", resources / "mastra", ignore=shutil.ignore_patterns("_core.*.so"))
    return resources


@pytest.mark.skipif(sys.platform == "win32", reason="about a shared library of Linux")
def test_the_recipe_for_an_application_loads_the_core_from_the_folder_of_signed_libraries(tmp_path: Path) -> None:
    (recipe,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    resources = application(tmp_path)
    say = "import mastra._core as core, mastra.native.distance as d\nprint(core.__file__, d.active_kernel())\n"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(resources), sysconfig.get_path("purelib")])}

    def start(code: str) -> subprocess.CompletedProcess[str]:
        # Without site: nothing of this environment finds the module where it was built.
        command = [sys.executable, "-S", "-c", code]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert "No module named 'mastra._core'" in start(say).stderr
    done = start(recipe + say)
    assert done.returncode == 0, done.stderr
    place, kernel = done.stdout.split()
    assert (tmp_path / place).samefile(tmp_path / "libs" / "arm64-v8a" / "libmastra_core.so")
    assert kernel != "none"


def test_the_defaults_that_the_page_names_are_those_of_the_platform() -> None:
    rows = {name.strip(): [cell.strip() for cell in cells.split("|")]
            for name, cells in re.findall(r"^\| ([a-z][^|]+)\|(.+)\|$", PAGE.partition("at run time")[2],
                                          re.MULTILINE)}  # fmt: skip

    def said(about: str, column: int) -> str:
        (found,) = (cells[column] for name, cells in rows.items() if name.startswith(about))
        return found

    for column, name in enumerate(("harmonyos", "linux")):
        defaults: PlatformDefaults = DEFAULTS[name]
        assert said("outgoing", column) == f"{defaults.max_connections}, {defaults.max_idle_connections}"
        assert said("port", column).split()[0] == str(defaults.port)
        assert said("lowest TLS", column) == defaults.tls_minimum
        assert said("the system's", column).startswith("yes" if defaults.system_certificates else "no")
        assert said("child processes", column).startswith("yes" if defaults.processes else "no")
        assert said("data folder", column).split("`")[1] == defaults.data_folder
    assert len(rows) == 6
