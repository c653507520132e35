"""What a path names in a row, which words a text has, and when a row fits a query."""

import pytest

from mastra.errors import InvalidInput
from mastra.storage.texts import MAX_TEXT, TextPath, check_search, ranked, text_at, words_of
from mastra.types.records import Record, Table

TABLE = Table("rows")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The fox_and-the FOX's", ["the", "fox", "and", "the", "fox", "s"]),
        ("Straße, 3.14 №5", ["strasse", "3", "14", "5"]),
        ("ЁЛКА «дом»", ["ёлка", "дом"]),
        ("?! \"'--", []),
        ("", []),
    ],
)
def test_words_are_runs_of_letters_and_digits(text, words):
    assert words_of(text) == words


def test_words_behind_the_limit_are_not_read():
    assert words_of("x" * MAX_TEXT + " y") == ["x" * MAX_TEXT]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (TextPath(("title",)), "a"),
        (TextPath(("deep", "er")), "b"),
        (TextPath(("parts",), ("text",)), "c d"),
        (TextPath(("parts",), ("more", "text")), "e"),
        (TextPath(("title",), ("text",)), ""),
        (TextPath(("parts",)), ""),
        (TextPath(("no", "such")), ""),
    ],
)
def test_a_path_names_texts_and_nothing_else(path, text):
    parts = [{"text": "c"}, "x", {"text": 1}, {"text": "d", "more": {"text": "e"}}, None]
    assert text_at({"title": "a", "deep": {"er": "b"}, "parts": parts}, path) == text


def test_a_path_is_written_for_sql():
    assert TextPath(("a", "b")).json_path() == '$."a"."b"'
    assert check_search(TABLE, "a.b[].c.d", "x", 1).path.json_path() == '$."a"."b"[*]."c"."d"'


def test_each_table_and_path_has_a_name_of_its_own():
    slugs = {check_search(Table(name), path, "x", 1).slug for name in "ab" for path in ("a", "b", "a.b", "a[].b")}
    assert len(slugs) == 8


@pytest.mark.parametrize("path", ["", "a b", "a'", "a[]", "a[].b[].c", "$.a", None, "é", "a." * 200])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InvalidInput):
        check_search(TABLE, path, "x", 1)


@pytest.mark.parametrize(("query", "limit"), [("x" * 1001, 1), (None, 1), ("x", 0), ("x", True), ("a b c d " * 9, 1)])
def test_what_is_no_query_is_refused(query, limit):
    if query and query.startswith("a b"):
        query = " ".join(f"w{number}" for number in range(40))
    with pytest.raises(InvalidInput):
        check_search(TABLE, "a", query, limit)


def test_rows_with_more_of_the_words_in_shorter_texts_come_first():
    texts = {
        "long": "fox " + "word " * 50,
        "short": "a fox",
        "often": "fox fox fox",
        "without": "wolf",
        "same": "a fox",
    }
    records = [Record(key, {"a": text}) for key, text in texts.items()]
    search = check_search(TABLE, "a", "fox", 10)
    assert [record.key for record in ranked(search, records, 10)] == ["often", "same", "short", "long"]
    assert [record.key for record in ranked(search, records, 1)] == ["often"]
    assert ranked(check_search(TABLE, "a", "fox wolf", 10), records, 10) == []
    assert [search.fits(record.value) for record in records] == [True, True, True, False, True]
