"""The published page's command lines, as they are written there."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import Any

import pytest


@pytest.fixture
def run(server):
    def run(line: str) -> Any:
        program, *arguments = shlex.split(line)
        assert program == "nullspace"
        return json.loads(server.cli(*arguments).stdout)

    return run


def test_the_published_lines_run_as_written(run):
    run(
        "nullspace template build --from-image busybox --set-workdir /workspace"
        " --start-cmd 'httpd -f -p 8080 -h /workspace' --ready-port 8080 --name review-api --tag stable --json"
    )
    pool = run(
        "nullspace template warm-pool create team/review-api:stable --name review-api-small"
        " --min-ready 2 --max-ready 4 --vcpus 2 --memory 1024 --json"
    )
    assert pool["id"] == "twp_review_api_small" and pool["state"] == "enabled"
    assert (pool["resources"]["vcpus"], pool["resources"]["memory_mb"]) == (2, 1024)
    ready = run("nullspace template warm-pool wait twp_review_api_small --min-ready 2 --json")
    assert ready["status"]["ready"] >= 2

    created = []
    for mode, wait in (("prefer", 1500), ("require", 30_000)):
        sandbox = run(
            "nullspace sandbox create --template team/review-api:stable --warm-pool twp_review_api_small"
            f" --warm-pool-mode {mode} --warm-pool-wait {wait} --json"
        )
        assert sandbox["warm_pool_checkout"]["source"] == "ready_instance", sandbox
        assert sandbox["config"]["memory_mb"] == 1024
        created.append(sandbox["id"])
    shown = run(f"nullspace sandbox exec {created[0]} --json --shell 'wget -q -O - 127.0.0.1:8080/none; pwd'")
    assert shown["stdout"].strip() == "/workspace"
    assert {s["id"] for s in run("nullspace sandbox list --json")} >= set(created)

    tracking = run(
        "nullspace template warm-pool create team/review-api:stable --name review-api-stable"
        " --min-ready 0 --max-ready 4 --version-policy track_tag --track-tag stable --json"
    )
    assert (tracking["version_policy"], tracking["track_tag"]) == ("track_tag", "stable")
    run("nullspace template warm-pool delete twp_review_api_stable --json")

    assert run("nullspace template warm-pool drain twp_review_api_small --json")["state"] == "draining"
    assert run("nullspace template warm-pool delete twp_review_api_small --json")["deleted"] is True
    for sandbox in created:
        assert run(f"nullspace sandbox get {sandbox} --json")["status"] == "running"
        assert run(f"nullspace sandbox kill {sandbox} --json") == {"id": sandbox, "status": "destroyed"}


@pytest.mark.parametrize(
    ("line", "code", "named"),
    [
        ("sandbox get sb_none --json", 3, "sb_none"),
        ("template get team/none --json", 3, "none"),
        ("template warm-pool create base --name x --min-ready 3 --max-ready 1 --json", 2, "--min-ready"),
        ("sandbox create --warm-pool-mode sometimes --json", 2, "sometimes"),
        ("sandbox create --template base --vcpus 0 --json", 2, "vcpus"),
    ],
)
def test_a_mistake_exits_with_its_documented_code_and_names_what_is_wrong(server, line, code, named):
    done = server.cli(*shlex.split(line), check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert named in done.stdout + done.stderr
    json.loads(done.stdout)


def test_a_wrong_key_is_exit_4(server):

    done = subprocess.run(
        [server.binary, "sandbox", "list", "--json"],
        env={**os.environ, **server.environment, "NULLSPACE_API_KEY": "ns_live_wrong"}, text=True, capture_output=True,
    )
    assert done.returncode == 4 and json.loads(done.stdout)["error"]["code"] == "unauthorized"
