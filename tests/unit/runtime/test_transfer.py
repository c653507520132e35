"""Exporting and importing rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import InvalidInput, StorageCorrupt
from mastra.runtime.transfer import export_rows, import_rows
from mastra.storage.memory import MemoryStorage
from mastra.storage.sqlite import SqliteStorage
from mastra.types.records import Order, Put, Table

TABLE = Table("things", ("n",), "acme")
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,4}", fullmatch=True), st.dictionaries(texts, texts | st.integers()), max_size=5
    )
)
async def test_rows_come_back_through_a_file(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("export") / "rows.ndjson"
    source, sink = MemoryStorage(), MemoryStorage()
    await source.write([Put(Table("free", (), "acme"), key, value) for key, value in rows.items()])
    assert await export_rows(source, path) == len(rows)
    assert await import_rows(sink, path) == len(rows)
    assert {r.key: r.value for r in (await sink.scan(Table("free", (), "acme"))).records} == rows


async def test_rows_move_to_another_backend(tmp_path):
    source, sink = MemoryStorage(), SqliteStorage(tmp_path / "a.db")
    await source.write(
        [Put(TABLE, f"k{n}", {"n": n}) for n in range(1200)] + [Put(Table("other"), "x", {"line": "a\u2028b"})]
    )
    await export_rows(source, tmp_path / "rows")
    assert await import_rows(sink, tmp_path / "rows") == 1201
    assert len((await sink.scan(TABLE, order=Order("n"), limit=2000)).records) == 1200
    with pytest.raises(InvalidInput):
        await import_rows(sink, tmp_path / "rows")
    assert await import_rows(sink, tmp_path / "rows", replace=True) == 1201
    await sink.close()


async def test_a_damaged_file_is_refused_whole(tmp_path):
    source = MemoryStorage()
    await source.write([Put(TABLE, f"k{n}", {"n": n}) for n in range(10)])
    await export_rows(source, tmp_path / "rows")
    data = (tmp_path / "rows").read_bytes()
    for number, wrong in enumerate(
        [b"", data[:-1], data[:-20], data.replace(b'"n":3', b'"n":4'), data[40:], data + b"x"]
    ):
        path = tmp_path / f"wrong{number}"
        path.write_bytes(wrong)
        sink = MemoryStorage()
        with pytest.raises(StorageCorrupt):
            await import_rows(sink, path)
        assert await sink.tables() == []
