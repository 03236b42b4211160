"""Every builder call against the step it stands for on the wire."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nullspace import (
    InvalidRequestError,
    Template,
    wait_for_file,
    wait_for_process,
    wait_for_timeout,
    wait_for_url,
)

TUNING = {"timeout_secs": 30, "interval_ms": 500, "startup_grace_secs": 2}

STEPS: list[tuple[Callable[[Template], Template], dict[str, Any]]] = [
    (lambda t: t.apt_install(["git"]), {"action": "apt_install", "packages": ["git"]}),
    (lambda t: t.pip_install(["x"]), {"action": "pip_install", "packages": ["x"]}),
    (lambda t: t.pip_install(["x"], g=False), {"action": "pip_install", "packages": ["x"], "g": False}),
    (lambda t: t.npm_install(["x"], g=True), {"action": "npm_install", "packages": ["x"], "g": True}),
    (lambda t: t.bun_install(["x"]), {"action": "bun_install", "packages": ["x"]}),
    (lambda t: t.run_cmd("a", user="u"), {"action": "run", "command": "a", "user": "u"}),
    (lambda t: t.git_clone("u", depth=1), {"action": "git_clone", "url": "u", "path": "/workspace", "depth": 1}),
    (lambda t: t.remove("/r"), {"action": "remove", "path": "/r", "recursive": False, "force": False}),
    (lambda t: t.rename("/a", "/b"), {"action": "rename", "src": "/a", "dst": "/b", "force": False}),
    (lambda t: t.make_dir("/a", mode=0o700), {"action": "make_dir", "path": "/a", "mode": "0700"}),
    (lambda t: t.make_dir("/a", mode="755"), {"action": "make_dir", "path": "/a", "mode": "0755"}),
    (lambda t: t.make_symlink("/t", "/p"), {"action": "make_symlink", "target": "/t", "path": "/p"}),
    (lambda t: t.skip_cache(), {"action": "skip_cache"}),
    (lambda t: t.set_user("u"), {"action": "user", "user": "u"}),
]

BASES: list[tuple[Callable[[], Template], str]] = [
    (lambda: Template.from_image("acme/app:1"), "acme/app:1"),
    (lambda: Template.from_base_image(), "ubuntu:22.04"),
    (lambda: Template.from_ubuntu_image(), "ubuntu:22.04"),
    (lambda: Template.from_debian_image(), "debian:stable-slim"),
    (lambda: Template.from_python_image("3.12", variant="slim"), "python:3.12-slim"),
    (lambda: Template.from_node_image("20"), "node:20"),
    (lambda: Template.from_bun_image("1"), "oven/bun:1"),
    (lambda: Template.from_template("x"), "nullspace/x:latest"),
    (lambda: Template.from_template("x:1"), "nullspace/x:1"),
    (lambda: Template.from_template("x:tb_1"), "x:tb_1"),
    (lambda: Template.from_template("ns/x"), "ns/x"),
    (lambda: Template.from_template("tmpl_1"), "tmpl_1"),
]


@pytest.mark.parametrize(("call", "step"), STEPS)
def test_a_call_is_its_step(call: Callable[[Template], Template], step: dict[str, Any]) -> None:
    assert call(Template.from_debian_image()).to_json()["steps"] == [step]


@pytest.mark.parametrize(("start", "image"), BASES)
def test_a_base_is_its_image(start: Callable[[], Template], image: str) -> None:
    assert start().to_json() == {"base_image": image}


def test_several_commands_are_several_steps() -> None:
    steps = Template.from_debian_image().run_cmd(["a", "b"]).to_json()["steps"]
    assert [step["command"] for step in steps] == ["a", "b"]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pkg" / "in").mkdir(parents=True)
    for name in ("a b.py", "pkg/c.txt", "pkg/in/d.py"):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(0o644)
    for name in ("pkg", "pkg/in"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(template: Template) -> list[str]:
    return [entry["path"] for entry in template.to_json()["build_context"]["files"]]


def test_a_copied_directory_lists_directories_first_and_cleans_only_its_own_name(tree: Path) -> None:
    template = Template.from_debian_image().skip_cache().copy("pkg", "/w", user="u", mode=0o755).copy("a b.py", "/x")
    definition = template.to_json()
    assert definition["steps"][1:] == [
        {
            "action": "copy",
            "sources": ["builder-context/step-1/src-0/pkg"],
            "dst": "/w",
            "user": "u",
            "mode": "0755",
        },
        {"action": "copy", "sources": ["builder-context/step-2/src-0/a_b.py"], "dst": "/x"},
    ]
    assert paths(template) == [
        "builder-context/step-1/src-0/pkg",
        "builder-context/step-1/src-0/pkg/in",
        "builder-context/step-1/src-0/pkg/c.txt",
        "builder-context/step-1/src-0/pkg/in/d.py",
        "builder-context/step-2/src-0/a_b.py",
    ]


def test_items_number_their_sources_only_when_there_are_several(tree: Path) -> None:
    template = Template.from_debian_image().copy_items(
        [("pkg/c.txt", "/z"), {"src": ["pkg/c.txt", "pkg/in/d.py"], "dst": "/q", "mode": "644"}]
    )
    base = "builder-context/step-0/src-"
    assert template.to_json()["steps"][0]["items"] == [
        {"sources": [f"{base}0/c.txt"], "dst": "/z"},
        {"sources": [f"{base}1-0/c.txt", f"{base}1-1/d.py"], "dst": "/q", "mode": "0644"},
    ]


def test_ignore_rules_count_below_a_context_root_only(tree: Path) -> None:
    (tree / ".dockerignore").write_text("**/*.txt\n")
    assert any(path.endswith("c.txt") for path in paths(Template.from_debian_image().copy("pkg", "/w")))
    rooted = Template.from_debian_image().set_file_context(str(tree)).copy("pkg", "/w")
    assert not any(path.endswith("c.txt") for path in paths(rooted))
    with pytest.raises(InvalidRequestError, match="excluded"):
        Template.from_debian_image().set_file_context(str(tree)).copy("pkg/c.txt", "/w").to_json()


def test_links_are_refused(tree: Path) -> None:
    os.symlink("c.txt", tree / "pkg" / "link")
    with pytest.raises(InvalidRequestError, match="symbolic link"):
        Template.from_debian_image().copy("pkg", "/w").to_json()


def test_a_missing_source_is_named(tree: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nope"):
        Template.from_debian_image().copy("nope", "/w").to_json()


def test_a_dockerfile_brings_its_directory_without_itself(tree: Path) -> None:
    (tree / "Dockerfile").write_text("FROM x\nCOPY pkg /\n")
    (tree / "Dockerfile.dockerignore").write_text("pkg/in\n")
    template = Template.from_dockerfile(str(tree / "Dockerfile")).pip_install(["dropped"]).set_start_cmd("run")
    assert paths(template) == ["pkg", "a b.py", "pkg/c.txt"]
    definition = template.to_json()
    assert (definition["dockerfile"], definition["start_cmd"]) == ("FROM x\nCOPY pkg /\n", "run")
    assert "steps" not in definition
    assert "base_image" not in definition


def test_probes_on_the_wire() -> None:
    assert wait_for_url("http://localhost:3000").to_payload() == {"kind": "http", "port": 3000, "path": "/", **TUNING}
    assert wait_for_file("/a b").to_payload() == {"kind": "command", "command": "test -e '/a b'", **TUNING}
    assert wait_for_process("web").command == "ps -eo comm= | grep -Fx -- web >/dev/null"
    assert wait_for_timeout(5).to_payload() == {"kind": "timeout", "timeout_ms": 5}
    for url in ("https://localhost:1/", "http://example.com:1/", "http://localhost/", "http://localhost:1/?q"):
        with pytest.raises(ValueError, match="wait_for_url"):
            wait_for_url(url)


def test_environments_and_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    template = Template.from_debian_image().set_build_envs({"A": "1"}).set_runtime_envs({"B": "2"})
    assert template.to_json() == {
        "base_image": "debian:stable-slim",
        "steps": [],
        "build_envs": {"A": "1"},
        "runtime_config": {"default_envs": {"B": "2"}},
    }
    monkeypatch.setenv("TOKEN", "hidden")
    assert "hidden" not in repr(template.add_build_secret_env("t", "TOKEN")._secrets)
    with pytest.raises(ValueError, match="NO_SUCH"):
        template.add_build_secret_env("t", "NO_SUCH")


def test_mistakes_are_told_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="no base"):
        Template().to_json()
    for call, message in (
        (lambda: Template.build(Template.from_debian_image(), "a/b"), "not a name"),
        (lambda: Template.build(Template.from_debian_image(), "a", name="b"), "once"),
        (lambda: Template.build(Template.from_debian_image(), "a:t", tags=["u"]), "once"),
        (lambda: Template.build(Template.from_debian_image(), name="a", tags=[]), "empty"),
        (lambda: Template.from_image("a", username="u"), "together"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
