"""The public surface is a text file: changing it is a decision that a reviewer sees."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mastra


def surface_lines() -> list[str]:
    lines = [f"{name}  {module}" for name, module in mastra._EXPORTS.items()]
    lines += [f"{name}  (module)" for name in mastra._MODULES]
    return sorted([*lines, "__version__  mastra"])


def test_the_surface_is_the_recorded_one() -> None:
    recorded = (Path(__file__).parent / "surface.txt").read_text(encoding="utf-8").splitlines()
    assert surface_lines() == sorted(recorded), "Change tests/architecture/surface.txt on purpose, then the docs."


def test_every_public_name_loads() -> None:
    for name in [*mastra._EXPORTS, *mastra._MODULES]:
        assert getattr(mastra, name) is not None, name


def test_all_names_what_is_exported() -> None:
    assert sorted(mastra.__all__) == sorted([*mastra._EXPORTS, "__version__"])


def test_type_checkers_see_what_runs(package: Path) -> None:
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    declared = {
        alias.asname or alias.name: node.module
        for guard in tree.body
        if isinstance(guard, ast.If)
        for node in guard.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == mastra._EXPORTS


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'MastraError'"):
        mastra.MastraEror  # noqa: B018 - the access is the test


def test_dir_lists_the_lazy_names() -> None:
    assert {*mastra._EXPORTS, *mastra._MODULES} <= set(dir(mastra))
