"""Every way the SDK can fail. One ancestor, ``SandboxError``; ``code`` says what happened, the class groups what to do.

The names ``TimeoutError``, ``PermissionError`` and ``NotImplementedError`` are the published ones and shadow the
builtins only inside this package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class SandboxError(Exception):
    """Anything that went wrong. ``code`` is stable; the text is for people."""

    default_code = "unknown"

    def __init__(
        self,
        message: str,
        code: str | None = None,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
        suggested_action: str | None = None,
        details: Any = None,
        error_detail: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.status = status
        self.request_id = request_id
        self.retryable = retryable
        self.suggested_action = suggested_action
        self.details = details
        self.error_detail = error_detail


class AuthError(SandboxError):
    """The API key is missing, wrong or revoked, or a preview token does not fit."""

    default_code = "unauthorized"


class PermissionError(SandboxError):
    """The key is known but may not do this."""

    default_code = "permission_denied"


class NotFoundError(SandboxError):
    """There is no such thing, or it belongs to somebody else."""

    default_code = "not_found"


class ConflictError(SandboxError):
    """The thing is not in a state that allows this."""

    default_code = "conflict"


class QuotaExceededError(SandboxError):
    """A quota or the capacity of the installation is used up."""

    default_code = "quota_exceeded"


class RateLimitError(SandboxError):
    """Too many requests, also after waiting as long as the server asked."""

    default_code = "rate_limit_exceeded"


class WarmPoolUnavailableError(SandboxError):
    """``warm_pool_mode="require"`` found nothing ready in time. No sandbox was made; ``details["reason"]`` says why."""

    default_code = "warm_pool_unavailable"


class BuildError(SandboxError):
    """A template build failed. ``error_detail`` names the phase and what to do."""

    default_code = "build_error"


class FileUploadError(SandboxError):
    """A file of a build context could not be stored."""

    default_code = "file_upload_error"


class CommandError(SandboxError):
    """A command could not be run or did not end in time. A non-zero exit code is not an error."""

    default_code = "exec_failed"


class InvalidRequestError(SandboxError):
    """The request does not make sense; the message names the field."""

    default_code = "invalid_request"


class InvalidResponseError(SandboxError):
    """The server's answer is not what this SDK understands."""

    default_code = "invalid_response"


class NotImplementedError(SandboxError):
    """The server does not have this feature."""

    default_code = "not_implemented"


class TimeoutError(SandboxError):
    """Something awaited did not happen in time."""

    default_code = "timeout"


class TransportError(SandboxError):
    """No complete answer arrived. ``may_have_arrived`` tells whether the server may have acted on the request."""

    default_code = "transport_error"

    def __init__(self, message: str, *, may_have_arrived: bool) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived


CLASS_OF_CODE: Mapping[str, type[SandboxError]] = {
    "unauthorized": AuthError,
    "unauthenticated": AuthError,
    "missing_api_key": AuthError,
    "forbidden": PermissionError,
    "permission_denied": PermissionError,
    "not_found": NotFoundError,
    "conflict": ConflictError,
    "sandbox_not_ready": ConflictError,
    "snapshot_in_use": ConflictError,
    "incompatible_snapshot": ConflictError,
    "rebuild_required": ConflictError,
    "capacity_exceeded": QuotaExceededError,
    "rate_limit_exceeded": RateLimitError,
    "warm_pool_unavailable": WarmPoolUnavailableError,
    "build_error": BuildError,
    "file_upload_error": FileUploadError,
    "exec_failed": CommandError,
    "exec_timeout": CommandError,
    "invalid_request": InvalidRequestError,
    "invalid_fields": InvalidRequestError,
    "invalid_response": InvalidResponseError,
    "not_implemented": NotImplementedError,
    "timeout": TimeoutError,
}
"""Codes with a class of their own; families of codes are recognised by ``class_of_code``."""


def class_of_code(code: str) -> type[SandboxError]:
    """The exception class for a code; codes of later servers fall into their family or stay ``SandboxError``."""
    if code in CLASS_OF_CODE:
        return CLASS_OF_CODE[code]
    if "quota" in code:
        return QuotaExceededError
    if code.endswith("_not_found"):
        return NotFoundError
    if code.endswith("_conflict"):
        return ConflictError
    if code.endswith("_permission_denied"):
        return PermissionError
    if code.startswith(("edge_token_", "preview_grant_", "preview_proxy_token_")):
        return AuthError
    return SandboxError


def error_from_body(status: int, headers: Mapping[str, str], content: bytes) -> SandboxError:
    """Reads the error envelope, flat or nested; a body that is no JSON object becomes the message."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        text = content.decode("utf-8", "replace").strip()[:500]  # an HTML page from a proxy must not flood a terminal
        return SandboxError(text or f"HTTP {status}", status=status, request_id=headers.get("x-request-id"))
    return error_from_fields(status, headers, body)


def error_from_fields(status: int, headers: Mapping[str, str], body: dict[str, Any]) -> SandboxError:
    """The same for an envelope that has been parsed."""
    nested = body.get("error")
    fields = {**body, **nested} if isinstance(nested, dict) else {**body, "message": nested}
    code = str(fields.get("code") or "unknown").lower()
    retryable, suggested = fields.get("retryable"), fields.get("suggested_action")
    detail = fields.get("error_detail")
    return class_of_code(code)(
        str(fields.get("message") or f"HTTP {status}"),
        code,
        status=status,
        request_id=_text(fields.get("request_id")) or headers.get("x-request-id"),
        retryable=retryable if isinstance(retryable, bool) else None,
        suggested_action=_text(suggested),
        details=fields.get("details"),
        error_detail=detail if isinstance(detail, dict) else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
