"""From a builder to the body of a build request. The same for building, validating and planning."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .build_model import TemplateBuildBackend
from .builder import CopyItem, CopyStep, TemplateBuilder, TemplateBuildSecret, secrets
from .context import ContextEntry, IgnoreRules, directory_entries, source_entries
from .errors import InvalidRequestError

SECRET_ID = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class BuildOptions:
    """What a request says beside the builder."""

    name_or_ref: str | None = None
    name: str | None = None
    tags: list[str] | None = None
    cpu_count: int = 2
    memory_mb: int = 512
    disk_mb: int | None = None
    internet_access: bool = True
    build_backend: TemplateBuildBackend | str | None = None
    build_secrets: Iterable[TemplateBuildSecret | dict[str, Any]] | None = None
    skip_cache: bool = False


@dataclass(frozen=True)
class Payload:
    """A request body without its context files, and the files it refers to."""

    body: dict[str, Any]
    entries: list[ContextEntry]

    def with_files(self, files: list[dict[str, Any]]) -> dict[str, Any]:
        """The body with the context in its place."""
        if not files:
            return self.body
        before = {key: self.body[key] for key in BEFORE_CONTEXT if key in self.body}
        return {**before, "build_context": {"files": files}, **{k: v for k, v in self.body.items() if k not in before}}

    def inline(self) -> dict[str, Any]:
        """The body with the bytes of every file inside."""
        return self.with_files([entry.inline() for entry in self.entries])


BEFORE_CONTEXT = ("base_image", "dockerfile", "steps", "build_envs", "start_cmd")


def payload(builder: TemplateBuilder, options: BuildOptions) -> Payload:
    """The whole request."""
    definition = definition_payload(builder)
    body = dict(definition.body)
    name, tags = identity(options)
    if name is not None:
        body["name"] = name
    if tags is not None:
        body["tags"] = tags
    config: dict[str, Any] = {"vcpus": options.cpu_count, "memory_mib": options.memory_mb}
    if not options.internet_access:
        config["internet_access"] = False
    if options.disk_mb is not None:
        config["disk_mb"] = options.disk_mb
    body["build_config"] = config
    if options.build_backend is not None:
        backend = TemplateBuildBackend(options.build_backend)
        if backend is TemplateBuildBackend.NATIVE and "dockerfile" in body:
            raise InvalidRequestError("build_backend: a Dockerfile is built by `buildkit`, not `native`")
        body["build_backend"] = backend.value
    if chosen := secret_payload([*builder._secrets, *secrets(options.build_secrets)]):
        body["build_secrets"] = chosen
    if options.skip_cache:
        body["skip_cache"] = True
    return Payload(body, definition.entries)


def definition_payload(builder: TemplateBuilder) -> Payload:
    """What the builder alone says."""
    base = builder._base
    if base is None:
        raise ValueError("the template has no base: start with Template.from_python_image(...) or another from_ method")
    body: dict[str, Any] = {}
    if base.dockerfile is not None:
        # Steps of a Dockerfile builder do not travel: the Dockerfile is the whole recipe (spec templates §7.2).
        body["dockerfile"] = base.dockerfile
        entries = dockerfile_entries(builder)
    else:
        body["base_image"] = base.image
        steps, entries = numbered_steps(builder)
        if steps or builder._build_envs or builder._start_cmd is not None:
            body["steps"] = steps
    if builder._build_envs:
        body["build_envs"] = dict(builder._build_envs)
    if builder._start_cmd is not None:
        body["start_cmd"] = builder._start_cmd
    if builder._runtime:
        body["runtime_config"] = dict(builder._runtime)
    if base.auth is not None:
        body["base_image_auth"] = base.auth
    return Payload(body, entries)


def identity(options: BuildOptions) -> tuple[str | None, list[str] | None]:
    """Name and tags; the positional shorthand ``"name"`` or ``"name:tag"`` is split here."""
    name, tags = options.name, options.tags
    if tags is not None and not tags:
        raise ValueError("tags must not be empty: leave it out to get the tag `default`")
    shorthand = options.name_or_ref
    if shorthand is None:
        return name, tags
    if name is not None:
        raise ValueError("give the name once: positionally or as name=")
    bare, _, tag = shorthand.partition(":")
    if "/" in bare or bare.startswith("tmpl_") or tag.startswith("tb_"):
        raise ValueError(f"{shorthand!r} is not a name or name:tag; use name= for a namespaced name")
    if tag and tags is not None:
        raise ValueError("give the tag once: in the name or as tags=")
    return bare, [tag] if tag else tags


def secret_payload(chosen: list[TemplateBuildSecret]) -> list[dict[str, str]]:
    """Secrets on the wire, with ids checked and unique."""
    seen: set[str] = set()
    for secret in chosen:
        if not SECRET_ID.fullmatch(secret.id):
            raise ValueError(
                f"build secret id {secret.id!r} may contain letters, digits, dot, dash and underscore only"
            )
        if secret.id in seen:
            raise ValueError(f"build secret `{secret.id}` is given twice")
        seen.add(secret.id)
    return [{"id": secret.id, "value": secret.value, "source": secret.source.value} for secret in chosen]


def numbered_steps(builder: TemplateBuilder) -> tuple[list[dict[str, Any]], list[ContextEntry]]:
    """The steps, with the sources of copies replaced by context paths that count all steps."""
    root = builder._context_root
    rules = IgnoreRules(root, builder._ignore_patterns, [".dockerignore"])
    steps: list[dict[str, Any]] = []
    entries: list[ContextEntry] = []

    def copied(item: CopyItem, prefix: str) -> dict[str, Any]:
        """``prefix`` ends where the index of the source follows; a lone source of an item needs none."""
        references = []
        for index, source in enumerate(item.sources):
            local = _normal((root or Path.cwd()) / source)
            place = prefix.format(index=index)
            reference, found = source_entries(local, place, rules, "force_upload" in item.options)
            references.append(reference)
            entries.extend(found)
        return {"sources": references, "dst": item.dst, **item.options}

    for number, step in enumerate(builder._steps):
        if not isinstance(step, CopyStep):
            steps.append(step)
        elif step.action == "copy":
            steps.append({"action": "copy", **copied(step.items[0], f"builder-context/step-{number}/src-{{index}}")})
        else:
            items = []
            for position, item in enumerate(step.items):
                several = "-{index}" if len(item.sources) > 1 else ""
                items.append(copied(item, f"builder-context/step-{number}/src-{position}{several}"))
            steps.append({"action": step.action, "items": items})
    return steps, entries


def dockerfile_entries(builder: TemplateBuilder) -> list[ContextEntry]:
    """The context of a Dockerfile: all below its root, without the Dockerfile and the ignore files themselves."""
    root = builder._context_root
    if root is None:
        return []
    path = builder._base.dockerfile_path if builder._base else None
    name = path.name if path else "Dockerfile"
    own = f"{name}.dockerignore"
    inside = path.relative_to(root).as_posix() if path and path.is_relative_to(root) else name
    rules = IgnoreRules(root, builder._ignore_patterns, [f"{inside}.dockerignore", own, ".dockerignore"])
    skip = frozenset({inside, f"{inside}.dockerignore", own, ".dockerignore"})
    return directory_entries(root, "", rules, skip=skip)


def _normal(path: Path) -> Path:
    return Path(path.parent.resolve(), path.name) if path.name not in ("", "..") else path.resolve()
