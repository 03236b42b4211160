"""``AsyncTemplate``: building and managing templates from ``asyncio``. Builders are those of ``Template``."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any, TypeVar

from . import build_flows as flows
from .async_registry import AsyncTemplateRegistry, run_once
from .build_model import (
    TemplateBuildBackend,
    TemplateBuildPlanResponse,
    TemplateBuildValidationResponse,
)
from .builder import TemplateBuildSecret
from .client import AsyncClient
from .payload import BuildOptions, payload
from .template_build import AsyncTemplateBuild
from .template_start import TemplateStart

T = TypeVar("T")
Strings = builtins.list[str]
Secrets = Iterable[TemplateBuildSecret | dict[str, Any]] | None


class AsyncTemplate(AsyncTemplateRegistry):
    """The operations of ``Template`` for ``asyncio``."""

    @staticmethod
    async def build(
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
    ) -> AsyncTemplateBuild:
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
        client = AsyncClient.open(api_key, base_url)
        return AsyncTemplateBuild.of(await client.run(flows.build(request, on_log_entry)), client)

    @staticmethod
    async def build_in_background(
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
    ) -> AsyncTemplateBuild:
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
        client = AsyncClient.open(api_key, base_url)
        return AsyncTemplateBuild.of(await client.run(flows.start(request)), client)

    @staticmethod
    async def validate(
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
        return await run_once(flows.validate(payload(builder, options)), api_key, base_url)

    @staticmethod
    async def plan(
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
        return await run_once(flows.plan(payload(builder, options)), api_key, base_url)
