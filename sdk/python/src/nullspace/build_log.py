"""The log of a build: its entries, and the logger that shows them in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from .errors import BuildError, SandboxError, class_of_code
from .template_model import TemplateInfo
from .wire import Reader


class TemplateBuildLogKind(StrEnum):
    """What an entry marks."""

    START = "start"
    MESSAGE = "message"
    CACHE = "cache"
    RETRY = "retry"
    WARNING = "warning"
    ERROR = "error"
    CANCELLED = "cancelled"
    END = "end"


class TemplateBuildLogLevel(StrEnum):
    """How much an entry matters, from least to most."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Position in the order of importance."""
        return list(TemplateBuildLogLevel).index(self)


@dataclass(frozen=True)
class TemplateFailureDetail:
    """Why a build failed and what to do about it."""

    code: str
    message: str
    phase: str
    retryable: bool
    suggested_action: str
    step_index: int | None = None
    attempt: int | None = None
    max_attempts: int | None = None
    cache_subject: str | None = None
    build_id: str | None = None
    request_id: str | None = None
    details: dict[str, Any] | None = None

    @classmethod
    def parse_optional(cls, value: object) -> TemplateFailureDetail | None:
        """Reads the object where there is one."""
        if value is None:
            return None
        reader = Reader("error_detail", value)
        return cls(
            code=reader.text("code"),
            message=reader.text("message"),
            phase=reader.text("phase"),
            retryable=reader.flag("retryable"),
            suggested_action=reader.text_or("suggested_action", ""),
            step_index=reader.maybe_number("step_index"),
            attempt=reader.maybe_number("attempt"),
            max_attempts=reader.maybe_number("max_attempts"),
            cache_subject=reader.maybe_text("cache_subject"),
            build_id=reader.maybe_text("build_id"),
            request_id=reader.maybe_text("request_id"),
            details=reader.maybe_mapping("details"),
        )


@dataclass(frozen=True)
class TemplateBuildLogEntry:
    """One line of a build's durable log. ``result`` is there on the entry that ends a successful build."""

    build_id: str
    template_id: str
    offset: int
    timestamp: datetime
    kind: TemplateBuildLogKind
    level: TemplateBuildLogLevel
    message: str
    phase: str | None = None
    step_index: int | None = None
    total_steps: int | None = None
    attempt: int | None = None
    max_attempts: int | None = None
    cache_kind: str | None = None
    cache_status: str | None = None
    cache_reason: str | None = None
    cache_subject: str | None = None
    error_detail: TemplateFailureDetail | None = None
    result: TemplateInfo | None = None


def parse_log_entry(value: object) -> TemplateBuildLogEntry:
    """Reads one entry."""
    reader = Reader("build log entry", value)
    kind = reader.choice("kind", TemplateBuildLogKind)
    result = reader.raw.get("result") if kind is TemplateBuildLogKind.END else None
    return TemplateBuildLogEntry(
        build_id=reader.text("build_id"),
        template_id=reader.text("template_id"),
        offset=reader.number("offset"),
        timestamp=reader.time("timestamp"),
        kind=kind,
        level=reader.choice("level", TemplateBuildLogLevel),
        message=reader.text("message"),
        phase=reader.maybe_text("phase"),
        step_index=reader.maybe_number("step_index"),
        total_steps=reader.maybe_number("total_steps"),
        attempt=reader.maybe_number("attempt"),
        max_attempts=reader.maybe_number("max_attempts"),
        cache_kind=reader.maybe_text("cache_kind"),
        cache_status=reader.maybe_text("cache_status"),
        cache_reason=reader.maybe_text("cache_reason"),
        cache_subject=reader.maybe_text("cache_subject"),
        error_detail=TemplateFailureDetail.parse_optional(reader.raw.get("error_detail")),
        result=None if result is None else TemplateInfo.parse(result),
    )


def failure(message: str, detail: TemplateFailureDetail | None) -> SandboxError:
    """The exception for a failed build; its code is that of the detail where there is one."""
    if detail is None:
        return BuildError(message)
    kind = class_of_code(detail.code)
    return (BuildError if kind is SandboxError else kind)(
        detail.message,
        detail.code,
        request_id=detail.request_id,
        retryable=detail.retryable,
        suggested_action=detail.suggested_action or None,
        details=detail.details,
        error_detail={"phase": detail.phase, "step_index": detail.step_index, "build_id": detail.build_id},
    )


def default_build_logger(
    *, min_level: TemplateBuildLogLevel | str = TemplateBuildLogLevel.INFO
) -> Callable[[TemplateBuildLogEntry], None]:
    """A callback for ``on_log_entry`` that writes readable lines to standard error."""
    least = TemplateBuildLogLevel(min_level).rank

    def show(entry: TemplateBuildLogEntry) -> None:
        milestone = entry.kind in (TemplateBuildLogKind.START, TemplateBuildLogKind.END)
        if milestone or entry.level.rank >= least:
            print(render_log_entry(entry), file=sys.stderr, flush=True)

    return show


def render_log_entry(entry: TemplateBuildLogEntry) -> str:
    """One entry as a line of text."""
    if entry.kind in (TemplateBuildLogKind.START, TemplateBuildLogKind.END):
        return f"==> {entry.message}"
    prefix = {TemplateBuildLogLevel.WARN: "WARN  ", TemplateBuildLogLevel.ERROR: "ERROR "}.get(entry.level, "")
    return f"{prefix}{entry.message}"
