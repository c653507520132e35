"""Text search in SQLite: an FTS5 index beside a table, made with the first search and kept by triggers from then on.

The index knows rows by numbers of its own: the table's own row numbers may change when the file is compacted.
"""

from __future__ import annotations

from typing import Any

import apsw

from mastra.storage.sqlite_file import sql_name
from mastra.storage.texts import MAX_TEXT, Search, TextPath
from mastra.types.records import Table

# The words alone are kept, for the texts are in the rows; letters count with their accents.
OPTIONS = "content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0'"


def has_index(connection: apsw.Connection, search: Search) -> bool:
    """Whether the index is there."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema WHERE name=?", (f"x_{search.slug}",)).get)


def make_index(connection: apsw.Connection, table: Table, search: Search) -> None:
    """Make the index and fill it from the rows that are there. Runs inside a write transaction."""
    if has_index(connection, search):
        return
    name, words, numbers = sql_name(table), f'"x_{search.slug}"', f'"x_{search.slug}_rows"'
    number = f"(SELECT id FROM {numbers} WHERE t={{row}}.tenant AND k={{row}}.key)"  # noqa: S608 - names are checked
    remove = f"DELETE FROM {words} WHERE rowid={number.format(row='old')};"  # noqa: S608 - names are checked
    add = f"INSERT INTO {words}(rowid, words) VALUES({number.format(row='new')}, {_text('new.value', search.path)});"
    copy, both = _text("m.value", search.path), f" FROM {name} m JOIN {numbers} n ON n.t=m.tenant AND n.k=m.key"
    count = f"INSERT INTO {numbers}(t, k) VALUES(new.tenant, new.key);"
    trigger = f'CREATE TRIGGER "x_{search.slug}_'
    forget = f"DELETE FROM {numbers} WHERE t=old.tenant AND k=old.key;"  # noqa: S608 - names are checked
    statements = [
        f"CREATE TABLE {numbers}(id INTEGER PRIMARY KEY, t TEXT NOT NULL, k TEXT NOT NULL, UNIQUE(t, k))",
        f"CREATE VIRTUAL TABLE {words} USING fts5(words, {OPTIONS})",
        f"INSERT INTO {numbers}(t, k) SELECT tenant, key FROM {name}",  # noqa: S608 - names are checked
        f"INSERT INTO {words}(rowid, words) SELECT n.id, {copy}{both}",
        f'{trigger}put" AFTER INSERT ON {name} BEGIN {count} {add} END',
        f'{trigger}set" AFTER UPDATE ON {name} BEGIN {remove} {add} END',
        f'{trigger}del" AFTER DELETE ON {name} BEGIN {remove} {forget} END',
    ]
    for statement in statements:
        connection.execute(statement)


def select(table: Table, search: Search, clause: str, arguments: list[Any]) -> tuple[str, list[Any]]:
    """The statement whose rows are those with all words that meet the clause, best first."""
    words = f'"x_{search.slug}"'
    sql = (
        f'SELECT key, value FROM {words} x JOIN "x_{search.slug}_rows" n ON n.id = x.rowid'  # noqa: S608 - names are checked
        f" JOIN {sql_name(table)} m ON m.tenant = n.t AND m.key = n.k"
        f" WHERE {words} MATCH ? AND n.t = ? AND {clause} ORDER BY x.rank, key"
    )
    # Words are letters and digits, so nothing in the quotes can end them.
    return sql, [" ".join(f'"{word}"' for word in search.words), table.tenant, *arguments]


def _text(value: str, path: TextPath) -> str:
    """The texts of a row, in SQL; other things than texts at that place count as nothing."""
    if not path.inner:
        place = path.json_path()
        text = f"substr(json_extract({value}, '{place}'), 1, {MAX_TEXT})"
        return f"CASE json_type({value}, '{place}') WHEN 'text' THEN {text} END"
    outer = TextPath(path.outer).json_path()
    inner = TextPath(path.inner).json_path()
    return (
        f"(SELECT substr(group_concat(CASE WHEN p.type = 'object' AND json_type(p.value, '{inner}') = 'text'"  # noqa: S608 - names are checked
        f" THEN json_extract(p.value, '{inner}') END, ' '), 1, {MAX_TEXT})"
        f" FROM json_each({value}, '{outer}') p WHERE json_type({value}, '{outer}') = 'array')"
    )
