"""`mastra deploy`: the files that a platform wants, and the one command that is left to type."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from mastra.cli.options import AsJson
from mastra.cli.output import Exit, emit, fail

PYTHON_IMAGE = "python:3.12-slim"


class Plan(NamedTuple):
    """What a platform gets: files, the command to type, and what has to be known."""

    files: dict[str, str]
    command: str
    note: str = ""


def deploy(
    *,
    target: Annotated[str, typer.Option(help="docker, compose, kubernetes, fly, render, cloudrun, lambda, ...")],
    name: Annotated[str | None, typer.Option(help="The name of the service; without it that of the folder.")] = None,
    app: Annotated[str, typer.Option(help="The application, as module:attribute.")] = "app:mastra",
    force: Annotated[bool, typer.Option(help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the files that a platform needs. What is deployed must have auth: it listens for everybody."""
    if target not in TARGETS:
        raise fail(f"There is no target {target!r}.", f"Known: {', '.join(TARGETS)}.", Exit.USAGE)
    service = name or re.sub(r"[^a-z0-9-]+", "-", Path.cwd().name.lower()).strip("-") or "app"
    plan = make_plan(target, service, app)
    taken = [file for file in plan.files if Path(file).exists()]
    if taken and not force:
        raise fail(f"These files are there already: {', '.join(taken)}.", "Use --force to replace them.")
    for file, text in plan.files.items():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text, encoding="utf-8")
    if as_json:
        emit({"target": target, "files": sorted(plan.files), "command": plan.command, "note": plan.note})
        return
    for file in sorted(plan.files):
        typer.echo(f"wrote {file}")
    if plan.note:
        typer.echo(f"\n{plan.note}")
    typer.echo(f"\n  {plan.command}")


def make_plan(target: str, service: str, app: str) -> Plan:
    """The plan for a platform."""
    return TARGETS[target](service, app)


def dockerfile(app: str, *, wheels: bool = False) -> str:
    """A small image that runs as a user without rights. With `wheels`, for the folder that `mastra build` writes."""
    if wheels:
        install = (
            "COPY requirements.lock ./\nCOPY wheels ./wheels\n"
            "RUN pip install --no-cache-dir --no-index --find-links wheels -r requirements.lock\n"
            "COPY app ./\n"
        )
    else:
        install = "COPY . ./\nRUN pip install --no-cache-dir .\n"
    return (
        f"FROM {PYTHON_IMAGE}\nWORKDIR /app\n{install}"
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
        "    env_file: [.env]\n    restart: unless-stopped\n    stop_grace_period: 30s\n    read_only: true\n"
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
        'internal_port = 4111\nforce_https = true\nauto_stop_machines = "suspend"\nauto_start_machines = true\n\n'
        '[[http_service.checks]]\npath = "/readyz"\ninterval = "15s"\ntimeout = "2s"\n\n[mounts]\n'
        'source = "data"\ndestination = "/data"\n'
    )  # fmt: skip
    return Plan({**_image(app), "fly.toml": text}, "fly launch --copy-config --now")


def _render(service: str, app: str) -> Plan:
    text = (
        f"services:\n  - type: web\n    name: {service}\n    runtime: docker\n    healthCheckPath: /readyz\n"
        "    disk: {name: data, mountPath: /data, sizeGB: 1}\n"
        "    envVars:\n      - {key: MASTRA_HOST, value: 0.0.0.0}\n"
    )
    return Plan({**_image(app), "render.yaml": text}, "render blueprint launch")


def _cloudrun(service: str, app: str) -> Plan:
    command = f"gcloud run deploy {service} --source . --port 4111 --no-allow-unauthenticated"
    return Plan(_image(app), command, "Its disk does not last: use a PostgreSQL storage.")


def _lambda(service: str, app: str) -> Plan:
    adapter = (
        "COPY --from=public.ecr.aws/awsguru/aws-lambda-adapter:0.9.1 /lambda-adapter /opt/extensions/lambda-adapter"
    )
    text = dockerfile(app).replace("WORKDIR /app\n", f"WORKDIR /app\n{adapter}\nENV AWS_LWA_PORT=4111\n", 1)
    files = {"Dockerfile": text, ".dockerignore": _IGNORE}
    note = "It runs as a container image with the web adapter. Its disk does not last: use a PostgreSQL storage."
    return Plan(files, f"docker build -t {service} . && aws lambda create-function --package-type Image ...", note)


def _no_compiled_python(platform: str, product: str, then: str) -> Callable[[str, str], Plan]:
    def plan(service: str, app: str) -> Plan:
        note = f"{platform}'s functions cannot run compiled Python packages of this size; {product} can."
        return Plan(_image(app), then.format(service=service), note)

    return plan


TARGETS = {
    "docker": _docker,
    "compose": _compose,
    "kubernetes": _kubernetes,
    "fly": _fly,
    "render": _render,
    "cloudrun": _cloudrun,
    "lambda": _lambda,
    "vercel": _no_compiled_python("Vercel", "a container host (fly, render, cloudrun)", "mastra deploy --target fly"),
    "netlify": _no_compiled_python("Netlify", "a container host (fly, render)", "mastra deploy --target render"),
    "cloudflare": _no_compiled_python(
        "Cloudflare", "Cloudflare Containers", "npx wrangler containers build -t {service} ."
    ),
}
