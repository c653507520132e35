"""The verbs of this repository: `nox -l` lists them, `nox -s lint types` runs some, `nox` runs the quick ones.

Sessions run in the environment that nox was started from: CONTRIBUTING.md says how to make it.
"""

from __future__ import annotations

import sys

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "layers", "tests"]
nox.options.reuse_existing_virtualenvs = True


def python(session: nox.Session, *arguments: str, **options: object) -> None:
    session.run(sys.executable, "-m", *arguments, external=True, **options)  # type: ignore[arg-type]


@nox.session
def setup(session: nox.Session) -> None:
    """Install the package in place with everything that the other verbs need."""
    python(session, "pip", "install", "-q", "--group", "dev", "scikit-build-core", "pybind11", "cmake", "ninja")
    python(session, "pip", "install", "-q", "--no-build-isolation", "-e", ".[all]")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff, every rule, and its formatter; `nox -s lint -- --fix` mends what it can."""
    python(session, "ruff", "check", ".", *session.posargs)
    python(session, "ruff", "format", *(() if "--fix" in session.posargs else ("--check",)), ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict and pyright."""
    python(session, "mypy")
    python(session, "pyright", "--pythonpath", sys.executable)


@nox.session
def layers(session: nox.Session) -> None:
    """The import contracts and the other guards of the shape."""
    python(session, "pytest", "tests/architecture", "-q", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The default tests: fast, no services, no network."""
    python(session, "pytest", "-n", "2", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that take longer: crashes, large inputs, builds."""
    python(session, "pytest", "-n", "2", "-m", "slow and not service and not soak", *session.posargs)


@nox.session
def pythons(session: nox.Session) -> None:
    """Build, install and try the wheel on every Python of this machine; some minutes for each."""
    python(session, "pytest", "-m", "soak", "tests/wheels/test_distribution.py", *session.posargs)


@nox.session
def services(session: nox.Session) -> None:
    """The tests that need a server on this machine; `.ci/services` starts what is installed."""
    python(session, "pytest", "-m", "service and not soak", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Run every fence of the README and the documentation."""
    python(session, "pytest", "tests/docs", "-q", *session.posargs)


@nox.session
def cpp(session: nox.Session) -> None:
    """The C++ unit tests; `nox -s cpp -- asan` or `-- tsan` builds them with sanitizers."""
    for preset in session.posargs or ["dev"]:
        session.run("cmake", "--preset", preset, external=True)
        session.run("cmake", "--build", "--preset", preset, "--parallel", "2", external=True)
        # Seven minutes of one test under TSan on a slow machine are no fault.
        session.run("ctest", "--preset", preset, "--timeout", "1200", external=True)


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks named on the command line, e.g. `nox -s bench -- imports`."""
    for name in session.posargs or ["imports"]:
        session.run(sys.executable, f"bench/bench_{name}.py", external=True)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel and the source distribution of this machine into dist/."""
    python(session, "pip", "wheel", "--no-deps", "-w", "dist", ".")
    python(session, "pip", "install", "build")
    python(session, "build", "--sdist")
