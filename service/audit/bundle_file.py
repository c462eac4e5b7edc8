"""A debug bundle as a file: a zip of texts that any tool opens, and a manifest that holds it together.

    README.txt        what this is, how it ended, how to run it again
    task.json         row, params, attempts with tracebacks and the row each began with, type, workers
    events.jsonl      its events, a file of `annals audit export` (lines.py), which can be imported
    related.jsonl     what caused it and what it caused, on other streams: lines of such a file
    environment.json  versions of Python, system, database and packages; the configuration without secrets
    manifest.json     format, digest of each file, and the digest of the manifest itself

The manifest's `digest` is the SHA-256 of its JSON without that member, keys sorted, no spaces:
`unzip -p F manifest.json | jq -cS 'del(.digest)' | tr -d '\\n' | sha256sum`. It finds what was changed on
the way. It proves nothing about who made the file: whoever changes a member can compute it again.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.errors import Invalid

FORMAT, VERSION = "annals-bundle", 1
MANIFEST = "manifest.json"
MEMBERS = ("README.txt", "task.json", "events.jsonl", "related.jsonl", "environment.json")
# A member that unpacks to more than this is no bundle of ours: events are bounded, and so is their number.
LARGEST_MEMBER = 512 * 1024 * 1024
# The files' own time says nothing; made_at is in the manifest.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose digests hold: the manifest, and the members by name."""

    manifest: Mapping[str, Any]
    members: Mapping[str, bytes]

    def read_json(self, name: str) -> Any:
        """A member that is one JSON value."""
        return json.loads(self.members[name])


def pack(members: Mapping[str, bytes], facts: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a bundle and its manifest; `facts` (task_id, made_at, ...) go into the manifest."""
    files = {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in members.items()}
    manifest: dict[str, Any] = {"format": FORMAT, "version": VERSION, **facts, "files": files}
    manifest["digest"] = digest_of(manifest)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**members, MANIFEST: as_json(manifest)}.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue(), manifest


def read(path: Path) -> Bundle:
    """Open a bundle. Raises Invalid, naming what does not hold, for a file that is none or was altered."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: _content(archive, info, path) for info in archive.infolist()}
            if len(members) != len(archive.infolist()):
                raise _altered(path, "a file is in it twice")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise Invalid(
            f"{path} cannot be read as a bundle: {error}.", hint="Make it again: annals audit bundle TASK"
        ) from None
    manifest = _manifest(path, members.pop(MANIFEST, None))
    for name in sorted({*manifest["files"], *MEMBERS, *members}):
        if name not in members:
            raise _altered(path, f"{name} is missing")
        told = manifest["files"].get(name)
        if told != {"bytes": len(members[name]), "sha256": _sha256(members[name])}:
            raise _altered(path, f"{name} was changed")
    return Bundle(manifest, members)


def digest_of(manifest: Mapping[str, Any]) -> str:
    """The digest over everything: of the manifest, which holds the digests of the files."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    return _sha256(json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def as_json(value: Any) -> bytes:
    """JSON as the members hold it: for people, with an end of line."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _manifest(path: Path, data: bytes | None) -> dict[str, Any]:
    if data is None:
        raise Invalid(f"{path} is no bundle: it has no {MANIFEST}.", hint="annals audit bundle TASK")
    try:
        manifest = json.loads(data)
    except ValueError:
        raise _altered(path, f"{MANIFEST} is no JSON") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise Invalid(f"{path} is no bundle: its {MANIFEST} is of another kind.")
    if manifest.get("version") != VERSION:
        raise Invalid(
            f"{path} is a bundle of format {manifest.get('version')!r}; this release reads {VERSION}.",
            hint="Use the release that made it: service_version in its manifest.json.",
        )
    if manifest.get("digest") != digest_of(manifest) or not isinstance(manifest.get("files"), dict):
        raise _altered(path, f"{MANIFEST} was changed")
    return manifest


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> bytes:
    if info.filename not in (MANIFEST, *MEMBERS):
        raise _altered(path, f"{info.filename} does not belong to it")
    with archive.open(info) as member:
        data = member.read(LARGEST_MEMBER + 1)
    if len(data) > LARGEST_MEMBER:
        raise Invalid(f"{path} is no bundle: {info.filename} is larger than {LARGEST_MEMBER} bytes.")
    return data


def _altered(path: Path, what: str) -> Invalid:
    return Invalid(f"{path} was altered: {what}.", hint="Make it again: annals audit bundle TASK")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
