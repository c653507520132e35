"""Says what is wrong with a cross-built wheel; when its tag tells the truth, only what auditwheel calls it.

python wheels/cross/check.py TARGET VERSION WHEEL       in an environment that has auditwheel and pyelftools
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from foreign import macos_complaints, windows_complaints
from symbols import complaints, fat, module_of, read_module
from targets import TARGETS, Target


def main(name: str, version: str, wheel: Path) -> list[str]:
    """Everything that is wrong."""
    target = TARGETS[name]
    module = module_of(wheel)
    if target.system == "Linux":
        machine = read_module(module).machine.removeprefix("EM_").lower()
        right = target.processor.startswith(machine)  # riscv is the name of both widths
        wrong = [] if right else [f"it is for {machine}, not for {target.processor}"]
        report = audit(wheel)
        print(called(report))
        return wrong + complaints(wheel, glibc=target.glibc) + audit_complaints(report, target)
    if target.system == "Windows":
        return fat(wheel) + windows_complaints(module, target.processor, version)
    return fat(wheel) + macos_complaints(module, target.processor, target.oldest)


def audit(wheel: Path) -> dict[str, Any]:
    """What auditwheel finds out by itself about a Linux wheel."""
    command = [sys.executable, "-m", "auditwheel", "show", "--json", wheel]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"auditwheel cannot read it: {(done.stderr or done.stdout).strip()[-300:]}")
    return dict(json.loads(done.stdout))


def called(report: dict[str, Any]) -> str:
    """The tag that it grants. Where no musl is installed it cannot find `libc.so`: then the symbols alone decide."""
    return str(report["sym_tag" if report.get("external_libs") == {"libc.so": None} else "overall_tag"])


def audit_complaints(report: dict[str, Any], target: Target) -> list[str]:
    """Where auditwheel's tag is narrower than that of the target."""
    out = ["auditwheel: it needs instructions that not every such processor has"] if report["unsupported_isa"] else []
    kind, _, oldest = target.tag.removesuffix(f"_{target.processor}").partition("_")
    found = re.fullmatch(rf"{kind}_(\d+)_(\d+)_{target.processor}", called(report))
    if not found or (int(found[1]), int(found[2])) > tuple(map(int, oldest.split("_"))):
        out.append(f"auditwheel calls it {called(report)}")
    return out


if __name__ == "__main__":
    sys.exit("; ".join(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))) or None)
