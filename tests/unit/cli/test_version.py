from __future__ import annotations

import json
import platform

from typer.testing import CliRunner

import mastra
from mastra.cli.main import make_app


def test_the_versions_are_told_in_words_and_as_json() -> None:
    told = json.loads(CliRunner().invoke(make_app("version"), ["version", "--json"]).stdout)
    assert (told["mastra"], told["python"]) == (mastra.__version__, platform.python_version())
    words = CliRunner().invoke(make_app("version"), ["version"]).stdout
    assert [line.split(maxsplit=1) for line in words.splitlines()] == [[name, value] for name, value in told.items()]
