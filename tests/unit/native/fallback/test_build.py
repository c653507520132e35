"""The facts of a build have the same names with and without the compiled core."""

from mastra.native import build_info


def test_a_build_has_the_same_facts_in_both_faces(load_fallback):
    twin = load_fallback("build").build_info()
    assert set(build_info()) == set(twin)
    assert twin["compiler"] == "none"
