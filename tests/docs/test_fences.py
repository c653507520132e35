"""Every fence of the README and the documentation runs; none escapes.

A `python` fence is executed on its own in an empty folder, top-level `await` allowed. A `console` fence runs its `$`
lines in one shell and must print the lines shown below them. `<!-- not run: reason -->` before a fence exempts it from
running; Python must compile all the same.
"""

from __future__ import annotations

import ast
import asyncio
import os
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = {"python", "console"}
SHOWN = {"text", "json", "jsonc", "toml", "ini", "yaml", "cpp", "cmake", "diff", "sql", "http", "typescript", "mermaid"}
FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+?) -->\s*\n)?^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<body>.*?)^ *```\s*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Fence:
    path: Path
    line: int
    language: str
    body: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    tops = [path for name in ("README.md", "CONTRIBUTING.md", "AGENTS.md") if (path := ROOT / name).exists()]
    return [*tops, *sorted((ROOT / "docs").rglob("*.md"))]


def fences() -> Iterator[Fence]:
    for path in pages():
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            indent = len(match["indent"])
            body = "\n".join(line[indent:] for line in match["body"].splitlines()) + "\n"
            line = text.count("\n", 0, match.start("language")) + 1
            yield Fence(path, line, match["language"].strip(), body, match["reason"] or "")


ALL = list(fences())


def of(language: str, *, run: bool) -> list[object]:
    return [
        pytest.param(fence, id=str(fence)) for fence in ALL if fence.language == language and run != bool(fence.reason)
    ]


def test_no_fence_escapes() -> None:
    strangers = [f"{fence}: {fence.language!r}" for fence in ALL if fence.language not in RUN | SHOWN]
    assert strangers == [], f"Use one of {sorted(RUN)} for what runs, {sorted(SHOWN)} for what is only shown."
    for path in pages():
        marks = re.findall(r"^ *```", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert len(marks) == 2 * sum(fence.path == path for fence in ALL), f"{path}: a fence is not closed"


def test_most_python_fences_run() -> None:
    exempt = [str(fence) for fence in ALL if fence.language == "python" and fence.reason]
    running = [fence for fence in ALL if fence.language == "python" and not fence.reason]
    assert len(exempt) <= max(5, len(running) // 5), exempt


@pytest.mark.parametrize("fence", of("python", run=True))
def test_python_fence_runs(fence: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "docs_example"
    module = types.ModuleType(name)
    module.__file__ = str(fence.path)
    monkeypatch.setitem(sys.modules, name, module)
    code = compile(
        "\n" * fence.line + fence.body, str(fence.path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
    )
    result = eval(code, module.__dict__)
    if asyncio.iscoroutine(result):
        asyncio.run(result)


@pytest.mark.parametrize("fence", of("python", run=False))
def test_shown_python_compiles(fence: Fence) -> None:
    compile(fence.body, str(fence.path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


@pytest.mark.parametrize("fence", of("console", run=True))
def test_console_fence_runs(fence: Fence, tmp_path: Path) -> None:
    commands = [line[2:] for line in fence.body.splitlines() if line.startswith("$ ")]
    shown = [line.rstrip() for line in fence.body.splitlines() if line.strip() and not line.startswith("$ ")]
    assert commands, f"{fence}: no line begins with '$ '"
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", COLUMNS="100")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    printed = {line.rstrip() for line in done.stdout.splitlines()}
    assert [line for line in shown if line != "..." and line not in printed] == [], done.stdout
