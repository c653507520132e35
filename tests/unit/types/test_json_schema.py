import pytest

from mastra.types.json_schema import compile_schema


def issues(spec, value):
    found = []
    compile_schema(spec)(value, "", found)
    return found


@pytest.mark.parametrize(
    ("spec", "good", "bad"),
    [
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 1.5, 1),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "a", 1.5),
        ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 2, 4),
        ({"not": {"type": "string"}}, 1, "a"),
        ({"if": {"minimum": 10}, "then": {"multipleOf": 5}, "else": {"const": 1}}, 15, 12),
        ({"type": "array", "uniqueItems": True}, [1, True], [1, 1]),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": False}, ["a"], ["a", "b"]),
        ({"type": "array", "contains": {"const": 3}}, [1, 3], [1, 2]),
        ({"type": "string", "pattern": "^a+$"}, "aaa", "ab"),
        ({"exclusiveMinimum": 0}, 0.1, 0),
        ({"multipleOf": 0.1}, 0.3, 0.35),
        ({"type": ["string", "null"]}, None, 1),
        ({"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}, {"x-a": 1}, {"y": 1}),
        ({"propertyNames": {"maxLength": 2}}, {"ab": 1}, {"abc": 1}),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 2}, {"a": 1}),
        ({"const": {"a": [1]}}, {"a": [1]}, {"a": [True]}),
    ],
)
def test_the_words_of_json_schema_mean_what_the_standard_says(spec, good, bad):
    assert issues(spec, good) == []
    assert issues(spec, bad) != []
