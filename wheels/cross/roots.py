"""Foreign file systems to run wheels in: Debian's arm64 packages unpacked into a folder, and a Python built for musl.

Nothing is installed on this machine: packages are downloaded by apt into the work folder and unpacked there.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from targets import TARGETS, Target
from toolchain import ROOT, NotHere, interpreter_facts, script, tools, write_toolchain

DEBIAN_ARCH = {"aarch64": "arm64", "x86_64": "amd64"}
# The suite that has that version.
SUITES = {"311": "bookworm", "313": "trixie", "314": "forky"}
# The version whose sources Debian's bookworm carries: for a Python with musl, and for the headers of Windows.
PYTHON_SOURCE = "311"
SMOKE = ROOT / "wheels" / "smoke.py"


def run_smoke(target: Target, wheel: Path, python: Path, work: Path) -> str:
    """Install the wheel with its dependencies and run smoke.py; the name of the kernel that was active."""
    version, _ = interpreter_facts(python)
    musl = target.glibc is None
    if target.runs == "native" and not musl:
        return _in_venv(wheel, python, work)
    if target.runs == "wine":
        from wine import run_smoke_in_wine  # noqa: PLC0415 - it takes its Debian root from here

        return run_smoke_in_wine(wheel, python, version, work)
    command, environment = (musl_python if musl else debian_python)(target, python, version, work)
    site = work / f"site-{target.name}-{version}"
    shutil.rmtree(site, ignore_errors=True)
    libc = ["musllinux_1_2", "musllinux_1_1"] if musl else ["manylinux_2_28", "manylinux_2_17", "manylinux2014"]
    platforms = [part for name in libc for part in ("--platform", f"{name}_{target.processor}")]
    subprocess.run(
        [tools(work, python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", site,
         "--only-binary", ":all:", "--python-version", f"{version[0]}.{version[1:]}", "--implementation", "cp",
         *platforms, wheel], check=True)  # fmt: skip
    runner = "\n".join(map(str, command))
    return kernel_of([*command, SMOKE], {**environment, "PYTHONPATH": str(site), "SMOKE_RUNNER": runner})


def _in_venv(wheel: Path, python: Path, work: Path) -> str:
    venv = work / f"venv-{wheel.name.split('-')[2]}"
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([python, "-m", "venv", venv], check=True)
    subprocess.run(
        [venv / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel], check=True
    )
    return kernel_of([str(venv / "bin/python"), "-P", str(SMOKE)], {})


def kernel_of(command: list[str | Path], environment: dict[str, str], seconds: float = 1800) -> str:
    """Run the proof; the kernel that it says it used."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MASTRA_"))}
    try:
        done = subprocess.run(command, env={**inherited, **environment}, capture_output=True, text=True, check=False,
                              timeout=seconds, cwd="/")  # fmt: skip
    except subprocess.TimeoutExpired:
        sys.exit(f"smoke.py did not end within {seconds} s")
    print(done.stdout, done.stderr, sep="", flush=True)
    if done.returncode:
        sys.exit(f"smoke.py failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
    found = re.search(r"^kernel: (\S+)", done.stdout, re.MULTILINE)
    return found[1] if found else "?"


def qemu(machine: str) -> list[str | Path]:
    """The emulator of that machine; nothing when this is one."""
    if machine == platform.machine():
        return []
    emulator = shutil.which(f"qemu-{machine}-static") or shutil.which(f"qemu-{machine}")
    if emulator is None:
        raise NotHere(f"qemu-{machine} is not installed: apt-get install qemu-user-static")
    return [emulator]


def debian_root(name: str, arch: str, suite: str, packages: list[str], work: Path) -> Path:
    """The packages and what they need, unpacked into a folder."""
    root = work / f"root-{name}"
    if (root / "ready").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    state = work / f"apt-{name}"
    (state / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
    (state / "status").write_text("")
    options = [
        *apt_sources(state, suite, "deb"),
        f"-oAPT::Architecture={arch}",
        f"-oAPT::Architectures={arch}",
        f"-oDir::Cache={state}/cache",
        f"-oDir::State::status={state}/status",
    ]
    quietly(["apt-get", *options, "-qq", "update"])
    install = ["-qq", "-y", "--download-only", "--no-install-recommends", "install"]
    quietly(["apt-get", *options, *install, *packages])
    for package in (state / "cache" / "archives").glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    for link in ("lib", "lib64", "bin", "sbin"):
        if not (root / link).exists() and not (root / link).is_symlink():
            (root / link).symlink_to(f"usr/{link}")
    (root / "ready").write_text("")
    return root


def apt_sources(state: Path, suite: str, kind: str) -> list[str]:
    """Options that let apt look at one Debian suite, with all its state in a folder of ours."""
    installed = Path("/etc/apt/sources.list.d/debian.sources")
    if not installed.exists():
        raise NotHere("no Debian sources on this machine: a foreign root cannot be made")
    entry = installed.read_text(encoding="utf-8").split("\n\n", maxsplit=1)[0]
    for field, value in (("Types", kind), ("Suites", suite), ("Components", "main")):
        entry = re.sub(rf"^{field}:.*$", f"{field}: {value}", entry, flags=re.MULTILINE)
    for folder in ("lists/partial", "sources"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "sources" / "x.sources").write_text(entry + "\n", encoding="utf-8")
    places = (
        f"Dir::Etc::sourceparts={state}/sources",
        "Dir::Etc::sourcelist=/dev/null",
        f"Dir::State::Lists={state}/lists",
    )
    return [f"-o{option}" for option in (*places, "Debug::NoLocking=1", "Acquire::Retries=3")]


def quietly(
    command: list[str | Path],
    *,
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
    log: Path | None = None,
) -> None:
    """Run it; what it says goes to the log, or nowhere."""
    with (log or Path(os.devnull)).open("a", encoding="utf-8") as output:
        subprocess.run(command, cwd=cwd, env=environment, stdout=output, stderr=output, check=True)


def debian_python(target: Target, python: Path, version: str, work: Path) -> tuple[list[str | Path], dict[str, str]]:
    """Debian's own Python for that machine, under qemu."""
    del python
    suite = SUITES.get(version)
    if suite is None:
        raise NotHere(f"no Debian suite at hand brings Python {version[0]}.{version[1:]} for {target.processor}")
    name = f"python{version[0]}.{version[1:]}"
    arch = DEBIAN_ARCH[target.processor]
    root = debian_root(f"{arch}-{suite}", arch, suite, [name, "libstdc++6", "ca-certificates"], work)
    return [*qemu(target.processor), "-L", root, root / "usr" / "bin" / name], {}


# The parts of the standard library that are linked in: built as modules they would look for this machine's headers.
_STATIC = """*static*
array arraymodule.c
math mathmodule.c
cmath cmathmodule.c
_struct _struct.c
_random _randommodule.c
_bisect _bisectmodule.c
_heapq _heapqmodule.c
_pickle _pickle.c
_datetime _datetimemodule.c
_json _json.c
_csv _csv.c
_opcode _opcode.c
_queue _queuemodule.c
_contextvars _contextvarsmodule.c
_asyncio _asynciomodule.c
_zoneinfo _zoneinfo.c
_statistics _statisticsmodule.c
_posixsubprocess _posixsubprocess.c
select selectmodule.c
_socket socketmodule.c
fcntl fcntlmodule.c
mmap mmapmodule.c
resource resource.c
termios termios.c
grp grpmodule.c
unicodedata unicodedata.c
_md5 md5module.c
_sha1 sha1module.c
_sha256 sha256module.c
_sha512 sha512module.c
_sha3 _sha3/sha3module.c
binascii binascii.c
_typing _typingmodule.c
_blake2 _blake2/blake2module.c _blake2/blake2b_impl.c _blake2/blake2s_impl.c
"""


def musl_python(target: Target, python: Path, version: str, work: Path) -> tuple[list[str | Path], dict[str, str]]:
    """A Python linked with musl, built from Debian's source package with the same compiler as the wheel.

    No registry carries one. It has no ssl, ctypes, sqlite3 or zlib.
    """
    if version != PYTHON_SOURCE:
        raise NotHere("the musl Python is built from Debian's source package of Python 3.11")
    machine = target.processor
    loader = debian_root(f"musl-{machine}", DEBIAN_ARCH[machine], "trixie", ["musl"], work)
    home = work / f"pymusl-{machine}"
    if not (home / "ready").exists():
        _build_musl_python(TARGETS[f"{machine}-linux-musl"], python, work, home)
    start = loader / "usr" / "lib" / f"ld-musl-{machine}.so.1"
    if not start.exists():
        start = loader / "lib" / f"ld-musl-{machine}.so.1"
    return [*qemu(machine), start, home / "bin" / "python3.11"], {"PYTHONHOME": str(home)}


def _build_musl_python(target: Target, python: Path, work: Path, home: Path) -> None:
    source = python_source(work)
    folder = work / f"pymusl-build-{target.processor}"
    configured = folder / "configured"  # a build that was cut short goes on
    if not configured.exists():
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
    tool = tools(work, python)
    write_toolchain(target, tool, folder / "zig")
    readelf = folder / "zig" / "readelf"
    script(readelf, '#!/bin/sh\nexec readelf "$@"\n')
    environment = {
        **os.environ,
        "CC": str(folder / "zig" / "cc"),
        "AR": str(folder / "zig" / "ar"),
        "RANLIB": str(folder / "zig" / "ranlib"),
        "READELF": str(readelf),
        # zig links musl programs statically and without -fPIC unless told otherwise, and forbids __DATE__.
        "LDFLAGS": "-dynamic -rdynamic -pie",
        "CFLAGS": "-O1 -fPIC -Wno-date-time -Wno-error=date-time",
    }
    configure = [
        source / "configure", "-q", f"--host={target.processor}-unknown-linux-musl", "--build=x86_64-pc-linux-gnu",
        f"--with-build-python={python}", f"--prefix={home}", "--without-ensurepip", "--disable-test-modules",
        "--disable-ipv6", "ac_cv_file__dev_ptmx=yes", "ac_cv_file__dev_ptc=no", "ac_cv_buggy_getaddrinfo=no",
        f"--cache-file={work}/pymusl-{target.processor}.cache",
    ]  # fmt: skip
    log = work / f"pymusl-{target.processor}.log"
    if not configured.exists():
        quietly(configure, cwd=folder, environment=environment, log=log)
        # It found this machine's zlib, which is of another C library.
        for name, found in (
            ("pyconfig.h", r"^#define (HAVE_ZLIB_H|USE_ZLIB_CRC32).*$"),
            ("Makefile.pre", r"^MODULE_BINASCII_(CFLAGS|LDFLAGS)=.*$"),
        ):
            file = folder / name
            file.write_text(re.sub(found, "", file.read_text(), flags=re.MULTILINE))
        (folder / "Modules" / "Setup.local").write_text(_STATIC)
        configured.write_text("")
    abi = f"SOABI=cpython-311-{target.processor}-linux-musl"
    quietly(["make", "-s", "Makefile"], cwd=folder, environment=environment, log=log)
    # `sysconfig` reads what it knows from a file that is written beside, not into, the program.
    quietly(["make", "-s", "-j2", abi, "python", "pybuilddir.txt"], cwd=folder, environment=environment, log=log)
    (home / "bin").mkdir(parents=True)
    shutil.copy2(folder / "python", home / "bin" / "python3.11")
    shutil.copytree(source / "Lib", home / "lib" / "python3.11", ignore=shutil.ignore_patterns("test", "idlelib"))
    (home / "lib" / "python3.11" / "lib-dynload").mkdir(exist_ok=True)
    for data in (folder / "build").glob("lib.*/_sysconfigdata*.py"):
        shutil.copy2(data, home / "lib" / "python3.11")
    (home / "ready").write_text("")


def python_source(work: Path) -> Path:
    """CPython's sources, unpacked."""
    state = work / "python-source"
    done = state / "ready"
    if not done.exists():
        options = apt_sources(state, "bookworm", "deb-src")
        quietly(["apt-get", *options, "-qq", "update"])
        quietly(["apt-get", *options, "-qq", "source", "--download-only", "python3.11"], cwd=state)
        (archive,) = state.glob("python3.11_*.orig.tar.*")
        with tarfile.open(archive) as packed:
            packed.extractall(state / "tree", filter="data")
        done.write_text("")
    (source,) = (path for path in (state / "tree").iterdir() if path.is_dir())
    return source
