import pytest

from mastra.tools.docstring import read_docstring

GOOGLE = """Do it.

More words.

Args:
    a: The first,
        on two lines.
    b (int, optional): The second.

Returns:
    Something.
"""
NUMPY = """Do it.

More words.

Parameters
----------
a : str
    The first,
    on two lines.
b : int, optional
    The second.

Returns
-------
str
    Something.
"""
REST = """Do it.

More words.

:param a: The first,
    on two lines.
:param int b: The second.
:returns: Something.
:raises ValueError: Never.
"""


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, REST])
def test_three_styles_say_the_same(text):
    doc = read_docstring(text)
    assert doc.description == "Do it.\n\nMore words."
    assert doc.parameters == {"a": "The first, on two lines.", "b": "The second."}


@pytest.mark.parametrize("text", [None, "", "One line."])
def test_a_short_docstring_is_its_description(text):
    assert read_docstring(text) == (text or "", {})
