"""Operations on templates that exist, for ``AsyncTemplate``."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any, TypeVar

from . import template_flows as refs
from .build_model import (
    TemplateBuildBackend,
    TemplateBuildListResponse,
    TemplateBuildSourceType,
    TemplateBuildStatus,
)
from .builder import TemplateBuildSecret
from .client import AsyncClient
from .flow import Flow
from .template_model import (
    TemplateAliasInfo,
    TemplateInfo,
    TemplateNameClaim,
    TemplateNamespaceInfo,
    TemplateTagInfo,
    TemplateVisibility,
)

T = TypeVar("T")
Strings = builtins.list[str]
Secrets = Iterable[TemplateBuildSecret | dict[str, Any]] | None


class AsyncTemplateRegistry:
    """The asynchronous twin of ``TemplateRegistry``."""

    @staticmethod
    async def get(template_ref: str, *, api_key: str | None = None, base_url: str | None = None) -> TemplateInfo:
        """A template."""
        return await run_once(refs.get(template_ref), api_key, base_url)

    @staticmethod
    async def exists(template_ref: str, *, api_key: str | None = None, base_url: str | None = None) -> bool:
        """Whether the ref names a template."""
        return await run_once(refs.exists(template_ref), api_key, base_url)

    @staticmethod
    async def list(*, api_key: str | None = None, base_url: str | None = None) -> builtins.list[TemplateInfo]:
        """All templates the key can see."""
        return await run_once(refs.listing(), api_key, base_url)

    @staticmethod
    async def delete(template_ref: str, *, api_key: str | None = None, base_url: str | None = None) -> None:
        """Deletes a template."""
        return await run_once(refs.delete("refs", template_ref), api_key, base_url)

    @staticmethod
    async def list_builds(
        template_ref: str,
        *,
        status: TemplateBuildStatus | str | None = None,
        backend: TemplateBuildBackend | str | None = None,
        source_type: TemplateBuildSourceType | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> TemplateBuildListResponse:
        """One page of the build history, failed and untagged attempts included."""
        query = {
            "status": None if status is None else TemplateBuildStatus(status).value,
            "backend": None if backend is None else TemplateBuildBackend(backend).value,
            "source_type": None if source_type is None else TemplateBuildSourceType(source_type).value,
            "limit": limit,
            "cursor": cursor,
        }
        return await run_once(refs.builds(template_ref, query), api_key, base_url)

    @staticmethod
    async def get_tags(
        template_ref: str, *, api_key: str | None = None, base_url: str | None = None
    ) -> builtins.list[TemplateTagInfo]:
        """The tags of a template."""
        return await run_once(refs.tags(template_ref), api_key, base_url)

    @staticmethod
    async def assign_tags(
        template_ref: str, tags: Strings, *, api_key: str | None = None, base_url: str | None = None
    ) -> TemplateInfo:
        """Puts tags on the build the ref names."""
        return await run_once(refs.change("POST", template_ref, "/tags", {"tags": tags}), api_key, base_url)

    @staticmethod
    async def remove_tag(
        template_ref: str, tag: str, *, api_key: str | None = None, base_url: str | None = None
    ) -> None:
        """Removes a tag."""
        return await run_once(refs.delete("refs", template_ref, "tags", tag), api_key, base_url)

    @staticmethod
    async def list_aliases(
        template_ref: str, *, api_key: str | None = None, base_url: str | None = None
    ) -> builtins.list[TemplateAliasInfo]:
        """The former names of a template."""
        return await run_once(refs.aliases(template_ref), api_key, base_url)

    @staticmethod
    async def remove_alias(
        template_ref: str, alias: str, *, api_key: str | None = None, base_url: str | None = None
    ) -> None:
        """Removes a former name."""
        return await run_once(refs.delete("refs", template_ref, "aliases", alias), api_key, base_url)

    @staticmethod
    async def set_visibility(
        template_ref: str,
        visibility: TemplateVisibility | str,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> TemplateInfo:
        """Says who may use a template."""
        return await run_once(
            refs.change("PATCH", template_ref, "/visibility", {"visibility": TemplateVisibility(visibility).value}),
            api_key,
            base_url,
        )

    @staticmethod
    async def reserve_name(
        template_ref: str, *, api_key: str | None = None, base_url: str | None = None
    ) -> TemplateNameClaim:
        """Reserves a name for a short while."""
        return await run_once(refs.claim(template_ref), api_key, base_url)

    @staticmethod
    async def release_name_claim(claim_token: str, *, api_key: str | None = None, base_url: str | None = None) -> None:
        """Gives a reserved name back."""
        return await run_once(refs.delete("claims", claim_token), api_key, base_url)

    @staticmethod
    async def get_namespace(
        slug: str, *, api_key: str | None = None, base_url: str | None = None
    ) -> TemplateNamespaceInfo:
        """A namespace."""
        return await run_once(refs.namespace(slug), api_key, base_url)


async def run_once(flow: Flow[T], api_key: str | None, base_url: str | None) -> T:
    """Runs one flow with a client of its own."""
    client = AsyncClient.open(api_key, base_url)
    try:
        return await client.run(flow)
    finally:
        await client.close()
