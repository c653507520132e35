"""The search inside one index."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mastra.vectors.engine import Engine


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=80))
def test_it_holds_what_a_dictionary_holds(steps):
    rng = np.random.default_rng(1)
    engine, twin = Engine(4, "cosine"), {}
    for number, add in steps:
        if add:
            twin[number] = rng.standard_normal(4).astype(np.float32)
            engine.add([number], [twin[number]])
        else:
            twin.pop(number, None)
            engine.remove([number])
    assert len(engine) == len(twin)
    for number, vector in twin.items():
        assert engine.search(vector, 1, None)[0][0] == number
        np.testing.assert_allclose(engine.get(number), vector, atol=1e-5)
    allowed = np.array(sorted(twin)[::2], dtype=np.uint64)
    if len(allowed):
        found = engine.search(np.ones(4, dtype=np.float32), 50, allowed)
        assert sorted(number for number, _ in found) == allowed.tolist()
