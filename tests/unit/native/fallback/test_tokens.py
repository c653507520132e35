"""The weights of the pure-Python estimate are complete and bounded."""


def test_every_encoding_has_a_weight_for_each_place(load_fallback):
    weights, places = load_fallback("token_weights").WEIGHTS, load_fallback("tokens").SPACED_DIGITS + 1
    assert set(weights) == {"cl100k_base", "o200k_base"}
    for each in weights.values():
        assert len(each) == places
        assert all(-32_768 < weight < 32_768 for weight in each)
