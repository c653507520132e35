"""Says what is wrong with a cross-built wheel; silent when its tag tells the truth.

python wheels/cross/check.py TARGET VERSION WHEEL       in an environment that has pyelftools
"""

from __future__ import annotations

import sys
from pathlib import Path

from foreign import macos_complaints, windows_complaints
from symbols import complaints, fat, module_of, read_module
from targets import TARGETS


def main(name: str, version: str, wheel: Path) -> list[str]:
    """Everything that is wrong."""
    target = TARGETS[name]
    module = module_of(wheel)
    if target.system == "Linux":
        machine = read_module(module).machine.removeprefix("EM_").lower()
        right = target.processor.startswith(machine)  # riscv is the name of both widths
        wrong = [] if right else [f"it is for {machine}, not for {target.processor}"]
        return wrong + complaints(wheel, glibc=target.glibc)
    if target.system == "Windows":
        return fat(wheel) + windows_complaints(module, target.processor, version)
    return fat(wheel) + macos_complaints(module, target.processor, target.oldest)


if __name__ == "__main__":
    sys.exit("; ".join(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))) or None)
