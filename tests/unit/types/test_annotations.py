from typing import Annotated, Any, Literal

import pytest

from mastra.types.annotations import plain_schema


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, {"type": "string"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Annotated[str, "a city"], {"type": "string", "description": "a city"}),
        (Any, {}),
    ],
)
def test_an_annotation_becomes_the_json_schema_a_reader_expects(annotation, expected):
    assert plain_schema(annotation) == expected


@pytest.mark.parametrize("annotation", [bytes, tuple[int, str], list[bytes], dict[int, str], Annotated[int, 3]])
def test_what_json_does_not_know_is_left_to_pydantic(annotation):
    assert plain_schema(annotation) is None
