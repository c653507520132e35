from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadSetting, MastraError, UnknownSetting
from mastra.settings import Settings, describe
from mastra.settings.sources import from_environment, from_file, read_dotenv

NAMES = {item.name: item.variable for item in describe()}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"nothere\.toml"):
        Settings.load(tmp_path / "nothere.toml", environ={})


@pytest.mark.parametrize(
    ("name", "text", "line"), [("a.toml", "[server]\nport = \n", "line 2"), ("a.json", '{"server":\n {,}}', "line 2")]
)
def test_a_syntax_error_names_file_and_line(tmp_path: Path, name: str, text: str, line: str) -> None:
    with pytest.raises(BadSetting) as refused:
        from_file(write(tmp_path / name, text), NAMES)
    assert name in refused.value.message
    assert line in refused.value.message


def test_an_unknown_setting_names_file_line_and_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.toml", '# port first\n[log]\nlevel = "info"\n[server]\nprot = 1\n')
    with pytest.raises(UnknownSetting) as refused:
        from_file(path, NAMES)
    assert f"{path}, line 5" in refused.value.message
    assert refused.value.hint == "Did you mean 'server.port'?"


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownSetting, match="sever"):
        from_file(write(tmp_path / "a.toml", "[sever]\nport = 1\n"), NAMES)


def test_a_value_outside_of_sections_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownSetting, match="line 1"):
        from_file(write(tmp_path / "a.toml", "port = 1\n"), NAMES)


def test_a_bad_value_names_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.toml", '[server]\nport = "x"\n')
    with pytest.raises(BadSetting, match="line 2"):
        Settings.load(path, environ={}, dotenv=None)


def test_json_that_is_no_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting):
        from_file(write(tmp_path / "a.json", "[1]"), NAMES)


def test_dotenv_knows_quotes_comments_and_export(tmp_path: Path) -> None:
    path = write(tmp_path / ".env", '# c\nA=1\nexport B = two # c\nC="x y # z\\n"\nD=\'a "b"\'\nE=\n\n')
    assert read_dotenv(path) == {"A": "1", "B": "two", "C": "x y # z\n", "D": 'a "b"', "E": ""}


def test_a_broken_dotenv_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="line 2"):
        read_dotenv(write(tmp_path / ".env", "A=1\nnonsense\n"))


def test_a_misspelt_variable_is_refused_and_a_stranger_is_not() -> None:
    with pytest.raises(UnknownSetting, match="MASTRA_SERVER_PROT"):
        from_environment({"MASTRA_SERVER_PROT": "1"}, NAMES, "the environment")
    assert from_environment({"MASTRA_KERNEL": "avx2", "MASTRA_OF_ANOTHER": "1"}, NAMES, "the environment") == {}


@given(text=st.text(max_size=200), suffix=st.sampled_from([".toml", ".json"]))
def test_any_text_is_settings_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, text: str, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("any") / f"a{suffix}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    refusal = ""
    try:
        Settings.load(path, environ={}, dotenv=None)
    except MastraError as error:
        refusal = str(error)
    assert not refusal or str(path) in refusal
