"""Every verb and all that can be said to it stands in the documentation."""

from __future__ import annotations

from pathlib import Path

from mastra.cli.main import VERBS
from mastra.cli.reference import reference, verbs

PAGE = Path(__file__).resolve().parents[3] / "docs" / "guide" / "cli-reference.md"


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "write mastra.cli.reference.reference() to it"


def test_no_verb_and_no_option_is_without_a_word_of_help() -> None:
    found = dict(verbs())
    assert {name.split()[0] for name in found} == set(VERBS)
    for name, verb in found.items():
        assert verb.help, name
        for option in verb.params:
            assert getattr(option, "help", None), f"{name}: {option.name}"
