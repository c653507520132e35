"""Cross-builds wheels on an x86-64 Linux machine, from packages of PyPI alone: no container, no foreign compiler.

    python wheels/cross/build.py --target aarch64-linux-gnu --smoke
    python wheels/cross/build.py --all --smoke --json wheels/matrix.json

The compiler is zig, which comes as a package and carries the C libraries of every target. Each wheel is tagged, its
symbols are checked against the tag, and with --smoke it is installed and run: natively, or under qemu.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from objects import build_complaints  # noqa: E402 - a script's neighbours
from targets import TARGETS, Target  # noqa: E402 - the same
from toolchain import (  # noqa: E402 - the same
    ROOT,
    NotHere,
    build_environment,
    interpreter_facts,
    plain_headers,
    tools,
    write_toolchain,
)

# What a developer's shell may set and the build must not hear: zig keeps what it compiled by itself, and a launcher
# would have it preprocess everything once more.
LEFT_OUT = {"CMAKE_C_COMPILER_LAUNCHER", "CMAKE_CXX_COMPILER_LAUNCHER", "CFLAGS", "CPPFLAGS", "LDFLAGS"}


@dataclass(slots=True)
class Row:
    """One line of the matrix."""

    target: str
    python: str
    wheel: str = ""
    size: int = 0
    built: str = "no"
    checked: str = "no"
    # What auditwheel calls a Linux wheel.
    audit: str = ""
    ran: str = "no"
    kernel: str = ""
    seconds: float = 0.0
    note: str = ""


def source_date() -> str:
    """The moment of the last commit: the same commit gives the same bytes."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return os.environ["SOURCE_DATE_EPOCH"]
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "1700000000"


def build(target: Target, python: Path, work: Path, out: Path) -> Path:
    """One wheel, tagged."""
    tool = tools(work, python)
    version, include = interpreter_facts(python)
    folder = work / f"{target.name}-{version}"
    toolchain = write_toolchain(target, tool, folder)
    library = None
    if target.system == "Windows":
        from roots import PYTHON_SOURCE, python_source  # noqa: PLC0415 - needs apt, only for this
        from windows import import_library, windows_headers  # noqa: PLC0415 - the same

        if version != PYTHON_SOURCE:
            raise NotHere(f"the Windows headers come from the sources of Python {PYTHON_SOURCE}, not of {version}")
        headers = windows_headers(python_source(work), folder)
        library = import_library(headers, tool, version, target.processor, folder)
    else:
        headers = plain_headers(python, include, folder)
    environment = {
        **{name: value for name, value in os.environ.items() if name not in LEFT_OUT},
        **build_environment(target, toolchain, headers, version, library),
        "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}",
        "SOURCE_DATE_EPOCH": source_date(),
        # Paths of this machine must not get into the objects.
        "CXXFLAGS": f"-ffile-prefix-map={ROOT}=. -ffile-prefix-map={work}=.",
    }
    dist = folder / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    command = [tool, "-m", "build", "--wheel", "--no-isolation", "-o", dist, f"-Cbuild-dir={folder}/build", ROOT]
    with (folder / "build.log").open("w", encoding="utf-8") as log:
        done = subprocess.run(command, env=environment, check=False, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        lines = (folder / "build.log").read_text(encoding="utf-8").splitlines()
        told = [line for line in lines if "error" in line.lower()] or lines
        sys.exit("\n".join([f"the build failed, see {folder}/build.log", *told[:5]]))
    (raw,) = dist.glob("*.whl")
    tags = target.tag if target.glibc != (2, 17) else f"{target.tag}.manylinux2014_{target.processor}"
    subprocess.run([tool, "-m", "wheel", "tags", "--remove", f"--platform-tag={tags}", raw],
                   check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    (tagged,) = dist.glob("*.whl")
    subprocess.run([tool, ROOT / "wheels" / "sbom.py", tagged], check=True, env=environment)
    out.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy2(tagged, out / tagged.name))


def check(target: Target, wheel: Path, python: Path, work: Path) -> str:
    """Stop when the wheel's tag does not tell the truth; what auditwheel calls it."""
    version, _ = interpreter_facts(python)
    # What disassembles them here reads objects of x86-64 Linux and Windows.
    readable = target.processor in {"x86_64", "AMD64"} and target.system != "Darwin"
    if readable and (wrong := build_complaints(work / f"{target.name}-{version}" / "build")):
        sys.exit("; ".join(wrong))
    # In the environment of the tools, which has what reads these files.
    command = [tools(work, python), HERE / "check.py", target.name, version, wheel.absolute()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the wheel's tag does not fit: {done.stderr.strip()}")
    return done.stdout.strip()


def run_one(target: Target, python: Path, work: Path, out: Path, *, smoke: bool) -> Row:
    """Build, check and run one wheel; what failed is in the row."""
    began = time.monotonic()
    row = Row(target.name, interpreter_facts(python)[0], note=target.why_not)
    try:
        wheel = build(target, python, work, out)
        row.wheel, row.size, row.built = wheel.name, wheel.stat().st_size, "yes"
        row.audit = check(target, wheel, python, work)
        row.checked = "yes"
        if smoke and target.runs != "no":
            from roots import run_smoke  # noqa: PLC0415 - needs apt and qemu, only for this

            row.kernel = run_smoke(target, wheel, python, work)
            row.ran = "natively" if target.runs == "native" else f"under {target.runs}"
    except NotHere as reason:
        row.note = str(reason)
    except (subprocess.CalledProcessError, SystemExit, OSError) as error:
        row.note = f"{error}"[:300]
        if row.built != "yes":
            row.built = "FAILED"
        elif row.checked != "yes":
            row.checked = "FAILED"
        else:
            row.ran = "FAILED"
    row.seconds = round(time.monotonic() - began, 1)
    return row


def record(rows: list[Row], file: Path) -> None:
    """Put the rows into the matrix, in place of older ones of the same target and Python."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    matrix = {(row["target"], row["python"]): row for row in known}
    matrix |= {(row.target, row.python): asdict(row) for row in rows}
    order = list(TARGETS)
    kept = sorted(matrix.values(), key=lambda row: (order.index(row["target"]), row["python"]))
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), default=[])
    parser.add_argument("--all", action="store_true", help="every target")
    parser.add_argument("--smoke", action="store_true", help="install and run what can be run here")
    parser.add_argument("--python", action="append", type=Path, default=[], help="build for these interpreters")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "cross")
    parser.add_argument("--out", type=Path, default=ROOT / "wheelhouse")
    parser.add_argument("--json", type=Path, help="write the rows into this matrix")
    options = parser.parse_args()
    names = list(TARGETS) if options.all else options.target
    if not names:
        parser.error("name a --target, or --all")
    rows = []
    for python in options.python or [Path(sys.executable)]:
        for name in names:
            row = run_one(TARGETS[name], python.absolute(), options.work.absolute(), options.out, smoke=options.smoke)
            rows.append(row)
            if options.json:
                record([row], options.json)
            print(f"{row.target:20} cp{row.python} built {row.built:6} checked {row.checked:6} {row.audit:22} "
                  f"ran {row.ran:10} {row.kernel:12} {row.size:>9,} B {row.seconds:6.1f} s  {row.note}",
                  flush=True)  # fmt: skip
    return any("FAILED" in (row.built, row.checked, row.ran) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
