"""What the server says about a build, and what it would do with a request."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .build_log import TemplateBuildLogEntry, TemplateFailureDetail, parse_log_entry
from .template_model import TemplateRuntimeDefaults, TemplateVisibility
from .wire import Reader, plain


class TemplateBuildStatus(StrEnum):
    """Where a build is; the last three are final."""

    WAITING = "waiting"
    BUILDING = "building"
    READY = "ready"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen."""
        return self in (TemplateBuildStatus.READY, TemplateBuildStatus.ERROR, TemplateBuildStatus.CANCELLED)


class TemplateBuildBackend(StrEnum):
    """What executes a build."""

    NATIVE = "native"
    BUILDKIT = "buildkit"


class TemplateBuildSourceType(StrEnum):
    """What a build was made from."""

    DECLARATIVE = "declarative"
    DOCKERFILE = "dockerfile"
    OCI_IMPORT = "oci_import"
    TEMPLATE_BASE = "template_base"


@dataclass
class TemplateBuildInfo:
    """One attempt to make a template. Plain data; ``TemplateBuild`` adds the operations."""

    build_id: str
    template_id: str
    name: str
    tags: list[str]
    status: TemplateBuildStatus
    created_at: datetime
    updated_at: datetime
    build_backend: TemplateBuildBackend = TemplateBuildBackend.NATIVE
    source_type: TemplateBuildSourceType = TemplateBuildSourceType.DECLARATIVE
    canonical_ref: str = ""
    namespace_slug: str = ""
    visibility: TemplateVisibility = TemplateVisibility.PRIVATE
    source_digest: str | None = None
    context_digest: str | None = None
    dockerfile_digest: str | None = None
    triggered_by: str | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: int | None = None
    failure_phase: str | None = None
    build_config: dict[str, Any] | None = None
    cache_summary: dict[str, Any] | None = None
    artifact_availability: dict[str, Any] | None = None
    promotability: dict[str, Any] | None = None
    retention_expires_at: datetime | None = None
    runtime_defaults: TemplateRuntimeDefaults | None = None
    oci_metadata: dict[str, Any] | None = None
    artifact_ids: list[str] = field(default_factory=list)
    error: str | None = None
    error_detail: TemplateFailureDetail | None = None
    retry_of_build_id: str | None = None
    original_build_id: str | None = None
    cancel_requested_at: datetime | None = None
    cancel_requested_by: str | None = None
    cancellation_reason: str | None = None

    @property
    def id(self) -> str:
        """The same as ``build_id``."""
        return self.build_id

    def is_terminal(self) -> bool:
        """Whether the build has ended, one way or the other."""
        return self.status.is_terminal

    def to_dict(self) -> dict[str, Any]:
        """The build as JSON-able values, without what is not known."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        result = plain(known)
        assert isinstance(result, dict)
        return result


BuildFields = dict[str, Any]


def build_fields(value: object) -> BuildFields:
    """Reads a build object into the fields of ``TemplateBuildInfo``."""
    reader = Reader("build", value)
    name = reader.text("name")
    moments = (
        "queued_at",
        "started_at",
        "finished_at",
        "retention_expires_at",
        "cancel_requested_at",
    )
    words = (
        "source_digest",
        "context_digest",
        "dockerfile_digest",
        "triggered_by",
        "failure_phase",
        "error",
        "retry_of_build_id",
        "original_build_id",
        "cancel_requested_by",
        "cancellation_reason",
    )
    objects = ("build_config", "cache_summary", "artifact_availability", "promotability", "oci_metadata")
    return {
        "build_id": reader.text("build_id"),
        "template_id": reader.text("template_id"),
        "name": name,
        "tags": reader.texts("tags"),
        "status": reader.choice("status", TemplateBuildStatus),
        "created_at": reader.time("created_at"),
        "updated_at": reader.time("updated_at"),
        "build_backend": reader.choice("build_backend", TemplateBuildBackend, TemplateBuildBackend.NATIVE),
        "source_type": reader.choice("source_type", TemplateBuildSourceType, TemplateBuildSourceType.DECLARATIVE),
        "canonical_ref": reader.text_or("canonical_ref", name),
        "namespace_slug": reader.text_or("namespace_slug", ""),
        "visibility": reader.choice("visibility", TemplateVisibility, TemplateVisibility.PRIVATE),
        "duration_ms": reader.maybe_number("duration_ms"),
        "runtime_defaults": TemplateRuntimeDefaults.parse_optional(reader.raw.get("runtime_defaults")),
        "artifact_ids": reader.texts("artifact_ids"),
        "error_detail": TemplateFailureDetail.parse_optional(reader.raw.get("error_detail")),
        **{key: reader.maybe_time(key) for key in moments},
        **{key: reader.maybe_text(key) for key in words},
        **{key: reader.maybe_mapping(key) for key in objects},
    }


@dataclass(frozen=True)
class TemplateBuildStatusSnapshot:
    """A build at one moment, with the log entries since the asked offset."""

    build: TemplateBuildInfo
    entries: list[TemplateBuildLogEntry]
    next_offset: int

    @classmethod
    def parse(cls, value: object) -> TemplateBuildStatusSnapshot:
        """Reads a status answer."""
        reader = Reader("build status", value)
        return cls(
            build=TemplateBuildInfo(**build_fields(reader.raw.get("build"))),
            entries=[parse_log_entry(entry) for entry in reader.objects("entries")],
            next_offset=reader.number("next_offset"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The snapshot as JSON-able values."""
        entries = [plain(asdict(entry)) for entry in self.entries]
        return {"build": self.build.to_dict(), "entries": entries, "next_offset": self.next_offset}


@dataclass(frozen=True)
class TemplateBuildListResponse:
    """One page of a template's build history."""

    builds: list[TemplateBuildInfo]
    next_cursor: str | None = None

    @classmethod
    def parse(cls, value: object) -> TemplateBuildListResponse:
        """Reads a page."""
        reader = Reader("build list", value)
        builds = [TemplateBuildInfo(**build_fields(build)) for build in reader.objects("builds")]
        return cls(builds, reader.maybe_text("next_cursor"))


@dataclass(frozen=True)
class TemplateBuildValidationError:
    """One thing wrong with a build request."""

    code: str
    message: str
    phase: str | None = None


@dataclass(frozen=True)
class TemplateBuildValidationResponse:
    """Whether a build request would be accepted."""

    valid: bool
    errors: list[TemplateBuildValidationError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, value: object) -> TemplateBuildValidationResponse:
        """Reads the verdict."""
        reader = Reader("validation", value)
        problems = [Reader("validation error", problem) for problem in reader.objects("errors")]
        errors = [
            TemplateBuildValidationError(problem.text("code"), problem.text("message"), problem.maybe_text("phase"))
            for problem in problems
        ]
        return cls(reader.flag("valid"), errors, reader.texts("warnings"))


@dataclass(frozen=True)
class TemplateBuildPlanResponse:
    """What a build request would do, without doing it."""

    build_plan: dict[str, Any]
    requires_base_image_auth: bool = False
    build_backend: TemplateBuildBackend = TemplateBuildBackend.NATIVE
    source_type: TemplateBuildSourceType = TemplateBuildSourceType.DECLARATIVE
    warnings: list[str] = field(default_factory=list)
    source_digest: str | None = None
    dockerfile_digest: str | None = None
    context_manifest: dict[str, Any] | None = None

    @classmethod
    def parse(cls, value: object) -> TemplateBuildPlanResponse:
        """Reads the plan."""
        reader = Reader("build plan", value)
        return cls(
            build_plan=reader.mapping("build_plan"),
            requires_base_image_auth=reader.flag("requires_base_image_auth"),
            build_backend=reader.choice("build_backend", TemplateBuildBackend, TemplateBuildBackend.NATIVE),
            source_type=reader.choice("source_type", TemplateBuildSourceType, TemplateBuildSourceType.DECLARATIVE),
            warnings=reader.texts("warnings"),
            source_digest=reader.maybe_text("source_digest"),
            dockerfile_digest=reader.maybe_text("dockerfile_digest"),
            context_manifest=reader.maybe_mapping("context_manifest"),
        )
