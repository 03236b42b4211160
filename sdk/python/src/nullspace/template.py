"""``Template``: defining, building and managing prepared environments."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any, TypeVar

from . import build_flows as flows
from .build_model import (
    TemplateBuildBackend,
    TemplateBuildPlanResponse,
    TemplateBuildValidationResponse,
)
from .builder import TemplateBuildSecret
from .client import Client
from .payload import BuildOptions, definition_payload, payload
from .pool_model import TemplateWarmPoolVersionPolicy
from .registry import TemplateRegistry, run_once
from .sandbox_model import WarmPoolCheckoutMode
from .template_build import TemplateBuild
from .template_rename import Rename
from .template_start import TemplateStart
from .warm_pool import TemplateWarmPool
from .wire import without_none

T = TypeVar("T")
Strings = builtins.list[str]
Secrets = Iterable[TemplateBuildSecret | dict[str, Any]] | None


class Template(TemplateStart, TemplateRegistry):
    """A template: the builder that defines one, and the operations on those the server has."""

    rename = Rename()
    """``builder.rename(src, dst, force=)`` is a step; ``Template.rename(ref, new_name)`` renames a template."""

    @staticmethod
    def inspect_build_context(
        builder: TemplateStart, name_or_ref: str | None = None, *, name: str | None = None
    ) -> dict[str, Any]:
        """What a build would upload, without starting it or reading more than sizes and digests."""
        request = payload(builder, BuildOptions(name_or_ref=name_or_ref, name=name))
        files = [entry for entry in request.entries if not entry.is_dir]
        total = sum(entry.size_bytes for entry in files)
        return {
            "dry_run": True,
            "request": request.with_files([entry.bare() for entry in request.entries]),
            "context": {
                "total_bytes": total,
                "file_count": len(files),
                "directory_count": len(request.entries) - len(files),
                "files": [entry.descriptor() for entry in files],
                "directories": [entry.bare() for entry in request.entries if entry.is_dir],
            },
        }

    def to_json(self, *, name: str | None = None, tags: Strings | None = None) -> dict[str, Any]:
        """The definition as a request body with the files inside."""
        definition = definition_payload(self)
        return {**definition.inline(), **without_none({"name": name, "tags": tags})}

    @staticmethod
    def build(
        builder: TemplateStart,
        name_or_ref: str | None = None,
        *,
        name: str | None = None,
        tags: Strings | None = None,
        cpu_count: int = 2,
        memory_mb: int = 512,
        disk_mb: int | None = None,
        internet_access: bool = True,
        build_backend: TemplateBuildBackend | str | None = None,
        build_secrets: Secrets = None,
        skip_cache: bool = False,
        on_log_entry: flows.OnLogEntry | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> TemplateBuild:
        """Builds a template and waits for it; raises ``BuildError`` if it fails."""
        options = BuildOptions(
            name_or_ref=name_or_ref,
            name=name,
            tags=tags,
            cpu_count=cpu_count,
            memory_mb=memory_mb,
            disk_mb=disk_mb,
            internet_access=internet_access,
            build_backend=build_backend,
            build_secrets=build_secrets,
            skip_cache=skip_cache,
        )
        request = payload(builder, options)
        client = Client.open(api_key, base_url)
        return TemplateBuild.of(client.run(flows.build(request, on_log_entry)), client)

    @staticmethod
    def build_in_background(
        builder: TemplateStart,
        name_or_ref: str | None = None,
        *,
        name: str | None = None,
        tags: Strings | None = None,
        cpu_count: int = 2,
        memory_mb: int = 512,
        disk_mb: int | None = None,
        internet_access: bool = True,
        build_backend: TemplateBuildBackend | str | None = None,
        build_secrets: Secrets = None,
        skip_cache: bool = False,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> TemplateBuild:
        """Starts a build and returns at once."""
        options = BuildOptions(
            name_or_ref=name_or_ref,
            name=name,
            tags=tags,
            cpu_count=cpu_count,
            memory_mb=memory_mb,
            disk_mb=disk_mb,
            internet_access=internet_access,
            build_backend=build_backend,
            build_secrets=build_secrets,
            skip_cache=skip_cache,
        )
        request = payload(builder, options)
        client = Client.open(api_key, base_url)
        return TemplateBuild.of(client.run(flows.start(request)), client)

    @staticmethod
    def validate(
        builder: TemplateStart,
        name_or_ref: str | None = None,
        *,
        name: str | None = None,
        tags: Strings | None = None,
        cpu_count: int = 2,
        memory_mb: int = 512,
        internet_access: bool = True,
        build_backend: TemplateBuildBackend | str | None = None,
        build_secrets: Secrets = None,
        skip_cache: bool = False,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> TemplateBuildValidationResponse:
        """Asks whether a build request would be accepted, without starting it."""
        options = BuildOptions(
            name_or_ref=name_or_ref,
            name=name,
            tags=tags,
            cpu_count=cpu_count,
            memory_mb=memory_mb,
            internet_access=internet_access,
            build_backend=build_backend,
            build_secrets=build_secrets,
            skip_cache=skip_cache,
        )
        return run_once(flows.validate(payload(builder, options)), api_key, base_url)

    @staticmethod
    def plan(
        builder: TemplateStart,
        name_or_ref: str | None = None,
        *,
        name: str | None = None,
        tags: Strings | None = None,
        cpu_count: int = 2,
        memory_mb: int = 512,
        internet_access: bool = True,
        build_backend: TemplateBuildBackend | str | None = None,
        build_secrets: Secrets = None,
        skip_cache: bool = False,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> TemplateBuildPlanResponse:
        """Asks what a build request would do, without starting it."""
        options = BuildOptions(
            name_or_ref=name_or_ref,
            name=name,
            tags=tags,
            cpu_count=cpu_count,
            memory_mb=memory_mb,
            internet_access=internet_access,
            build_backend=build_backend,
            build_secrets=build_secrets,
            skip_cache=skip_cache,
        )
        return run_once(flows.plan(payload(builder, options)), api_key, base_url)

    @staticmethod
    def create_warm_pool(
        template: str,
        *,
        name: str,
        min_ready: int,
        max_ready: int,
        vcpus: int = 2,
        memory_mb: int = 512,
        disk_mb: int | None = None,
        idle_timeout_seconds: int | None = None,
        stale_after_seconds: int | None = None,
        checkout_policy: WarmPoolCheckoutMode | str | None = None,
        version_policy: TemplateWarmPoolVersionPolicy | str | None = None,
        track_tag: str | None = None,
        labels: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        request_timeout: float | None = None,
    ) -> TemplateWarmPool:
        """The same as ``TemplateWarmPool.create``."""
        return TemplateWarmPool.create(
            template,
            name=name,
            min_ready=min_ready,
            max_ready=max_ready,
            vcpus=vcpus,
            memory_mb=memory_mb,
            disk_mb=disk_mb,
            idle_timeout_seconds=idle_timeout_seconds,
            stale_after_seconds=stale_after_seconds,
            checkout_policy=checkout_policy,
            version_policy=version_policy,
            track_tag=track_tag,
            labels=labels,
            metadata=metadata,
            api_key=api_key,
            base_url=base_url,
            request_timeout=request_timeout,
        )
