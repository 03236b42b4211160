"""What the server says about templates, their tags and names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .wire import Reader


class TemplateVisibility(StrEnum):
    """Who may start sandboxes from a template."""

    PRIVATE = "private"
    PUBLIC = "public"


class TemplateNamespaceKind(StrEnum):
    """Whose namespace it is."""

    SYSTEM = "system"
    USER = "user"
    DEPLOYMENT = "deployment"


@dataclass(frozen=True)
class TemplateRuntimeDefaults:
    """What sandboxes of a template start with. The values of environment variables are never shown."""

    default_env_keys: list[str] = field(default_factory=list)
    start_cmd: str | None = None
    default_user: str | None = None
    default_workdir: str | None = None
    readiness: dict[str, Any] | None = None

    @classmethod
    def parse_optional(cls, value: object) -> TemplateRuntimeDefaults | None:
        """Reads the object where there is one."""
        if value is None:
            return None
        reader = Reader("runtime_defaults", value)
        return cls(
            default_env_keys=reader.texts("default_env_keys"),
            start_cmd=reader.maybe_text("start_cmd"),
            default_user=reader.maybe_text("default_user"),
            default_workdir=reader.maybe_text("default_workdir"),
            readiness=reader.maybe_mapping("readiness"),
        )


@dataclass(frozen=True)
class TemplateInfo:
    """A template."""

    id: str
    name: str
    description: str
    tags: list[str] = field(default_factory=list)
    default_tag: str | None = None
    builtin: bool = False
    canonical_ref: str | None = None
    namespace_slug: str | None = None
    visibility: TemplateVisibility = TemplateVisibility.PRIVATE
    runtime_defaults: TemplateRuntimeDefaults | None = None

    @property
    def ref(self) -> str:
        """The ref to name this template by."""
        return self.canonical_ref or self.name

    @classmethod
    def parse(cls, value: object) -> TemplateInfo:
        """Reads a template object."""
        reader = Reader("template", value)
        name, builtin = reader.text_or("name", ""), reader.flag("builtin")
        default_tag = reader.maybe_text("default_tag")
        return cls(
            id=reader.text_or("id", ""),
            name=name,
            description=reader.text_or("description", ""),
            tags=reader.texts("tags"),
            default_tag=default_tag,
            builtin=builtin,
            canonical_ref=reader.maybe_text("canonical_ref") or (f"{name}:{default_tag}" if default_tag else name),
            namespace_slug=reader.maybe_text("namespace_slug") or ("nullspace" if builtin else None),
            visibility=reader.choice(
                "visibility",
                TemplateVisibility,
                TemplateVisibility.PUBLIC if builtin else TemplateVisibility.PRIVATE,
            ),
            runtime_defaults=TemplateRuntimeDefaults.parse_optional(reader.raw.get("runtime_defaults")),
        )


@dataclass(frozen=True)
class TemplateTagInfo:
    """A tag and the build it points at."""

    tag: str
    build_id: str
    created_at: datetime

    @classmethod
    def parse(cls, value: object) -> TemplateTagInfo:
        """Reads a tag object."""
        reader = Reader("tag", value)
        return cls(reader.text("tag"), reader.text("build_id"), reader.time("created_at"))


@dataclass(frozen=True)
class TemplateAliasInfo:
    """A former name that still works."""

    alias_ref: str
    created_at: datetime

    @classmethod
    def parse(cls, value: object) -> TemplateAliasInfo:
        """Reads an alias object."""
        reader = Reader("alias", value)
        return cls(reader.text("alias_ref"), reader.time("created_at"))


@dataclass(frozen=True)
class TemplateNameClaim:
    """A name reserved for a short while."""

    claim_token: str
    canonical_ref: str
    expires_at: datetime

    @classmethod
    def parse(cls, value: object) -> TemplateNameClaim:
        """Reads a claim object."""
        reader = Reader("name claim", value)
        return cls(reader.text("claim_token"), reader.text("canonical_ref"), reader.time("expires_at"))


@dataclass(frozen=True)
class TemplateNamespaceInfo:
    """A namespace."""

    slug: str
    kind: TemplateNamespaceKind
    is_default: bool

    @classmethod
    def parse(cls, value: object) -> TemplateNamespaceInfo:
        """Reads a namespace object."""
        reader = Reader("namespace", value)
        return cls(reader.text("slug"), reader.choice("kind", TemplateNamespaceKind), reader.flag("is_default"))
