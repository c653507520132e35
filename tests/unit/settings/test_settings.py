from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from mastra.errors import BadSetting, UnknownSetting
from mastra.settings import Settings, describe


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults_need_nothing() -> None:
    settings = Settings.load(environ={})
    assert settings == Settings()
    assert settings.server.port == 4111


def test_later_sources_win(tmp_path: Path) -> None:
    (tmp_path / "mastra.toml").write_text('[server]\nport = 1\nhost = "a"\nworkers = 2\ndrain_s = 3\n')
    (tmp_path / ".env").write_text("MASTRA_SERVER_HOST=b\nMASTRA_SERVER_WORKERS=3\nMASTRA_SERVER_DRAIN_S=4\n")
    environ = {"MASTRA_SERVER_WORKERS": "4", "MASTRA_SERVER_DRAIN_S": "5"}
    server = Settings.load(environ=environ, arguments={"server.drain_s": 6.0, "server.port": None}).server
    assert (server.port, server.host, server.workers, server.drain_s) == (1, "b", 4, 6.0)


def test_json_is_read_like_toml(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"server": {"cors_origins": ["a", "b"]}, "log": {"level": "debug"}}))
    settings = Settings.load(path, environ={})
    assert settings.server.cors_origins == ("a", "b")
    assert settings.log.level == "debug"


def test_lists_come_from_the_environment_with_commas() -> None:
    settings = Settings.load(environ={"MASTRA_SERVER_CORS_ORIGINS": "https://a.example, https://b.example"})
    assert settings.server.cors_origins == ("https://a.example", "https://b.example")


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().server.port = 1  # type: ignore[misc]  # the refusal is the test


def test_secrets_do_not_print() -> None:
    settings = Settings.load(environ={"MASTRA_SERVER_TOKEN": "a-very-secret-token"})
    assert settings.server.token.reveal() == "a-very-secret-token"
    assert "a-very-secret-token" not in repr(settings) + json.dumps(settings.to_dict())


def test_an_argument_of_no_setting_is_refused() -> None:
    with pytest.raises(UnknownSetting, match=r"Did you mean 'server\.port'"):
        Settings.load(environ={}, arguments={"server.prt": 1})


def test_every_field_is_described() -> None:
    described = list(describe())
    assert len({item.name for item in described}) == len(described) > 15
    for item in described:
        assert item.meaning.endswith("."), item
        assert item.variable == "MASTRA_" + item.name.replace(".", "_").upper()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MASTRA_SERVER_PORT", "70000"),
        ("MASTRA_SERVER_PORT", "-1"),
        ("MASTRA_SERVER_PORT", "http"),
        ("MASTRA_SERVER_PORT", "80.5"),
        ("MASTRA_SERVER_PORT", ""),
        ("MASTRA_SERVER_DRAIN_S", "nan"),
        ("MASTRA_LOG_LEVEL", "loud"),
        ("MASTRA_SERVER_TIMEOUT_S", "0"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        Settings.load(environ={variable: value})
