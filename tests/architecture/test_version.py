"""One version, written once; the changelog knows it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import mastra
from mastra import native


def test_the_version_is_written_once(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["scikit-build"]["metadata"]["version"]["input"] == "python/mastra/__init__.py"


def test_the_compiled_core_is_of_this_version() -> None:
    assert native.build_info()["version"] == mastra.__version__


def test_the_changelog_begins_with_this_version(root: Path) -> None:
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[?([^\]\s]+)", text, flags=re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    if headings[0] == "Unreleased":
        assert mastra.__version__ not in released, "Unreleased changes under a released version: raise __version__."
    else:
        assert headings[0] == mastra.__version__
    assert len(set(headings)) == len(headings)
