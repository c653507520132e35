from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mastra.rag.markup import html_text, json_pieces, markdown_sections


@given(st.text(st.sampled_from("#a` ~\n"), max_size=80))
def test_sections_join_to_the_text(text: str) -> None:
    sections = list(markdown_sections(text))
    assert "".join(text[section.start : section.end] for section in sections) == text


def test_a_heading_of_the_same_level_replaces_the_one_before() -> None:
    found = [section.headings for section in markdown_sections("# A\n### B\n## C ##\n# D\n")]
    assert found == [("A",), ("A", "B"), ("A", "C"), ("D",)]


@given(st.text(st.sampled_from("<>/hp1 a&;\n\"'!-"), max_size=120))
def test_any_html_is_read(source: str) -> None:
    for block in html_text(source):
        assert block.text == block.text.strip() != ""
        assert 0 <= block.start <= len(source)


def test_a_long_text_in_json_stands_alone() -> None:
    pieces = json_pieces('{"a": "xxxxxxxxxxxxxxxx", "b": [1, 2]}', 12, len)
    assert [(piece.path, piece.text) for piece in pieces] == [("$.a", '"xxxxxxxxxxxxxxxx"'), ("$", '{"b":[1,2]}')]
