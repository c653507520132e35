"""What exists is documented: each error, adapter, setting and command has its row or page."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from mastra import errors, registry
from mastra.settings import describe


def rows(path: Path) -> set[str]:
    """The first cell of every table row of a page, without its back-ticks."""
    return {
        cell.strip().strip("`")
        for cell in re.findall(r"^\|([^|]+)\|", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }


def error_types() -> list[type[errors.MastraError]]:
    return [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, errors.MastraError)]


def test_every_error_code_has_a_row(root: Path) -> None:
    known = rows(root / "docs" / "errors.md")
    missing = [f"{item.__name__} ({item.code})" for item in error_types() if item.code not in known]
    assert missing == [], "Add a row to docs/errors.md."


def test_every_row_is_an_error(root: Path) -> None:
    codes = {item.code for item in error_types()}
    listed = rows(root / "docs" / "errors.md") - {"code", "---"}
    assert listed - codes == set()


def test_codes_are_unique_and_stable_words() -> None:
    codes = [item.code for item in error_types()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_the_drawn_tree_is_the_tree(root: Path) -> None:
    drawing = errors.__doc__ or ""
    for item in error_types():
        assert re.search(rf"\b{item.__name__}\b", drawing), f"{item.__name__} is missing in the drawing of errors.py"


def declared_adapters(root: Path) -> dict[str, list[str]]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {group: list(points) for group, points in project.get("entry-points", {}).items()}


def test_every_adapter_has_a_row(root: Path) -> None:
    known = rows(root / "docs" / "adapters.md")
    missing = [
        f"{group}: {name}"
        for group, names in declared_adapters(root).items()
        if group in registry.GROUPS
        for name in names
        if name not in known
    ]
    assert missing == [], "Add a row to docs/adapters.md."


def test_every_extra_is_documented(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (root / "docs" / "adapters.md").read_text(encoding="utf-8")
    missing = [extra for extra in project["optional-dependencies"] if f"mastra[{extra}]" not in text]
    assert missing == [], "Name the extra in docs/adapters.md."


def test_every_group_of_the_registry_is_declared(root: Path) -> None:
    assert set(registry.GROUPS) <= set(declared_adapters(root))


def test_every_setting_has_a_row(root: Path) -> None:
    known = rows(root / "docs" / "guide" / "settings.md")
    settings = {item.name for item in describe()}
    assert settings - known == set(), "Add a row to docs/guide/settings.md."
    assert {name for name in known if "." in name} - settings == set(), "These settings are gone."
