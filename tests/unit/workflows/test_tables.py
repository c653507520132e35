"""Keys of rows: entries of a run sort in the order they were written."""

from mastra.workflows.tables import entry_key, run_key


def test_entries_of_a_run_sort_as_they_are_numbered():
    run = run_key("flow", "r1")
    keys = [entry_key(run, number) for number in (0, 9, 10, 99_999, 100_000, 9_999_999)]
    assert keys == sorted(keys)
    assert all(key.startswith("flow/r1/") for key in keys)
