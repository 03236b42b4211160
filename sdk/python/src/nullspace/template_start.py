"""The ways to start a template: the ``from_`` methods of ``Template``."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Self

from . import base_images
from .base_images import Base, ServiceAccount
from .builder import TemplateBuilder

DEFAULT_IMAGE = "ubuntu:22.04"


class TemplateStart(TemplateBuilder):
    """A builder that can be started from an image, a template or a Dockerfile."""

    @classmethod
    def from_image(
        cls,
        image: str,
        *,
        username: str | None = None,
        password: str | None = None,
        file_context_path: str | None = None,
        file_ignore_patterns: builtins.list[str] | None = None,
    ) -> Self:
        """Starts from a registry image."""
        return cls._from(base_images.image(image, None, username, password), file_context_path, file_ignore_patterns)

    @classmethod
    def from_base_image(
        cls,
        image: str | None = None,
        *,
        username: str | None = None,
        password: str | None = None,
        file_context_path: str | None = None,
        file_ignore_patterns: builtins.list[str] | None = None,
    ) -> Self:
        """Starts from an image, by default a plain Ubuntu."""
        if image is None and (username, password) != (None, None):
            raise ValueError("credentials need an image")
        return cls._from(
            base_images.image(image or DEFAULT_IMAGE, None, username, password), file_context_path, file_ignore_patterns
        )

    @classmethod
    def from_ubuntu_image(
        cls,
        version: str = "22.04",
        *,
        file_context_path: str | None = None,
        file_ignore_patterns: builtins.list[str] | None = None,
    ) -> Self:
        """Starts from Ubuntu."""
        return cls._from(Base(f"ubuntu:{version}"), file_context_path, file_ignore_patterns)

    @classmethod
    def from_debian_image(
        cls,
        tag: str = "stable-slim",
        *,
        username: str | None = None,
        password: str | None = None,
        file_context_path: str | None = None,
        file_ignore_patterns: builtins.list[str] | None = None,
    ) -> Self:
        """Starts from Debian."""
        return cls._from(
            base_images.image(f"debian:{tag}", None, username, password), file_context_path, file_ignore_patterns
        )

    @classmethod
    def from_python_image(
        cls,
        version: str,
        *,
        variant: str | None = None,
        username: str | None = None,
        password: str | None = None,
        file_context_path: str | None = None,
        file_ignore_patterns: builtins.list[str] | None = None,
    ) -> Self:
        """Starts from a Python image."""
        return cls._from(
            base_images.image(f"python:{version}", variant, username, password), file_context_path, file_ignore_patterns
        )

    @classmethod
    def from_node_image(
        cls,
        version: str,
        *,
        variant: str | None = None,
        username: str | None = None,
        password: str | None = None,
        file_context_path: str | None = None,
        file_ignore_patterns: builtins.list[str] | None = None,
    ) -> Self:
        """Starts from a Node image."""
        return cls._from(
            base_images.image(f"node:{version}", variant, username, password), file_context_path, file_ignore_patterns
        )

    @classmethod
    def from_bun_image(
        cls,
        version: str,
        *,
        username: str | None = None,
        password: str | None = None,
        file_context_path: str | None = None,
        file_ignore_patterns: builtins.list[str] | None = None,
    ) -> Self:
        """Starts from a Bun image."""
        return cls._from(
            base_images.image(f"oven/bun:{version}", None, username, password), file_context_path, file_ignore_patterns
        )

    @classmethod
    def from_template(
        cls,
        template_name: str,
        *,
        file_context_path: str | None = None,
        file_ignore_patterns: builtins.list[str] | None = None,
    ) -> Self:
        """Starts from another template; a bare name means a builtin one."""
        return cls._from(base_images.template(template_name), file_context_path, file_ignore_patterns)

    @classmethod
    def from_gcp_registry(cls, image: str, *, service_account_json: ServiceAccount) -> Self:
        """Starts from an image in Google's registry."""
        return cls._from(Base(image, auth=base_images.gcp_auth(service_account_json)), None, None)

    @classmethod
    def from_aws_registry(
        cls, image: str, *, access_key_id: str, secret_access_key: str, region: str, session_token: str | None = None
    ) -> Self:
        """Starts from an image in Amazon's registry."""
        auth = base_images.aws_auth(access_key_id, secret_access_key, region, session_token)
        return cls._from(Base(image, auth=auth), None, None)

    @classmethod
    def from_dockerfile(
        cls,
        path: str,
        *,
        file_context_path: str | None = None,
        file_ignore_patterns: builtins.list[str] | None = None,
    ) -> Self:
        """Builds a Dockerfile; its directory is the context unless another is given."""
        file = Path(path).resolve()
        base = Base(dockerfile=file.read_text(encoding="utf-8"), dockerfile_path=file)
        return cls._from(base, file_context_path or str(file.parent), file_ignore_patterns)

    @classmethod
    def from_dockerfile_content(
        cls,
        content: str,
        *,
        path_hint: str | None = None,
        file_context_path: str | None = None,
        file_ignore_patterns: builtins.list[str] | None = None,
    ) -> Self:
        """Builds the text of a Dockerfile; ``path_hint`` says which file it would be."""
        base = Base(dockerfile=content, dockerfile_path=Path(path_hint).resolve() if path_hint else None)
        return cls._from(base, file_context_path, file_ignore_patterns)

    @classmethod
    def _from(cls, base: Base, context: str | None, ignore: builtins.list[str] | None) -> Self:
        builder = cls()
        builder._base = base
        if context is not None:
            builder.set_file_context(context, ignore)
        return builder
