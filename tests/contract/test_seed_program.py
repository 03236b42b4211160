"""The published example program, unmodified, through both clients: Python, pip, uvicorn, real machines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "examples" / "python" / "demo_template_warm_pools.py"

# What this distribution's packages hold; a registry would serve any version.
SUITES = {"bookworm": "3.11", "trixie": "3.13"}


@pytest.fixture(scope="module")
def version(server) -> str:
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    version = SUITES.get(release.get("VERSION_CODENAME", "").strip('"'), "3.11")
    server.cli("image", "bootstrap", f"python:{version}", "--json")
    return version


@pytest.mark.parametrize("client", ["PUBLISHED", "OURS"])
def test_the_published_program_runs_to_its_end(server, version, client):
    done = subprocess.run(
        [os.environ[f"NULLSPACE_PYTHON_{client}"], PROGRAM.name],
        cwd=PROGRAM.parent, text=True, capture_output=True, timeout=900,
        env={**os.environ, **server.environment, "NULLSPACE_DEMO_PYTHON": version},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("hit=True") == 2, done.stdout
    assert done.stdout.count("ready before you asked") == 4, done.stdout
    assert server.sandboxes() == []
