"""Both faces of a native part: the compiled one and its pure-Python twin."""

import importlib
import warnings

import pytest


def load_fallback(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it says that the compiled core is missing
        return importlib.import_module(f"mastra.native.fallback.{name}")


@pytest.fixture(params=["compiled", "fallback"])
def face(request):
    """A function from a module name of mastra.native to its compiled or its pure-Python module."""
    if request.param == "fallback":
        return load_fallback
    return lambda name: importlib.import_module(f"mastra.native.{name}")
