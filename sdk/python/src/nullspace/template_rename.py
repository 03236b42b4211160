"""``rename`` of ``Template``: one published name with two meanings."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from . import template_flows as refs
from .registry import run_once
from .template_model import TemplateInfo

if TYPE_CHECKING:
    from .template import Template


class Rename:
    """Two published meanings of one name: on a builder a step, on the class an operation on the server."""

    @overload
    def __get__(self, builder: None, owner: type[Template]) -> RenameTemplate: ...

    @overload
    def __get__(self, builder: Template, owner: type[Template]) -> RenamePath: ...

    def __get__(self, builder: Template | None, owner: type[Template]) -> RenameTemplate | RenamePath:
        return RenameTemplate() if builder is None else RenamePath(builder)


class RenameTemplate:
    """Renames a template on the server; the old name stays as an alias."""

    def __call__(
        self, template_ref: str, new_name: str, *, api_key: str | None = None, base_url: str | None = None
    ) -> TemplateInfo:
        flow = refs.change("POST", template_ref, "/rename", {"new_name": new_name})
        return run_once(flow, api_key, base_url)


class RenamePath:
    """Adds a step that moves a path inside the template."""

    def __init__(self, builder: Template) -> None:
        self._builder = builder

    def __call__(self, src: str, dst: str, *, force: bool = False) -> Template:
        self._builder._step("rename", src=src, dst=dst, force=force)
        return self._builder
