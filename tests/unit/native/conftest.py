"""Both faces of a native part: the compiled one and its pure-Python twin."""

import importlib
import warnings

import pytest


@pytest.fixture(scope="session")
def load_fallback():
    """Imports a module of mastra.native.fallback, which warns that the compiled core is missing."""

    def load(name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return importlib.import_module(f"mastra.native.fallback.{name}")

    return load


@pytest.fixture(params=["compiled", "fallback"])
def face(request, load_fallback):
    """A function from a module name of mastra.native to its compiled or its pure-Python module."""
    if request.param == "fallback":
        return load_fallback
    return lambda name: importlib.import_module(f"mastra.native.{name}")
