"""Builds a FastAPI template, keeps two of its machines ready, takes them with `prefer` and `require`, and cleans up.

The lines between the stages are the published example, word for word. It runs with this repository's SDK and with the
published nullspace-sdk 0.1.9. `NULLSPACE_DEMO_PYTHON` is the Python version of the base image (default 3.12), for
places where no registry can be reached and the distribution has another one.
"""

import os
import sys
import time
import urllib.request
from contextlib import contextmanager

from nullspace import Sandbox, Template, TemplateWarmPool, default_build_logger, wait_for_port

os.chdir(os.path.dirname(os.path.abspath(__file__)))  # `./app.py` is beside this file
python_version = os.environ.get("NULLSPACE_DEMO_PYTHON", "3.12")
stages = []


@contextmanager
def stage(name):
    """Says what is going on, and how long it took."""
    print(f"--- {name}", file=sys.stderr, flush=True)
    began = time.monotonic()
    yield
    stages.append((name, time.monotonic() - began))
    print(f"--- {name}: {stages[-1][1]:.2f} s", file=sys.stderr, flush=True)


def fetch_inside(sandbox):
    """GET / from within the machine, where the server listens on port 8080."""
    program = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/').read().decode())"
    result = sandbox.commands.run("python3", ["-c", program], timeout=120)
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


def fetch_outside(sandbox):
    """GET / through the sandbox's preview address, as a browser would."""
    return fetch(sandbox.get_url(8080))


def fetch(url):
    # The preview listener is on this host: a proxy from the environment must not be asked for it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())
    with opener.open(url, timeout=60) as answer:
        return answer.read().decode()


def random_bytes(sandbox):
    """What this machine's kernel draws, in hex: two machines from one snapshot must not draw the same."""
    program = "import os; print(os.urandom(16).hex())"
    result = sandbox.commands.run("python3", ["-c", program], timeout=120)
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


builder = (
    Template.from_python_image(python_version)
    .pip_install(["fastapi", "uvicorn"])
    .copy("./app.py", "/workspace/app.py")
    .set_workdir("/workspace")
    .set_start_cmd(
        "uvicorn app:app --host 0.0.0.0 --port 8080",
        readiness=wait_for_port(8080),
    )
)

pool = preferred = strict = None
try:
    with stage("build the template"):
        build = Template.build(builder, name="review-api", tags=["stable"], on_log_entry=default_build_logger())
    print(f"built {build.canonical_ref} ({build.build_id})")

    with stage("fill the warm pool"):
        pool = TemplateWarmPool.create(
            build.canonical_ref,
            name="review-api-small",
            min_ready=2,
            max_ready=4,
            vcpus=2,
            memory_mb=1024,
        )
        pool.wait_until_ready(min_ready=2)
    print(f"{pool.id} has {pool.get_info().status.ready} machines ready")

    with stage("check out with prefer"):
        preferred = Sandbox.create(
            template=build.canonical_ref,
            warm_pool=pool.id,
            warm_pool_mode="prefer",
            warm_pool_wait_ms=1500,
        )
    with stage("check out with require"):
        strict = Sandbox.create(
            template=build.canonical_ref,
            warm_pool=pool.id,
            warm_pool_mode="require",
            warm_pool_wait_ms=3000,
        )
    print(preferred.get_info().warm_pool_checkout)
    print(strict.get_info().warm_pool_checkout)

    with stage("run a command in each"):
        for name, sandbox in (("prefer", preferred), ("require", strict)):
            result = sandbox.commands.run("uname -a", shell=True, timeout=60)
            assert result.exit_code == 0, result.stderr
            print(f"{name}: {sandbox.id}: {result.stdout.strip()}")
    with stage("fetch / from uvicorn in each"):
        for name, sandbox in (("prefer", preferred), ("require", strict)):
            print(f"{name}: inside:  {fetch_inside(sandbox)}")
            print(f"{name}: outside: {fetch_outside(sandbox)}")
    with stage("draw random bytes in each"):
        drawn = [random_bytes(sandbox) for sandbox in (preferred, strict)]
        for name, text in zip(("prefer", "require"), drawn, strict=True):
            print(f"{name}: {text}")
        assert drawn[0] != drawn[1], "two machines drew the same random bytes"
finally:
    with stage("clean up"):
        for sandbox in (preferred, strict):
            if sandbox is not None:
                sandbox.kill()
        if pool is not None:
            pool.drain()
            pool.delete()

for name, seconds in stages:
    print(f"{seconds:8.2f} s  {name}", file=sys.stderr)
