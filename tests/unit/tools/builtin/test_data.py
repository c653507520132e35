import pytest

from mastra.errors import ToolError
from mastra.tools.builtin import data

PAGE = (
    "<html><head><title>T</title><script>evil()</script></head><body><h1>Hi</h1><p>A <a href='/b'>link</a></p>"
    "<table><tr><th>x</th><td>1</td></tr></table></body></html>"
)
ROWS = [{"n": 10, "k": "a"}, {"n": 9, "k": "b"}, {"k": "a"}]


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        (data.check_json, {"text": "[1]"}, {"valid": True, "type": "list"}),
        (data.check_json, {"text": "[1"},
         {"valid": False, "problem": "Expecting ',' delimiter", "line": 1, "column": 3}),
        (data.query_json, {"text": '{"a": [{"b/c": 1}]}', "pointer": "/a/0/b~1c"}, 1),
        (data.format_json, {"text": '{"b":1,"a":2}', "indent": 0, "sort_keys": True}, '{"a":2,"b":1}'),
        (data.csv_to_records, {"text": "a,b\n1,2\n"}, [{"a": "1", "b": "2"}]),
        (data.records_to_csv, {"records": [{"a": 1}, {"b": "x,y"}]}, 'a,b\n1,\n,"x,y"\n'),
        (data.html_to_text, {"html": PAGE}, "Hi\n\nA link\n\nx1"),
        (data.html_links, {"html": PAGE, "page_url": "https://x.no/a"}, [{"url": "https://x.no/b", "text": "link"}]),
        (data.html_tables, {"html": PAGE}, [[["x", "1"]]]),
        (data.parse_url, {"url": "https://x.no:8080/p?q=1&q=2#f"}, {"scheme": "https", "host": "x.no", "port": 8080,
         "path": "/p", "query": {"q": ["1", "2"]}, "fragment": "f"}),
        (data.build_query, {"values": {"a": "b c", "d": [1, 2]}}, "a=b+c&d=1&d=2"),
        (data.sort_records, {"records": ROWS, "field": "n"}, [ROWS[1], ROWS[0], ROWS[2]]),
        (data.filter_records, {"records": ROWS, "field": "n", "compare": "more", "value": "9"}, [ROWS[0]]),
        (data.filter_records, {"records": ROWS, "field": "k", "compare": "equals", "value": "a"}, [ROWS[0], ROWS[2]]),
        (data.summarize_records, {"records": ROWS, "group_by": "k"}, {"a": 2, "b": 1}),
        (data.summarize_records, {"records": ROWS, "group_by": "k", "field": "n", "function": "sum"},
         {"a": 10, "b": 9}),
    ],
)  # fmt: skip
async def test_each_tool_answers(tool, arguments, expected):
    assert await tool(arguments) == expected


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (data.query_json, {"text": "{", "pointer": ""}),
        (data.query_json, {"text": "{}", "pointer": "/a"}),
        (data.csv_to_records, {"text": 'a\n"b', "delimiter": ","}),
        (data.records_to_csv, {"records": [], "delimiter": ",,"}),
        (data.parse_url, {"url": "http://x:99999999/"}),
    ],
)
async def test_each_tool_refuses(tool, arguments):
    with pytest.raises(ToolError):
        await tool(arguments)
