"""Imports only go down; adapters are plugged in, never imported; only `native` touches C++."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path


def test_import_contracts_hold(root: Path) -> None:
    command = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run([sys.executable, "-c", command], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def imported_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_only_native_imports_the_compiled_core(trees: dict[Path, ast.Module], package: Path) -> None:
    offenders = [
        str(path.relative_to(package))
        for path, tree in trees.items()
        if package / "native" not in path.parents
        and any(name.startswith("mastra._core") for name in imported_names(tree))
    ]
    assert offenders == []


def test_the_web_framework_stays_at_the_edge(trees: dict[Path, ast.Module], package: Path) -> None:
    """starlette and uvicorn belong to the server; typer and rich to the command line."""
    allowed = {
        "starlette": {"server"}, "uvicorn": {"server", "cli"}, "typer": {"cli"}, "rich": {"cli", "logs.py"},
    }  # fmt: skip
    offenders = []
    for path, tree in trees.items():
        part = path.relative_to(package).parts[0]
        for name in imported_names(tree):
            places = allowed.get(name.partition(".")[0])
            if places is not None and part not in places:
                offenders.append(f"{path.relative_to(package)} imports {name}")
    assert offenders == []


def test_state_is_data(trees: dict[Path, ast.Module], package: Path) -> None:
    """No pickle, marshal or shelve anywhere: what is loaded can never run code."""
    offenders = [
        f"{path.relative_to(package)} imports {name}"
        for path, tree in trees.items()
        for name in imported_names(tree)
        if name.partition(".")[0] in {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
    ]
    assert offenders == []
