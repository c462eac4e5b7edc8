"""A bundle as a file: what was packed is read, and what was changed on the way is refused by name."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from service.audit.bundle_file import MANIFEST, MEMBERS, as_json, digest_of, pack, read
from service.audit.whole_file import NotWritten, placed
from service.errors import Conflict, Invalid

MADE = {name: f"{name} of a task\n".encode() for name in MEMBERS} | {"task.json": b'{"task_id": "t-1"}'}
Change = Callable[[dict[str, bytes]], None]


def packed(tmp_path: Path, change: Change | None = None) -> Path:
    """A bundle, with its members changed after it was made."""
    data, _ = pack(MADE, {"task_id": "t-1"})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if change:
        change(members)
    path = tmp_path / "t-1.bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_what_was_packed_is_read(tmp_path: Path) -> None:
    bundle = read(packed(tmp_path))
    assert bundle.members == MADE and bundle.read_json("task.json") == {"task_id": "t-1"}
    assert bundle.manifest["task_id"] == "t-1"
    assert bundle.manifest["digest"] == digest_of(bundle.manifest)


def test_the_same_members_make_the_same_bytes() -> None:
    assert pack(MADE, {"task_id": "t-1"}) == pack(MADE, {"task_id": "t-1"})


@pytest.mark.parametrize("name", MEMBERS)
def test_a_changed_member_is_named(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path, lambda members: members.update({name: members[name] + b" "}))
    with pytest.raises(Invalid, match=f"altered: {name} was changed"):
        read(path)


def test_a_member_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"altered: events\.jsonl is missing"):
        read(packed(tmp_path, lambda members: members.pop("events.jsonl")))


def test_a_member_that_does_not_belong_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"altered: \.\./evil\.py does not belong to it"):
        read(packed(tmp_path, lambda members: members.update({"../evil.py": b""})))


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("task.json", "{}")
    with pytest.raises(Invalid, match="altered: a file is in it twice"):
        read(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"task_id": "t-2"}, r"altered: manifest\.json was changed"),
        ({"version": 2}, "format 2; this release reads 1"),
        ({"format": "other"}, r"no bundle: its manifest\.json is of another kind"),
    ],
)
def test_a_changed_manifest_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    def rewrite(members: dict[str, bytes]) -> None:
        members[MANIFEST] = as_json(json.loads(members[MANIFEST]) | change)

    with pytest.raises(Invalid, match=said):
        read(packed(tmp_path, rewrite))


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(Invalid, match="cannot be read as a bundle"):
        read(tmp_path / "text")
    with pytest.raises(Invalid, match=r"no bundle: it has no manifest\.json"):
        read(packed(tmp_path, lambda members: members.pop(MANIFEST)))
    with pytest.raises(Invalid, match=r"manifest\.json is no JSON"):
        read(packed(tmp_path, lambda members: members.update({MANIFEST: b"{"})))


def test_a_byte_that_flipped_is_found(tmp_path: Path) -> None:
    data, _ = pack(MADE, {})
    for place in range(0, len(data), 97):
        path = tmp_path / "flipped"
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        try:
            found = read(path)
        except Invalid:
            continue
        assert found.members == MADE, f"byte {place} of {len(data)}"


def keep(path: Path, data: bytes, *, replace: bool) -> None:
    with placed(path, replace=replace) as file:
        file.write(data)


def test_a_file_that_is_there_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "made"
    keep(path, b"first", replace=False)
    with pytest.raises(Conflict, match="exists"):
        keep(path, b"second", replace=False)
    assert path.read_bytes() == b"first"
    keep(path, b"second", replace=True)
    assert path.read_bytes() == b"second" and path.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["made"]
    with pytest.raises(NotWritten, match="cannot be written: No such file"):
        keep(tmp_path / "nowhere" / "made", b"", replace=False)
