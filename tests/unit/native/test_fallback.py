"""Without the compiled core the framework runs on pure Python, and says so once."""

import subprocess
import sys

HIDDEN = "import sys; sys.modules['mastra._core'] = None\n"


def run(code, *options):
    return subprocess.run([sys.executable, *options, "-c", HIDDEN + code], capture_output=True, text=True, check=False)


def test_a_hidden_core_is_replaced_with_one_warning():
    done = run(
        "import mastra.native\n"
        "from mastra.native.sse import SseParser\n"
        "from mastra.native import build_info\n"
        "print(SseParser.__module__, SseParser().feed(b'data: 1\\n\\n')[0].data, build_info()['compiler'])"
    )
    assert done.stdout.split() == ["mastra.native.fallback.sse", "1", "none"]
    assert done.stderr.count("RuntimeWarning") == 1
    assert "a wheel for this platform" in done.stderr
