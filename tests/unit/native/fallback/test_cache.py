"""The pure-Python cache forgets the least recently used entry first."""


def test_the_least_recently_used_entry_leaves_first(load_fallback):
    cache = load_fallback("cache").CacheStore(max_entries=2)
    cache.set("a", 1)
    cache.set("b", 2)
    cache.get("a")
    cache.set("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
