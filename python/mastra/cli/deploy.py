"""`mastra deploy`: the files that a platform wants, and the one command that is left to type."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from mastra.cli.options import AsJson
from mastra.cli.output import Exit, emit, fail

PYTHON_IMAGE = "python:3.12-slim"


class Plan(NamedTuple):
    """What a platform gets: files, the command of its own tool (or what else is left to do), what has to be known."""

    files: dict[str, str]
    command: str
    note: str = ""
    # Whether `command` is one that can be run from here.
    runs: bool = True


def deploy(
    *,
    target: Annotated[str, typer.Option(help="docker, compose, kubernetes, fly, render, cloudrun, lambda, ...")],
    name: Annotated[str | None, typer.Option(help="The name of the service; without it that of the folder.")] = None,
    app: Annotated[str, typer.Option(help="The application, as module:attribute.")] = "app:mastra",
    force: Annotated[bool, typer.Option(help="Replace files that are there.")] = False,
    run: Annotated[
        bool | None, typer.Option("--run/--no-run", help="Run the platform's tool; a terminal is asked.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the files that a platform needs, and run its tool. What is deployed must have auth: all can reach it."""
    if target not in TARGETS:
        raise fail(f"There is no target {target!r}.", f"Known: {', '.join(TARGETS)}.", Exit.USAGE)
    service = name or re.sub(r"[^a-z0-9-]+", "-", Path.cwd().name.lower()).strip("-")[:40].strip("-") or "app"
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", service):
        raise fail(
            f"{service!r} is no name for a service.",
            "Use --name with at most 40 lower-case letters, digits and dashes, a letter first.",
            Exit.USAGE,
        )
    if not re.fullmatch(r"[A-Za-z0-9_./-]+:[A-Za-z_][A-Za-z0-9_]*", app):
        raise fail(f"{app!r} is no application.", "Write module:attribute, such as app:mastra.", Exit.USAGE)
    plan = make_plan(target, service, app)
    taken = [file for file in plan.files if Path(file).exists()]
    if taken and not force:
        raise fail(f"These files are there already: {', '.join(taken)}.", "Use --force to replace them.")
    for file, text in plan.files.items():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text, encoding="utf-8")
    if as_json:
        emit({"target": target, "files": sorted(plan.files), "command": plan.command, "note": plan.note})
    else:
        for file in sorted(plan.files):
            typer.echo(f"wrote {file}")
        if plan.note:
            typer.echo(f"\n{plan.note}")
        typer.echo(f"\n  {plan.command}")
    if plan.runs:
        _run_tool(plan.command, wanted=False if as_json and run is None else run)


def _run_tool(command: str, *, wanted: bool | None) -> None:
    """Run the platform's tool where it is present and wanted; a terminal is asked, a script is not."""
    tool = shlex.split(command)[0]
    present = shutil.which(tool) is not None
    if wanted and not present:
        raise fail(f"{tool} is not installed here; the files are written.", f"Install it, then type: {command}")
    if wanted is None:
        wanted = present and sys.stdin.isatty() and typer.confirm("\nRun it now?", default=False)
    for part in command.split(" && ") if wanted else ():
        code = subprocess.run(shlex.split(part), check=False).returncode  # noqa: S603 - what was shown above
        if code != 0:
            raise fail(f"{tool} ended with exit code {code}.", f"The files are written; type: {command}")


def make_plan(target: str, service: str, app: str) -> Plan:
    """The plan for a platform."""
    return TARGETS[target](service, app)


def dockerfile(app: str, *, built: bool = False, wheels: bool = False, image: str = PYTHON_IMAGE) -> str:
    """A small image that runs as a user without rights. `built`: for the folder that `mastra build` writes."""
    if built:
        index = " --no-index --find-links /wheels" if wheels else ""
        mount = "--mount=type=bind,source=wheels,target=/wheels " if wheels else ""
        install = (
            "COPY requirements.lock ./\n"
            f"RUN {mount}pip install --no-cache-dir{index} -r requirements.lock\n"
            "COPY app ./\n"
        )
    else:
        install = "COPY . ./\nRUN pip install --no-cache-dir .\n"
    return (
        f"FROM {image}\nWORKDIR /app\n{install}"
        "RUN useradd --system --uid 10001 app && mkdir -p /data && chown app /data\nUSER 10001\n"
        "ENV MASTRA_HOST=0.0.0.0 PORT=4111\nVOLUME /data\nEXPOSE 4111\n"
        'HEALTHCHECK CMD ["python", "-c", '
        '"import os, urllib.request as r; r.urlopen(f\'http://127.0.0.1:{os.environ[\\"PORT\\"]}/livez\')"]\n'
        f'CMD ["mastra", "start", "{app}"]\n'
    )


_IGNORE = ".git\n.venv\n__pycache__\n*.db*\n.env\ndist\n"


def _image(app: str) -> dict[str, str]:
    return {"Dockerfile": dockerfile(app), ".dockerignore": _IGNORE}


def _docker(service: str, app: str) -> Plan:
    return Plan(_image(app), f"docker build -t {service} . && docker run -p 4111:4111 -v {service}:/data {service}")


def _compose(service: str, app: str) -> Plan:
    text = (
        f"services:\n  {service}:\n    build: .\n    ports: ['4111:4111']\n    volumes: ['data:/data']\n"
        "    env_file: [{path: .env, required: false}]\n"
        "    restart: unless-stopped\n    stop_grace_period: 30s\n    read_only: true\n"
        "    tmpfs: [/tmp]\n    security_opt: ['no-new-privileges:true']\nvolumes:\n  data:\n"
    )
    return Plan({**_image(app), "compose.yaml": text}, "docker compose up --build")


def _kubernetes(service: str, app: str) -> Plan:
    text = f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {service}
spec:
  replicas: 1
  selector:
    matchLabels: {{app: {service}}}
  template:
    metadata:
      labels: {{app: {service}}}
    spec:
      terminationGracePeriodSeconds: 60
      securityContext: {{runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001}}
      containers:
        - name: {service}
          image: {service}:latest
          ports: [{{containerPort: 4111}}]
          envFrom: [{{secretRef: {{name: {service}}}}}]
          livenessProbe: {{httpGet: {{path: /livez, port: 4111}}}}
          readinessProbe: {{httpGet: {{path: /readyz, port: 4111}}}}
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits: {{memory: 512Mi}}
          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
          volumeMounts: [{{name: data, mountPath: /data}}]
      volumes:
        - name: data
          persistentVolumeClaim: {{claimName: {service}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {service}
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 1Gi}}}}
---
apiVersion: v1
kind: Service
metadata:
  name: {service}
spec:
  selector: {{app: {service}}}
  ports: [{{port: 80, targetPort: 4111}}]
"""
    note = "One replica owns the SQLite volume; for more, use a PostgreSQL storage and drop the volume."
    return Plan({**_image(app), "k8s/app.yaml": text}, "kubectl apply -f k8s/app.yaml", note)


def _fly(service: str, app: str) -> Plan:
    text = (
        f'app = "{service}"\n\n[build]\n\n[env]\nMASTRA_HOST = "0.0.0.0"\nPORT = "4111"\n\n[http_service]\n'
        # A machine that sleeps fires no schedule and wakes for no timer of a workflow.
        'internal_port = 4111\nforce_https = true\nauto_stop_machines = "off"\nmin_machines_running = 1\n\n'
        '[[http_service.checks]]\ngrace_period = "10s"\nmethod = "GET"\npath = "/readyz"\ninterval = "15s"\n'
        'timeout = "3s"\n\n[[mounts]]\nsource = "data"\ndestination = "/data"\n'
    )
    return Plan({**_image(app), "fly.toml": text}, "fly launch --copy-config --now")


def _render(service: str, app: str) -> Plan:
    text = (
        f"services:\n  - type: web\n    name: {service}\n    runtime: docker\n    plan: starter\n"
        "    healthCheckPath: /readyz\n    disk: {name: data, mountPath: /data, sizeGB: 1}\n"
        "    envVars:\n      - {key: MASTRA_HOST, value: 0.0.0.0}\n"
    )
    left = "push the repository, then open https://dashboard.render.com/blueprints"
    return Plan({**_image(app), "render.yaml": text}, left, "A disk needs a paid plan.", runs=False)


def _cloudrun(service: str, app: str) -> Plan:
    command = f"gcloud run deploy {service} --source . --port 4111 --no-allow-unauthenticated"
    return Plan(_image(app), command, "Its disk does not last: use a PostgreSQL storage.")


def _lambda(service: str, app: str) -> Plan:
    adapter = (
        "COPY --from=public.ecr.aws/awsguru/aws-lambda-adapter:0.9.1 /lambda-adapter /opt/extensions/lambda-adapter"
    )
    image = dockerfile(app).replace("WORKDIR /app\n", f"WORKDIR /app\n{adapter}\nENV AWS_LWA_PORT=4111\n", 1)
    template = """AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  App:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      MemorySize: 1024
      Timeout: 300
      Environment:
        Variables: {AWS_LWA_INVOKE_MODE: response_stream, AWS_LWA_READINESS_CHECK_PATH: /livez}
      FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ., DockerTag: latest}
Outputs:
  Url: {Value: !GetAtt AppUrl.FunctionUrl}
"""
    files = {"Dockerfile": image, ".dockerignore": _IGNORE, "template.yaml": template}
    note = (
        "It runs as a container image with the web adapter. Its disk does not last and it sleeps between requests: "
        "use a PostgreSQL storage, and no schedules."
    )
    return Plan(files, f"sam build && sam deploy --guided --stack-name {service}", note)


def _cloudflare(service: str, app: str) -> Plan:
    config = {
        "name": service,
        "main": "worker.js",
        "compatibility_date": "2025-10-01",
        "containers": [{"class_name": "App", "image": "./Dockerfile", "max_instances": 1}],
        "durable_objects": {"bindings": [{"name": "APP", "class_name": "App"}]},
        "migrations": [{"tag": "v1", "new_sqlite_classes": ["App"]}],
    }
    worker = """// Hands every request to the container with the Python server.
import { Container, getContainer } from "@cloudflare/containers";

export class App extends Container {
  defaultPort = 4111;
  sleepAfter = "30m";
}

export default { fetch: (request, env) => getContainer(env.APP).fetch(request) };
"""
    package = {"name": service, "private": True, "type": "module", "dependencies": {"@cloudflare/containers": "^0.3.7"}}
    files = {
        **_image(app),
        "wrangler.json": json.dumps(config, indent=2) + "\n",
        "worker.js": worker,
        "package.json": json.dumps(package, indent=2) + "\n",
    }
    note = (
        "Workers cannot run compiled Python packages; Cloudflare Containers can, behind a small Worker. "
        "Their disk does not last: use a PostgreSQL storage."
    )
    return Plan(files, "npm install && npx wrangler deploy", note)


def _vercel(service: str, app: str) -> Plan:
    note = (
        "Vercel has no containers, and its functions end with their answer: runs in the background, schedules and "
        "SQLite have no place there. The image runs on fly, render or cloudrun; point Vercel's pages at it."
    )
    return Plan(_image(app), f"mastra deploy --target fly --name {service} --force", note, runs=False)


def _netlify(service: str, app: str) -> Plan:
    note = (
        "Netlify has no containers, and its functions cannot run Python, compiled or not. The image runs on render, "
        "fly or cloudrun; point Netlify's pages at it."
    )
    return Plan(_image(app), f"mastra deploy --target render --name {service} --force", note, runs=False)


TARGETS = {
    "docker": _docker,
    "compose": _compose,
    "kubernetes": _kubernetes,
    "fly": _fly,
    "render": _render,
    "cloudrun": _cloudrun,
    "lambda": _lambda,
    "vercel": _vercel,
    "netlify": _netlify,
    "cloudflare": _cloudflare,
}
