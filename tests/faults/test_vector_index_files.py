"""Index files of every version of the format that was written stay readable: file, log, answers and changes."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from mastra.native.index import VectorIndex

FILES = Path(__file__).parent / "indexes"
EXPECTED = json.loads((FILES / "expected-1.json").read_text())


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("name", EXPECTED["indexes"])
def test_a_file_of_version_1_and_its_log_give_the_answers_they_gave(tmp_path, name, mmap):
    path = tmp_path / "old"
    for end in ("", ".log"):
        packed = (FILES / f"{name}-1.index{end}.xz").read_bytes()
        path.with_name(f"old{end}").write_bytes(lzma.decompress(packed))
    expected = EXPECTED["indexes"][name]
    queries = np.array(EXPECTED["queries"], dtype=np.float32)

    index = VectorIndex.open(path, mmap=mmap)
    assert len(index) == expected["rows"]
    assert index.search(queries, 5, ef=200)[0].tolist() == expected["ids"]
    assert 7 not in index  # the log removed it
    np.testing.assert_allclose(index.get([9999])[0], expected["row"], atol=2e-3)

    index.add(queries[0] * 2, ids=[5555])
    index.save(path)
    again = VectorIndex.open(path, mmap=mmap, read_only=True)
    assert len(again) == expected["rows"] + 1
    assert 5555 in again
