"""The graph in a file beside the database: used when it fits the rows, never believed when it does not."""

import random
import shutil

import numpy as np
import pytest

from mastra.native import VectorIndex
from mastra.ports.vectors import VectorRow
from mastra.registry import open_url
from mastra.vectors import stored
from mastra.vectors.collection import Collection
from mastra.vectors.graph_file import GraphFile

pytest.importorskip("mastra._core", reason="graphs have files with the compiled core only")


def small(count=3):
    index = VectorIndex(4)
    index.add(np.eye(4, dtype="f4")[:count], np.arange(count, dtype=np.uint64))
    return index


ROWS = {f"r{n}": (n, f"w{n}") for n in range(3)}


def test_what_was_saved_is_loaded_and_nothing_is_left_behind(tmp_path):
    file = GraphFile(tmp_path / "v", "u1")
    assert file.load() is None
    file.save(small(), ROWS, 7)
    file.save(small(), ROWS, 8)
    graph = file.load()
    assert graph is not None
    assert (graph.rows, graph.following, len(graph.index)) == (ROWS, 8, 3)
    assert sorted(path.suffix for path in (tmp_path / "v").iterdir()) == [".json", ".mv"]
    graph.index.add(np.ones((1, 4), "f4"), np.array([9], dtype=np.uint64))
    again = file.load()
    assert again is not None
    assert len(again.index) == 3, "what is done to one that was loaded stays with it"
    file.remove()
    assert list((tmp_path / "v").iterdir()) == []


@pytest.mark.parametrize("what", ["*.json", "*.mv"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_damaged_files_are_no_graph(tmp_path, what, damage):
    file = GraphFile(tmp_path, "u1")
    file.save(small(), ROWS, 3)
    [path] = tmp_path.glob(what)
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "flip":
        data[len(data) // 2] ^= 0x55
        path.write_bytes(data)
    else:
        path.write_bytes(data[: len(data) // 2 if damage == "cut" else 0])
    assert file.load() is None
    assert not list(tmp_path.glob("*.own*"))


def test_a_list_of_rows_that_the_graph_does_not_have_is_refused(tmp_path):
    file = GraphFile(tmp_path, "u1")
    file.save(small(2), ROWS, 3)
    assert file.load() is None


def test_a_folder_that_cannot_be_written_costs_speed_only(tmp_path, caplog):
    (tmp_path / "v").write_text("a file where the folder should be")
    GraphFile(tmp_path / "v", "u1").save(small(), ROWS, 3)
    assert "was not saved" in caplog.text


async def opened(path):
    store = open_url("mastra.vectors", f"sqlite:///{path}")
    await store.open()
    return store


async def test_a_process_that_starts_does_not_build_the_graph_again(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "SAVE", 10)
    rng = random.Random(1)
    rows = [VectorRow(f"r{n}", [rng.gauss(0, 1) for _ in range(8)], {"n": n}, f"text {n}") for n in range(40)]
    store = await opened(tmp_path / "v.db")
    await store.create("c", 8)
    await store.upsert("c", rows)
    await store.upsert("c", [VectorRow("late", [9.0] * 8)])
    await store.delete("c", ["r7"])
    wanted = await store.query("c", [1.0] * 8, k=50, include_vector=True)
    await store._storage.close()  # as a kill leaves it: the last changes are not in the file
    added = []
    put = Collection.put

    def counted(self, rows):
        added.extend(row[0] for row in rows)
        put(self, rows)

    monkeypatch.setattr(Collection, "put", counted)
    again = await opened(tmp_path / "v.db")
    assert await again.query("c", [1.0] * 8, k=50, include_vector=True) == wanted
    assert added == ["late"]
    await again.drop("c")
    assert list((tmp_path / "v.db.vectors").iterdir()) == []
    await again.close()


@pytest.mark.parametrize("seed", range(6))
async def test_any_graph_beside_any_database_answers_as_the_rows_are(tmp_path, monkeypatch, seed):
    """Files of different moments of one history, as crashes, restored backups and copies leave them."""
    monkeypatch.setattr(stored, "SAVE", 1)
    rng = random.Random(seed)
    path, folder = tmp_path / "v.db", tmp_path / "v.db.vectors"
    moments = []
    truth: dict[str, VectorRow] = {}
    store = await opened(path)
    await store.create("c", 4)
    for moment in range(8):
        for _ in range(rng.randrange(1, 4)):
            row = VectorRow(f"r{rng.randrange(12)}", [rng.gauss(0, 1) for _ in range(4)], {"n": rng.randrange(3)})
            await store.upsert("c", [row])
            truth[row.id] = row
            if rng.random() < 0.4:
                gone = f"r{rng.randrange(12)}"
                await store.delete("c", [gone])
                truth.pop(gone, None)
        await store.close()
        saved = tmp_path / f"m{moment}"
        saved.mkdir()
        shutil.copy(path, saved / "v.db")
        if folder.exists():
            shutil.copytree(folder, saved / "v.db.vectors")
        moments.append((saved, dict(truth)))
        store = await opened(path)
    await store.close()
    for number in range(20):
        (database, rows), (graph, _) = rng.choice(moments), rng.choice(moments)
        place = tmp_path / f"mixed{number}"
        place.mkdir()
        shutil.copy(database / "v.db", place / "v.db")
        if (graph / "v.db.vectors").exists():
            shutil.copytree(graph / "v.db.vectors", place / "v.db.vectors")
        mixed = await opened(place / "v.db")
        found = await mixed.query("c", [1, 1, 1, 1], k=100, include_vector=True)
        assert {match.id for match in found} == set(rows)
        for match in found:
            assert match.vector == pytest.approx(rows[match.id].vector, abs=1e-5)
            assert match.metadata == rows[match.id].metadata
        assert (await mixed.describe("c")).row_count == len(rows)
        await mixed.close()
