"""The stub of the compiled core is generated and says what the extension says."""

import subprocess
import sys
from pathlib import Path

STUB = Path(__file__).parents[2] / "python" / "mastra" / "_core.pyi"
COMMAND = "pybind11-stubgen mastra._core --output-dir python"


def test_the_committed_stub_is_the_generated_one(tmp_path):
    made = subprocess.run(
        [sys.executable, "-m", "pybind11_stubgen", "mastra._core", "--output-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert made.stderr == "", "stubgen could not read a signature"
    assert STUB.read_text() == (tmp_path / "mastra" / "_core.pyi").read_text(), f"run: {COMMAND}"
