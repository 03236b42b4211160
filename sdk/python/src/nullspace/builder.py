"""The steps of a template, in the order they were called. Nothing is sent and no file is read before serialising."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from . import base_images
from .base_images import Base, ServiceAccount
from .readiness import ReadinessProbe, probe_payload
from .wire import without_none

Mode = int | str
Step = dict[str, Any]


class TemplateBuildSecretSource(StrEnum):
    """Where a secret came from; only a hint for the reader of a build."""

    VALUE = "value"
    ENV = "env"
    FILE = "file"


@dataclass(frozen=True)
class TemplateBuildSecret:
    """A value a Dockerfile build may mount. It is sent with the build and stored nowhere."""

    id: str
    value: str
    source: TemplateBuildSecretSource = TemplateBuildSecretSource.VALUE

    def __repr__(self) -> str:
        return f"TemplateBuildSecret(id={self.id!r})"  # never the value


@dataclass(frozen=True)
class CopyItem:
    """Local sources to copy to one place, with options that become part of the step."""

    sources: list[str]
    dst: str
    options: dict[str, Any]


@dataclass(frozen=True)
class CopyStep:
    """A copy whose sources get their context paths when the template is serialised."""

    action: str
    items: list[CopyItem]


class TemplateBuilder:
    """Collects what a template is made of. Each method answers the builder, so that calls chain."""

    def __init__(self) -> None:
        self._base: Base | None = None
        self._steps: list[Step | CopyStep] = []
        self._build_envs: dict[str, str] = {}
        self._runtime: dict[str, Any] = {}
        self._start_cmd: str | None = None
        self._secrets: list[TemplateBuildSecret] = []
        self._context_root: Path | None = None
        self._ignore_patterns: list[str] = []

    def apt_install(self, packages: list[str]) -> Self:
        """Installs Debian packages."""
        return self._step("apt_install", packages=list(packages))

    def pip_install(self, packages: list[str], *, g: bool = True) -> Self:
        """Installs Python packages; ``g=False`` for the user only."""
        return self._step("pip_install", packages=list(packages), g=None if g else False)

    def npm_install(self, packages: list[str], *, g: bool = False) -> Self:
        """Installs Node packages; ``g=True`` globally."""
        return self._step("npm_install", packages=list(packages), g=True if g else None)

    def bun_install(self, packages: list[str], *, g: bool = False) -> Self:
        """Installs packages with Bun; ``g=True`` globally."""
        return self._step("bun_install", packages=list(packages), g=True if g else None)

    def run_cmd(self, command: str | list[str], *, user: str | None = None) -> Self:
        """Runs a shell command, or several, one step each."""
        for line in [command] if isinstance(command, str) else command:
            self._step("run", command=line, user=user)
        return self

    def copy(
        self,
        src: str | list[str],
        dst: str,
        *,
        user: str | None = None,
        mode: Mode | None = None,
        force_upload: bool = False,
    ) -> Self:
        """Copies local files, or the contents of local directories, to ``dst``."""
        item = CopyItem([src] if isinstance(src, str) else list(src), dst, _copy_options(user, mode, force_upload))
        self._steps.append(CopyStep("copy", [item]))
        return self

    def copy_items(
        self,
        items: list[tuple[Any, Any] | dict[str, Any]],
        *,
        user: str | None = None,
        mode: Mode | None = None,
        force_upload: bool = False,
    ) -> Self:
        """Copies several things in one step: ``(src, dst)`` pairs, or dicts that may carry options of their own."""
        copies = []
        for item in items:
            given = item if isinstance(item, dict) else {"src": item[0], "dst": item[1]}
            sources = given["src"]
            options = _copy_options(
                given.get("user", user), given.get("mode", mode), given.get("force_upload", force_upload)
            )
            listed = [sources] if isinstance(sources, str | os.PathLike) else sources
            copies.append(CopyItem([os.fspath(source) for source in listed], given["dst"], options))
        self._steps.append(CopyStep("copy_items", copies))
        return self

    def git_clone(
        self, url: str, path: str = "/workspace", *, branch: str | None = None, depth: int | None = None
    ) -> Self:
        """Clones a repository."""
        return self._step("git_clone", url=url, path=path, branch=branch, depth=depth)

    def remove(self, path: str, recursive: bool = False, force: bool = False) -> Self:
        """Removes a path."""
        return self._step("remove", path=path, recursive=recursive, force=force)

    def make_dir(self, path: str, *, mode: Mode | None = None) -> Self:
        """Makes a directory and its parents."""
        return self._step("make_dir", path=path, mode=octal(mode))

    def make_symlink(self, target: str, path: str) -> Self:
        """Makes ``path`` a link to ``target``."""
        return self._step("make_symlink", target=target, path=path)

    def set_workdir(self, path: str) -> Self:
        """Sets the directory of later steps and of the sandboxes."""
        self._runtime["default_workdir"] = path
        return self._step("workdir", path=path)

    def set_user(self, user: str) -> Self:
        """Sets the user of later steps and of the sandboxes."""
        self._runtime["default_user"] = user
        return self._step("user", user=user)

    def skip_cache(self) -> Self:
        """Lets nothing after this point come from the cache."""
        return self._step("skip_cache")

    def set_build_envs(self, envs: dict[str, str]) -> Self:
        """Sets environment variables of the build alone."""
        self._build_envs.update(envs)
        return self

    def set_runtime_envs(self, envs: dict[str, str]) -> Self:
        """Sets environment variables of the start command and of the sandboxes."""
        self._runtime.setdefault("default_envs", {}).update(envs)
        return self

    def set_start_cmd(self, cmd: str, readiness: ReadinessProbe | str | None = None) -> Self:
        """Sets the command that makes a machine ready; it runs before the snapshot."""
        self._start_cmd = cmd
        return self if readiness is None else self.set_ready_cmd(readiness)

    def set_ready_cmd(self, readiness: ReadinessProbe | str) -> Self:
        """Sets how to tell that a machine is ready."""
        self._runtime["readiness"] = probe_payload(readiness)
        return self

    def set_file_context(self, path: str, ignore_patterns: list[str] | None = None) -> Self:
        """Sets the directory that relative sources start from; its ``.dockerignore`` then counts."""
        self._context_root = Path(path).resolve()
        self._ignore_patterns = list(ignore_patterns or [])
        return self

    def set_base_image_auth(self, *, username: str | None = None, password: str | None = None) -> Self:
        """Sets the credentials for the base image."""
        return self._authorise(base_images.basic_auth(username, password))

    def set_gcp_registry_auth(self, *, service_account_json: ServiceAccount) -> Self:
        """Sets credentials for Google's registry."""
        return self._authorise(base_images.gcp_auth(service_account_json))

    def set_aws_registry_auth(
        self, *, access_key_id: str, secret_access_key: str, region: str, session_token: str | None = None
    ) -> Self:
        """Sets credentials for Amazon's registry."""
        return self._authorise(base_images.aws_auth(access_key_id, secret_access_key, region, session_token))

    def add_build_secret(
        self, id: str, value: str, *, source: TemplateBuildSecretSource | str = TemplateBuildSecretSource.VALUE
    ) -> Self:
        """Adds a secret for a Dockerfile build."""
        self._secrets.append(TemplateBuildSecret(id, value, TemplateBuildSecretSource(source)))
        return self

    def add_build_secret_env(self, id: str, env_var: str | None = None) -> Self:
        """Adds a secret from an environment variable, by default the one of the same name."""
        name = env_var or id
        if name not in os.environ:
            raise ValueError(f"build secret `{id}`: the environment variable {name} is not set")
        return self.add_build_secret(id, os.environ[name], source=TemplateBuildSecretSource.ENV)

    def add_build_secret_file(self, id: str, path: str | os.PathLike[str]) -> Self:
        """Adds a secret from a file."""
        text = Path(path).read_text(encoding="utf-8")
        return self.add_build_secret(id, text, source=TemplateBuildSecretSource.FILE)

    def _step(self, action: str, **fields: Any) -> Self:
        self._steps.append({"action": action, **without_none(fields)})
        return self

    def _authorise(self, auth: base_images.Auth | None) -> Self:
        if self._base is None:
            raise ValueError("choose a base image before its credentials")
        self._base = Base(self._base.image, self._base.dockerfile, self._base.dockerfile_path, auth)
        return self


def octal(mode: Mode | None) -> str | None:
    """A file mode as four octal digits: 0o755, ``"755"`` and ``"0755"`` are the same."""
    if mode is None:
        return None
    number = mode if isinstance(mode, int) else int(mode.removeprefix("0o"), 8)
    return f"{number:04o}"


def secrets(given: Iterable[TemplateBuildSecret | dict[str, Any]] | None) -> list[TemplateBuildSecret]:
    """Secrets passed with a request, each either an object or its fields."""
    return [secret if isinstance(secret, TemplateBuildSecret) else _secret(secret) for secret in given or ()]


def _secret(fields: dict[str, Any]) -> TemplateBuildSecret:
    source = TemplateBuildSecretSource(fields.get("source", "value"))
    return TemplateBuildSecret(str(fields["id"]), str(fields["value"]), source)


def _copy_options(user: str | None, mode: Mode | None, force_upload: bool) -> dict[str, Any]:
    return without_none({"user": user, "mode": octal(mode), "force_upload": True if force_upload else None})
