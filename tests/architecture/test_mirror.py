"""Every module has a test of the same path; `untested.txt` names the ones that do not yet, and can only shrink."""

from __future__ import annotations

import ast
from pathlib import Path

# Abstract classes have no behaviour of their own: every adapter's conformance run is their test.
EXEMPT_FOLDERS = {"ports"}


def modules_with_code(trees: dict[Path, ast.Module], package: Path) -> list[str]:
    found = []
    for path, tree in trees.items():
        relative = path.relative_to(package)
        if relative.parts[0] in EXEMPT_FOLDERS or path.name in {"__init__.py", "__main__.py"}:
            continue
        if any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree)):
            found.append(relative.as_posix())
    return found


def twin(module: str) -> str:
    folder, _, name = module.rpartition("/")
    return f"{folder}/test_{name}" if folder else f"test_{name}"


def test_every_module_has_its_test(trees: dict[Path, ast.Module], package: Path, root: Path) -> None:
    known = (Path(__file__).parent / "untested.txt").read_text(encoding="utf-8").split()
    missing = [
        module
        for module in modules_with_code(trees, package)
        if not (root / "tests" / "unit" / twin(module)).exists() and module not in known
    ]
    assert missing == [], (
        "Write tests/unit/<same path>/test_<module>.py (or, for now, a line in tests/architecture/untested.txt)."
    )


def test_the_list_of_untested_modules_is_true(package: Path, root: Path) -> None:
    known = (Path(__file__).parent / "untested.txt").read_text(encoding="utf-8").split()
    stale = [
        module
        for module in known
        if not (package / module).exists() or (root / "tests" / "unit" / twin(module)).exists()
    ]
    assert stale == [], "These have a test now: take them out of tests/architecture/untested.txt."


def test_every_unit_test_has_its_module(package: Path, root: Path) -> None:
    unit = root / "tests" / "unit"
    orphans = []
    for path in sorted(unit.rglob("test_*.py")):
        relative = path.relative_to(unit)
        module = package / relative.parent / path.name.removeprefix("test_")
        as_package = package / relative.parent / path.stem.removeprefix("test_")
        if not module.exists() and not as_package.is_dir():
            orphans.append(relative.as_posix())
    assert orphans == [], "tests/unit mirrors the package; other tests belong to flows, conformance or wire."
