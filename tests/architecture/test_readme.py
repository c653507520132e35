"""The README is short, shows the two commands that do all the set-up, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path


def test_the_readme_is_short(root: Path) -> None:
    assert (root / "README.md").read_text(encoding="utf-8").count("\n") <= 150


def test_two_commands_do_all_the_set_up(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    block = text[text.index("<!-- two commands -->") :]
    commands = re.findall(r"^\$ (.+)$", block[: block.index("\n```\n")], flags=re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("mastra demo")
    assert "-m pytest" in commands[1]


def test_links_between_pages_lead_somewhere(root: Path) -> None:
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "wheels").glob("*.md")]
    dead = [
        f"{page.relative_to(root)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert dead == []
