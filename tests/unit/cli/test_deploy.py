"""`mastra deploy`: real files for every platform, and the command that is left."""

from __future__ import annotations

import io
import json
import stat
import sys
import tomllib
from collections.abc import Callable
from importlib import resources, util
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mastra.cli.deploy import TARGETS, make_plan
from mastra.cli.main import make_app


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(util.find_spec(module) is None, reason=f"{module} is missing: its schema was NOT tried")


def files(target: str) -> dict[str, str]:
    return make_plan(target, "shop", "app:mastra").files


def documents(text: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("ruamel.yaml")
    return list(yaml.YAML(typ="safe", pure=True).load_all(io.StringIO(text)))


@pytest.mark.parametrize("target", list(TARGETS))
def test_every_platform_gets_an_image_that_runs_without_rights(target: str) -> None:
    plan = make_plan(target, "shop", "app:mastra")
    image = plan.files["Dockerfile"]
    assert "USER 10001" in image
    assert 'CMD ["mastra", "start", "app:mastra"]' in image
    assert plan.command
    for line in image.splitlines():
        word = line.split()[0]
        assert word in {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}
        if word in {"CMD", "HEALTHCHECK"}:
            command = json.loads(line[line.index("[") :])
            assert all(isinstance(part, str) for part in command)
            if command[0] == "python":
                compile(command[2], "healthcheck", "exec")


@needs("check_jsonschema")
def test_compose_fits_the_compose_specification() -> None:
    import jsonschema  # noqa: PLC0415 - comes with check-jsonschema

    (made,) = documents(files("compose")["compose.yaml"])
    vendor = resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json")
    schema = json.loads(vendor.read_text(encoding="utf-8"))
    jsonschema.validate(made, schema)
    made["services"]["shop"]["ports"] = {"a": "b"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schema)


@needs("kubernetes_validate")
def test_kubernetes_gets_objects_that_its_own_schemas_know() -> None:
    import kubernetes_validate  # noqa: PLC0415 - the oracle

    made = documents(files("kubernetes")["k8s/app.yaml"])
    assert [one["kind"] for one in made] == ["Deployment", "PersistentVolumeClaim", "Service"]
    for one in made:
        kubernetes_validate.validate(one, "1.30", strict=True)
    made[0]["spec"]["replicas"] = "one"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(made[0], "1.30", strict=True)


@needs("cfnlint")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lambda_gets_a_template_that_cloudformation_accepts() -> None:
    from cfnlint.api import lint_all  # noqa: PLC0415 - the oracle

    def found(text: str) -> list[str]:
        # Errors and warnings; what is only advice begins with an I.
        return [match.rule.id for match in lint_all(text) if match.rule.id[0] in "EW"]

    template = files("lambda")["template.yaml"]
    assert not found(template)
    assert "Metadata: {Dockerfile: Dockerfile," in template
    assert found(template.replace("Timeout: 300", "Timeout: [x]"))


def test_fly_gets_valid_toml() -> None:
    made = tomllib.loads(files("fly")["fly.toml"])
    assert made["http_service"]["internal_port"] == int(made["env"]["PORT"]) == 4111
    assert made["http_service"]["checks"][0]["path"] == "/readyz"
    assert made["mounts"][0]["destination"] == "/data"
    # A machine that sleeps fires no schedule.
    assert made["http_service"]["auto_stop_machines"] == "off"


def test_render_gets_a_blueprint() -> None:
    (made,) = documents(files("render")["render.yaml"])
    (service,) = made["services"]
    assert (service["type"], service["runtime"], service["healthCheckPath"]) == ("web", "docker", "/readyz")
    assert service["disk"] == {"name": "data", "mountPath": "/data", "sizeGB": 1}


def test_cloudflare_gets_a_worker_in_front_of_its_container() -> None:
    made = files("cloudflare")
    config = json.loads(made["wrangler.json"])
    (container,) = config["containers"]
    (binding,) = config["durable_objects"]["bindings"]
    assert container["class_name"] == binding["class_name"] == config["migrations"][0]["new_sqlite_classes"][0]
    assert container["image"] == "./Dockerfile"
    worker = made[config["main"]]
    assert f"class {container['class_name']} extends Container" in worker
    assert f"env.{binding['name']}" in worker
    assert "@cloudflare/containers" in json.loads(made["package.json"])["dependencies"]


REASONS = {"vercel": "no containers", "netlify": "cannot run Python", "cloudflare": "cannot run compiled Python"}


@pytest.mark.parametrize(("platform", "reason"), list(REASONS.items()))
def test_a_platform_that_cannot_run_it_is_told_so(platform: str, reason: str) -> None:
    assert reason in make_plan(platform, "shop", "app:mastra").note


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`mastra deploy` in an empty folder, without a terminal."""
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    return lambda *arguments: CliRunner().invoke(make_app("deploy"), ["deploy", *arguments])


def test_the_platforms_tool_runs_where_it_is_wanted_and_there(
    deploy: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = deploy("--target", "kubernetes")
    assert done.exit_code == 0, done.output
    assert "wrote k8s/app.yaml" in done.stdout
    again = deploy("--target", "kubernetes")
    assert again.exit_code == 1
    assert "are there already: Dockerfile" in again.stderr
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    missing = deploy("--target", "kubernetes", "--force", "--run")
    assert missing.exit_code == 1
    assert "kubectl is not installed here" in missing.stderr
    tool = tools / "kubectl"
    tool.write_text(f'#!{sys.executable}\nimport sys; open("asked", "w").write(" ".join(sys.argv[1:]))\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    assert deploy("--target", "kubernetes", "--force").exit_code == 0
    assert not Path("asked").exists()
    ran = deploy("--target", "kubernetes", "--force", "--run", "--json")
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["command"] == "kubectl apply -f k8s/app.yaml"
    assert Path("asked").read_text() == "apply -f k8s/app.yaml"
    tool.write_text(f"#!{sys.executable}\nraise SystemExit(7)\n")
    failed = deploy("--target", "kubernetes", "--force", "--run")
    assert failed.exit_code == 1
    assert "kubectl ended with exit code 7" in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--target", "moon"], "There is no target 'moon'"),
        (["--target", "fly", "--name", "Bad Name: x"], "is no name for a service"),
        (["--target", "fly", "--app", 'app:mastra", "x'], "is no application"),
    ],
)
def test_a_wrong_use_is_told_and_nothing_written(
    deploy: Callable[..., Result], arguments: list[str], told: str
) -> None:
    done = deploy(*arguments)
    assert (done.exit_code, told in done.stderr) == (2, True), done.stderr
    assert not list(Path.cwd().iterdir())
