"""Which server and key are used, and how errors are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nullspace import AuthError, SandboxError
from nullspace.errors import class_of_code, error_from_body
from nullspace.settings import resolve


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NULLSPACE_API_KEY", "NULLSPACE_API_URL", "NULLSPACE_BASE_URL", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(home: Path, place: str, **values: str) -> None:
    path = home / place / "config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def test_without_a_key_nothing_is_sent(home: Path) -> None:
    with pytest.raises(AuthError) as raised:
        resolve()
    assert raised.value.code == "missing_api_key"


def test_the_first_source_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(home, ".nullspace", api_key="legacy", base_url="http://legacy/")
    assert resolve().base_url == "http://legacy"
    config(home, ".config/nullspace", api_key="xdg", api_url="http://xdg")
    # `base_url` of any file comes before `api_url` of any file.
    assert (resolve().api_key, resolve().base_url) == ("xdg", "http://legacy")
    (home / ".env").write_text("# comment\nexport NULLSPACE_API_KEY='dotenv'\nNULLSPACE_BASE_URL=http://dotenv\n")
    assert (resolve().api_key, resolve().base_url) == ("dotenv", "http://dotenv")
    monkeypatch.setenv("NULLSPACE_API_KEY", "env")
    monkeypatch.setenv("NULLSPACE_BASE_URL", "http://env")
    assert (resolve().api_key, resolve().base_url) == ("env", "http://env")
    assert resolve("given", "http://given//").base_url == "http://given"


def test_zero_configuration_finds_the_local_server() -> None:
    assert resolve("k").base_url == "http://localhost:3000"


def test_a_key_is_never_shown() -> None:
    assert "ns_live_x" not in repr(resolve("ns_live_x"))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("template_build_not_found", "NotFoundError"),
        ("volume_quota_exceeded", "QuotaExceededError"),
        ("upload_conflict", "ConflictError"),
        ("preview_grant_revoked", "AuthError"),
        ("warm_pool_unavailable", "WarmPoolUnavailableError"),
        ("internal_error", "SandboxError"),
        ("from_the_future", "SandboxError"),
    ],
)
def test_codes_have_their_class(code: str, name: str) -> None:
    assert class_of_code(code).__name__ == name


def test_every_exception_is_a_sandbox_error_with_a_code() -> None:
    import nullspace

    kinds = [kind for kind in vars(nullspace).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 10
    assert all(issubclass(kind, SandboxError) for kind in kinds)


def test_nested_and_unreadable_errors_are_understood() -> None:
    nested = error_from_body(404, {}, b'{"error": {"code": "x_not_found", "message": "gone"}, "request_id": "r"}')
    assert (nested.code, nested.message, nested.request_id) == ("x_not_found", "gone", "r")
    page = error_from_body(502, {"x-request-id": "r2"}, b"<html>bad gateway</html>")
    assert (page.code, page.status, page.request_id) == ("unknown", 502, "r2")
    assert error_from_body(500, {}, b"[1]").code == "unknown"
