"""What a template starts from, and with which credentials."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Auth = dict[str, Any]
ServiceAccount = dict[str, Any] | str | os.PathLike[str]


@dataclass(frozen=True)
class Base:
    """An image to start from, or the Dockerfile that says so itself."""

    image: str | None = None
    dockerfile: str | None = None
    dockerfile_path: Path | None = None
    auth: Auth | None = None


def image(name: str, variant: str | None = None, username: str | None = None, password: str | None = None) -> Base:
    """A registry image, with its variant as the registries spell it."""
    return Base(image=f"{name}-{variant}" if variant else name, auth=basic_auth(username, password))


def basic_auth(username: str | None, password: str | None) -> Auth | None:
    """Credentials for a registry; one without the other is a mistake."""
    if username is None and password is None:
        return None
    if username is None or password is None:
        raise ValueError("username and password must be given together")
    return {"kind": "basic", "username": username, "password": password}


def gcp_auth(service_account_json: ServiceAccount) -> Auth:
    """Credentials for Google's registry: the account object, its JSON text, or the path of its file."""
    account = service_account_json
    if not isinstance(account, dict):
        text = os.fspath(account)
        if not text.lstrip().startswith("{"):
            text = Path(text).read_text(encoding="utf-8")
        account = json.loads(text)
    return {"kind": "gcp_artifact_registry", "service_account_json": account}


def aws_auth(access_key_id: str, secret_access_key: str, region: str, session_token: str | None) -> Auth:
    """Credentials for Amazon's registry."""
    auth = {
        "kind": "aws_ecr",
        "access_key_id": access_key_id,
        "secret_access_key": secret_access_key,
        "region": region,
    }
    if session_token is not None:
        auth["session_token"] = session_token
    return auth


def template(ref: str) -> Base:
    """Another template. A bare name means a builtin, because that is how the published client writes it."""
    if ref.startswith("tmpl_") or "/" in ref:
        return Base(image=ref)
    name, _, qualifier = ref.partition(":")
    if qualifier.startswith("tb_"):
        return Base(image=ref)
    return Base(image=f"nullspace/{name}:{qualifier or 'latest'}")
