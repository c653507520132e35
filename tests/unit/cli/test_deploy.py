"""`mastra deploy`: real files for every platform, and the command that is left."""

import tomllib

import pytest

from mastra.cli.deploy import TARGETS, make_plan


@pytest.mark.parametrize("target", list(TARGETS))
def test_every_platform_gets_an_image_that_runs_without_rights(target):
    plan = make_plan(target, "shop", "app:mastra")
    image = plan.files["Dockerfile"]
    assert "USER 10001" in image
    assert 'CMD ["mastra", "start", "app:mastra"]' in image
    assert plan.command


def test_fly_gets_valid_toml():
    made = tomllib.loads(make_plan("fly", "shop", "app:mastra").files["fly.toml"])
    assert made["http_service"]["internal_port"] == 4111
    assert made["mounts"]["destination"] == "/data"


@pytest.mark.parametrize("platform", ["vercel", "netlify", "cloudflare"])
def test_a_platform_without_compiled_python_is_told_so(platform):
    assert "cannot run compiled Python" in make_plan(platform, "shop", "app:mastra").note
