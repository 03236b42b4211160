"""Which server to talk to, and with which key: arguments, environment, ``.env``, configuration files, in that order."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import AuthError

DEFAULT_BASE_URL = "http://localhost:3000"
BASE_URL_NAMES = ("NULLSPACE_API_URL", "NULLSPACE_BASE_URL")


@dataclass(frozen=True)
class Settings:
    """A server and the key it knows us by."""

    api_key: str
    base_url: str

    def __repr__(self) -> str:
        return f"Settings(base_url={self.base_url!r})"  # never the key


def resolve(api_key: str | None = None, base_url: str | None = None) -> Settings:
    """Takes the first value that is not empty; without a key nothing may be sent, so that is an error here."""
    dotenv = _dotenv(Path.cwd() / ".env")
    configs = [_config(path) for path in config_paths()]
    key = _first(
        api_key,
        os.environ.get("NULLSPACE_API_KEY"),
        dotenv.get("NULLSPACE_API_KEY"),
        *(config.get("api_key") for config in configs),
    )
    if key is None:
        raise AuthError(
            "no API key: pass api_key=, set NULLSPACE_API_KEY or run `nullspace auth login`", "missing_api_key"
        )
    url = _first(
        base_url,
        *(os.environ.get(name) for name in BASE_URL_NAMES),
        *(dotenv.get(name) for name in BASE_URL_NAMES),
        *(config.get("base_url") for config in configs),
        *(config.get("api_url") for config in configs),
    )
    return Settings(key, (url or DEFAULT_BASE_URL).rstrip("/"))


def config_paths() -> list[Path]:
    """Where configuration files are looked for; the first that has a value wins."""
    home = Path.home()
    xdg = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [xdg / "nullspace" / "config.json", home / ".nullspace" / "config.json"]


def _first(*values: str | None) -> str | None:
    return next((value.strip() for value in values if value and value.strip()), None)


def _config(path: Path) -> dict[str, str]:
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # an absent or half-written file is no configuration; the missing key is reported instead
    if not isinstance(parsed, dict):
        return {}
    return {name: value for name, value in parsed.items() if isinstance(value, str)}


def _dotenv(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return dict(_assignments(text))


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            yield name.strip(), value
