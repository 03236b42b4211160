"""The operations on templates, as flows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .build_log import TemplateBuildLogEntry
from .build_model import (
    TemplateBuildListResponse,
)
from .errors import NotFoundError
from .flow import Flow, Request, call, exchange, segment
from .template_model import (
    TemplateAliasInfo,
    TemplateInfo,
    TemplateNameClaim,
    TemplateNamespaceInfo,
    TemplateTagInfo,
)
from .wire import array

BASE = "/v1/templates"
BUILD_TIMEOUT_SECONDS = 300.0  # the longest silence in a build's stream; the server sends a comment every 10 s
BLOB_TIMEOUT_SECONDS = 300.0
OnLogEntry = Callable[[TemplateBuildLogEntry], None]


def get(ref: str) -> Flow[TemplateInfo]:
    """A template."""
    return TemplateInfo.parse((yield from call(Request("GET", f"{BASE}/refs/{segment(ref)}"))))


def listing() -> Flow[list[TemplateInfo]]:
    """All templates the key can see."""
    return [TemplateInfo.parse(value) for value in array("template list", (yield from call(Request("GET", BASE))))]


def exists(ref: str) -> Flow[bool]:
    """Whether the ref names a template."""
    try:
        yield from get(ref)
    except NotFoundError:
        return False
    return True


def change(method: str, ref: str, rest: str, body: dict[str, Any]) -> Flow[TemplateInfo]:
    """A change that answers the template."""
    request = Request(method, f"{BASE}/refs/{segment(ref)}{rest}", json=body)
    return TemplateInfo.parse((yield from call(request)))


def tags(ref: str) -> Flow[list[TemplateTagInfo]]:
    """The tags of a template."""
    values = yield from call(Request("GET", f"{BASE}/refs/{segment(ref)}/tags"))
    return [TemplateTagInfo.parse(value) for value in array("tag list", values)]


def aliases(ref: str) -> Flow[list[TemplateAliasInfo]]:
    """The former names of a template."""
    values = yield from call(Request("GET", f"{BASE}/refs/{segment(ref)}/aliases"))
    return [TemplateAliasInfo.parse(value) for value in array("alias list", values)]


def claim(ref: str) -> Flow[TemplateNameClaim]:
    """Reserves a name."""
    return TemplateNameClaim.parse((yield from call(Request("POST", f"{BASE}/claims", json={"template_ref": ref}))))


def namespace(slug: str) -> Flow[TemplateNamespaceInfo]:
    """A namespace."""
    return TemplateNamespaceInfo.parse((yield from call(Request("GET", f"{BASE}/namespaces/{segment(slug)}"))))


def delete(*path: str) -> Flow[None]:
    """Deletes what the path segments name; the answer does not matter."""
    yield from exchange(Request("DELETE", "/".join((BASE, *(segment(part) for part in path)))))


def builds(ref: str, query: dict[str, Any]) -> Flow[TemplateBuildListResponse]:
    """One page of the build history."""
    asked = tuple((key, str(value)) for key, value in query.items() if value is not None)
    path = f"{BASE}/{ref}" if ref.startswith("tmpl_") else f"{BASE}/refs/{segment(ref)}"
    return TemplateBuildListResponse.parse((yield from call(Request("GET", f"{path}/builds", query=asked))))
