"""Files in a sandbox, as the server reports them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .wire import Reader


@dataclass(frozen=True)
class FileInfo:
    """A file, directory or link in a sandbox."""

    name: str
    path: str
    is_dir: bool
    size: int
    type: str | None = None
    mode: int | str | None = None
    permissions: str | None = None
    owner: str | None = None
    group: str | None = None
    modified_time: datetime | None = None
    symlink_target: str | None = None

    @classmethod
    def parse(cls, value: object) -> FileInfo:
        """Reads a file object; ``type`` and ``is_dir`` each follow from the other."""
        reader = Reader("file", value)
        kind = reader.maybe_text("type")
        is_dir = reader.flag("is_dir", default=kind == "dir")
        return cls(
            name=reader.text("name"),
            path=reader.text("path"),
            is_dir=is_dir,
            size=reader.number("size", 0),
            type=kind or ("dir" if is_dir else "file"),
            mode=reader.raw.get("mode"),
            permissions=reader.maybe_text("permissions"),
            owner=reader.maybe_text("owner"),
            group=reader.maybe_text("group"),
            modified_time=reader.maybe_time("modified_time"),
            symlink_target=reader.maybe_text("symlink_target"),
        )
