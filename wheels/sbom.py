"""Puts a CycloneDX bill of materials into a wheel (`.dist-info/sboms/`) or a source distribution, reproducibly.

python wheels/sbom.py dist/*.whl dist/*.tar.gz
python wheels/sbom.py --into repaired dist/mastra-1.0-....whl     leaves the file as it is and writes a copy
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import shutil
import sys
import tarfile
import uuid
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

# Source that is compiled into the module and comes from elsewhere, by the build requirement that brings it.
COMPILED_IN = {"pybind11": "BSD-3-Clause"}


def bill(metadata: str, compiled: dict[str, str]) -> dict[str, Any]:
    """The bill of one distribution from its METADATA and the versions that were compiled in."""
    head = Parser().parsestr(metadata)
    name, version = head["Name"], head["Version"]
    reference = f"pkg:pypi/{name}@{version}"
    required = []
    for line in head.get_all("Requires-Dist") or []:
        match = re.match(r"([A-Za-z0-9._-]+)", line)
        if match and "extra ==" not in line:
            required.append({"type": "library", "name": match[1], "bom-ref": f"pkg:pypi/{match[1].lower()}",
                             "purl": f"pkg:pypi/{match[1].lower()}", "scope": "required",
                             "properties": [{"name": "python:requirement", "value": line}]})  # fmt: skip
    inside = [
        {"type": "library", "name": part, "version": number, "bom-ref": f"pkg:pypi/{part}@{number}",
         "purl": f"pkg:pypi/{part}@{number}", "scope": "required",
         "licenses": [{"license": {"id": COMPILED_IN[part]}}],
         "properties": [{"name": "mastra:how", "value": "headers compiled into the extension module"}]}
        for part, number in sorted(compiled.items())
    ]  # fmt: skip
    root = {"type": "library", "name": name, "version": version, "bom-ref": reference, "purl": reference,
            "licenses": [{"license": {"id": "Apache-2.0"}}]}  # fmt: skip
    components = [*inside, *required]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, reference)}",
        "version": 1,
        "metadata": {"component": root},
        "components": components,
        "dependencies": [{"ref": reference, "dependsOn": [item["bom-ref"] for item in components]}],
    }


def compiled_in() -> dict[str, str]:
    """The versions of the build requirements whose code ends up in the module."""
    from importlib.metadata import version  # noqa: PLC0415 - of the build environment

    return {name: version(name) for name in COMPILED_IN}


def add_to_wheel(path: Path, compiled: dict[str, str]) -> None:
    """Rewrite the wheel with its bill, all entries in a fixed order: the bytes depend on their content alone."""
    with zipfile.ZipFile(path) as archive:
        entries = {
            item.filename: (archive.read(item), item.external_attr, item.date_time) for item in archive.infolist()
        }
    (info,) = {name.partition("/")[0] for name in entries if name.partition("/")[0].endswith(".dist-info")}
    _, attributes, moment = entries[f"{info}/METADATA"]
    text = json.dumps(bill(entries[f"{info}/METADATA"][0].decode(), compiled), indent=1, sort_keys=True) + "\n"
    entries[f"{info}/sboms/mastra.cdx.json"] = (text.encode(), attributes, moment)
    record = f"{info}/RECORD"
    rows = []
    for name in sorted(entries):
        if name != record:
            data = entries[name][0]
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(data)}")
    entries[record] = (("\n".join([*rows, f"{record},,"]) + "\n").encode(), attributes, moment)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries, key=lambda item: (item.startswith(info), item)):
            data, mode, _ = entries[name]
            item = zipfile.ZipInfo(name, moment)
            item.external_attr, item.compress_type, item.create_system = mode, zipfile.ZIP_DEFLATED, 3
            archive.writestr(item, data)


def add_to_sdist(path: Path) -> None:
    """Rewrite the source distribution with its bill beside PKG-INFO; nothing is compiled into one."""
    with tarfile.open(path, "r:gz") as archive:
        entries = {item.name: (item, archive.extractfile(item)) for item in archive.getmembers()}
        contents = {name: (item, stream.read() if stream else b"") for name, (item, stream) in entries.items()}
    (information,) = (name for name in contents if name.count("/") == 1 and name.endswith("/PKG-INFO"))
    like, metadata = contents[information]
    text = json.dumps(bill(metadata.decode(), {}), indent=1, sort_keys=True) + "\n"
    added = tarfile.TarInfo(f"{information.partition('/')[0]}/sboms/mastra.cdx.json")
    added.mtime, added.mode = like.mtime, like.mode
    contents[added.name] = (added, text.encode())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(contents):
            item, data = contents[name]
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    path.write_bytes(gzip.compress(packed.getvalue(), compresslevel=9, mtime=int(like.mtime)))


def main(arguments: list[str]) -> None:
    """The command."""
    into = None
    if arguments[:1] == ["--into"]:
        into, arguments = Path(arguments[1]), arguments[2:]
        into.mkdir(parents=True, exist_ok=True)
    for argument in arguments:
        path = Path(shutil.copy2(argument, into)) if into else Path(argument)
        if path.name.endswith(".tar.gz"):
            add_to_sdist(path)
        else:
            add_to_wheel(path, compiled_in())


if __name__ == "__main__":
    main(sys.argv[1:])
