"""Finding the files a build needs: which local files travel, under which path, and what must not travel.

Everything here is local. Directories are listed before their files; links and special files are refused, because the
machine that unpacks them is not the one they point into.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pathspec

from .errors import InvalidRequestError

UNSAFE_NAME_CHARACTERS = re.compile(r"[^A-Za-z0-9_.-]")
HASH_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ContextEntry:
    """A file or directory of the build context: where it is here, and what it is called there."""

    path: str
    local: Path
    is_dir: bool
    mode: str
    force_upload: bool = False

    @property
    def size_bytes(self) -> int:
        """The size of a file, 0 for a directory."""
        return 0 if self.is_dir else self.local.stat().st_size

    def sha256(self) -> str:
        """The digest of a file's bytes, in lower-case hex."""
        digest = hashlib.sha256()
        with self.local.open("rb") as file:
            while chunk := file.read(HASH_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def bare(self) -> dict[str, Any]:
        """Path, type and mode only."""
        return {"path": self.path, "entry_type": "dir" if self.is_dir else "file", "mode": self.mode}

    def descriptor(self) -> dict[str, Any]:
        """What the server needs to say whether it has the bytes already."""
        described = self.bare()
        if not self.is_dir:
            described |= {"sha256": self.sha256(), "size_bytes": self.size_bytes}
            if self.force_upload:
                described["force_upload"] = True
        return described

    def inline(self) -> dict[str, Any]:
        """The entry with its bytes inside, for requests that upload nothing."""
        described = self.bare()
        if not self.is_dir:
            described["content_base64"] = base64.b64encode(self.local.read_bytes()).decode()
        return described


class IgnoreRules:
    """Patterns in the syntax of ``.gitignore``, relative to a context root. Without a root nothing is ignored."""

    def __init__(self, root: Path | None, patterns: list[str], ignore_files: list[str]) -> None:
        self._root = root
        lines = list(patterns)
        for name in ignore_files if root is not None else []:
            file = (root or Path()) / name
            if file.is_file():
                lines = file.read_text(encoding="utf-8").splitlines() + lines
                break
        self._spec = pathspec.GitIgnoreSpec.from_lines(lines)

    def excludes(self, path: Path, is_dir: bool) -> bool:
        """Whether a local path is not to travel."""
        if self._root is None or not path.is_relative_to(self._root):
            return False
        relative = path.relative_to(self._root).as_posix()
        return relative != "." and self._spec.match_file(relative + "/" if is_dir else relative)


def source_entries(source: Path, prefix: str, rules: IgnoreRules, force_upload: bool) -> tuple[str, list[ContextEntry]]:
    """The entries of one copied source, and the path a step names it by: ``prefix`` plus its cleaned base name."""
    reference = f"{prefix}/{UNSAFE_NAME_CHARACTERS.sub('_', source.name) or '_'}"
    kind = os.lstat(source).st_mode  # a missing source is a FileNotFoundError that names it
    if rules.excludes(source, stat.S_ISDIR(kind)):
        raise InvalidRequestError(f"the copied source {source} is excluded by the ignore patterns")
    if stat.S_ISDIR(kind):
        top = _entry(source, reference, force_upload)
        return reference, [top, *directory_entries(source, reference, rules, force_upload)]
    return reference, [_entry(source, reference, force_upload)]


def directory_entries(
    directory: Path, reference: str, rules: IgnoreRules, force_upload: bool = False, skip: frozenset[str] = frozenset()
) -> list[ContextEntry]:
    """All below a directory, directories first. An empty ``reference`` makes paths relative to the directory."""
    found = [
        _entry(path, f"{reference}/{relative}" if reference else relative, force_upload)
        for path, relative in _walk(directory, directory, rules)
        if relative not in skip
    ]
    return sorted(found, key=lambda entry: not entry.is_dir)  # stable: each kind stays in the order of the walk


def _walk(directory: Path, top: Path, rules: IgnoreRules) -> Iterator[tuple[Path, str]]:
    for path in sorted(directory.iterdir()):
        is_dir = path.is_dir() and not path.is_symlink()
        if rules.excludes(path, is_dir):
            continue
        yield path, path.relative_to(top).as_posix()
        if is_dir:
            yield from _walk(path, top, rules)


def _entry(path: Path, reference: str, force_upload: bool) -> ContextEntry:
    kind = os.lstat(path).st_mode
    if stat.S_ISLNK(kind):
        raise InvalidRequestError(f"{path} is a symbolic link; build contexts take files and directories only")
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise InvalidRequestError(f"{path} is neither a file nor a directory")
    mode = f"{stat.S_IMODE(kind) & 0o777:04o}"
    return ContextEntry(reference, path, stat.S_ISDIR(kind), mode, force_upload)
