"""Texts that break out of badly built queries, for every place where a stranger's text meets a backend."""

from __future__ import annotations

INJECTIONS: tuple[str, ...] = (
    "'", '"', "''", "`", ";", "--", "/*", "*/", "\\", "\\'", "')", "'))", '")', "%", "_", "%%", "a%", "_a", "?", ":a",
    "$1", "@p", "{}", "[]", "[*]", "$", "$.a", '$."a"', '"."', "a'b", 'a"b', "a`b", "a]b", "a}b", "x' OR '1'='1",
    "x' OR 1=1 --", '" OR ""="', "1; DROP TABLE m_contract_rows", "'; DELETE FROM m_contract_rows; --",
    "') UNION SELECT key, value FROM m_contract_rows --", "' || (SELECT 1) || '", "x'); ATTACH 'evil' AS e; --",
    "json_extract(value, '$')", "a' COLLATE NOCASE --", "*", "a*", "@status:{x}", "x} @other:{y", "-@status:{x}", "|",
    "(a|b)", "~", "=>[KNN 1 @v $x]", "a,b", "a b", "{a|b}", "$$ROOT", "$expr", "$function", "function(){return true}",
    '{"$gt": ""}', "{'$ne': null}", "<script>", "\r\nFLUSHALL\r\n", "*1\r\n$8\r\nFLUSHALL", "\n", "\t", "\x7f",
    "\u2028", "\u202e", "\ufeff", "ﷺ", "🌍", "ß", "İ", "Ω", "\u017f", "\u0301", "é", "true", "false", "null", "1e9",
    "NaN", "-0", "0x41", "__proto__", "constructor", "../../etc/passwd", "${jndi:ldap://x}", "{{7*7}}", "%s%n", "%00",
    "\\u0000", "\\x00", "a" * 700,
)  # fmt: skip
