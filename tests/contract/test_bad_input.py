"""Whatever a client can send gets a 4xx (or 501) in the flat envelope, naming the field; nothing is half-made."""

from __future__ import annotations

import pytest

POOL = {"template_ref": "team/none", "name": "bad", "min_ready": 0, "max_ready": 1, "resources": {"vcpus": 1, "memory_mb": 512}}
BUILD = {"base_image": "busybox", "steps": [], "build_config": {"vcpus": 1, "memory_mib": 512}}

CASES = [
    # what, method, path, body, status, code, a word of the message
    ("unknown path", "GET", "/v1/nowhere", None, 404, "not_found", "path"),
    ("wrong method", "PUT", "/v1/sandboxes", {}, 405, None, ""),
    ("malformed JSON", "POST", "/v1/sandboxes", b"{", 400, "invalid_request", ""),
    ("body is an array", "POST", "/v1/sandboxes", [], 400, "invalid_request", ""),
    ("unknown template", "POST", "/v1/sandboxes", {"template": "team/none"}, 404, "template_not_found", "none"),
    ("bad ref", "POST", "/v1/sandboxes", {"template": "a b:c:d"}, 400, "invalid_request", "template"),
    ("zero vcpus", "POST", "/v1/sandboxes", {"template": "base", "vcpus": 0}, 400, "invalid_request", "vcpus"),
    ("negative memory", "POST", "/v1/sandboxes", {"template": "base", "memory_mb": -1}, 400, "invalid_request", "memory_mb"),
    ("absurd memory", "POST", "/v1/sandboxes", {"template": "base", "memory_mb": 10**12}, 400, "invalid_request", "memory_mb"),
    ("text for a number", "POST", "/v1/sandboxes", {"template": "base", "vcpus": "many"}, 400, "invalid_request", "vcpus"),
    ("volumes", "POST", "/v1/sandboxes", {"template": "base", "volumes": [{"ref": "v", "mount_path": "/v", "read_only": False}]}, 501, "not_implemented", "volumes"),
    ("desktop", "POST", "/v1/sandboxes", {"template": "base", "desktop": {}}, 501, "not_implemented", "desktop"),
    ("hibernate", "POST", "/v1/sandboxes", {"template": "base", "timeout_action": "hibernate"}, 501, "not_implemented", "timeout_action"),
    ("relative cwd", "POST", "/v1/sandboxes", {"template": "base", "cwd": "here"}, 400, "invalid_request", "cwd"),
    ("unknown pool", "POST", "/v1/sandboxes", {"template": "base", "warm_pool": {"id": "twp_none", "mode": "prefer"}}, 404, None, "twp_none"),
    ("unknown mode", "POST", "/v1/sandboxes", {"template": "base", "warm_pool": {"id": "twp_none", "mode": "maybe"}}, 400, "invalid_request", "mode"),
    ("unknown sandbox", "GET", "/v1/sandboxes/sb_none", None, 404, "sandbox_not_found", "sb_none"),
    ("pool of unknown template", "POST", "/v1/template-warm-pools", POOL, 404, "template_not_found", "none"),
    ("min above max", "POST", "/v1/template-warm-pools", {**POOL, "min_ready": 3}, 400, "invalid_request", "min_ready"),
    ("negative min", "POST", "/v1/template-warm-pools", {**POOL, "min_ready": -1}, 400, "invalid_request", "min_ready"),
    ("name over length", "POST", "/v1/template-warm-pools", {**POOL, "name": "x" * 300}, 400, "invalid_request", "name"),
    ("no resources", "POST", "/v1/template-warm-pools", {**POOL, "resources": {"vcpus": 0, "memory_mb": 512}}, 400, "invalid_request", "vcpus"),
    ("unknown pool", "GET", "/v1/template-warm-pools/twp_none", None, 404, None, "twp_none"),
    ("unknown build", "GET", "/v1/templates/builds/tb_none?offset=0", None, 404, "template_build_not_found", "tb_none"),
    ("unknown ref", "GET", "/v1/templates/refs/team%2Fnone%3Astable", None, 404, "template_not_found", "none"),
    ("unknown step", "POST", "/v1/templates/builds", {**BUILD, "steps": [{"action": "explode"}]}, 400, "invalid_request", "steps[0]"),
    ("a step's field", "POST", "/v1/templates/builds", {**BUILD, "steps": [{"action": "run", "command": 5}]}, 400, "invalid_request", "steps[0]"),
    ("absurd build memory", "POST", "/v1/templates/builds", {**BUILD, "build_config": {"vcpus": 1, "memory_mib": 1}}, 400, "invalid_request", "memory_mib"),
    ("bad tag", "POST", "/v1/templates/builds", {**BUILD, "tags": ["no spaces"]}, 400, "invalid_request", "tags"),
    ("empty tags", "POST", "/v1/templates/builds", {**BUILD, "tags": []}, 400, "invalid_request", "tags"),
    ("Dockerfile to native", "POST", "/v1/templates/builds", {"dockerfile": "FROM busybox", "build_backend": "native", "build_config": BUILD["build_config"]}, 400, "invalid_request", "build_backend"),
    ("unknown blob", "POST", "/v1/templates/builds", {**BUILD, "steps": [{"action": "copy", "sources": ["a"], "dst": "/a"}], "build_context": {"files": [{"path": "a", "entry_type": "file", "mode": "0644", "blob_id": "nope"}]}}, 400, "file_upload_error", "`a`"),
    ("context escape", "POST", "/v1/templates/builds", {**BUILD, "build_context": {"files": [{"path": "../a", "entry_type": "dir", "mode": "0755"}]}}, 400, "invalid_request", "path"),
]


@pytest.mark.parametrize("what, method, path, body, status, code, word", CASES, ids=[f"{c[0]} {c[2]}" for c in CASES])
def test_bad_input_is_refused_by_name(server, what, method, path, body, status, code, word):
    seen, answer = server.api(method, path, body)
    assert seen == status, answer
    assert isinstance(answer["error"], str) and isinstance(answer["request_id"], str), answer
    assert code is None or answer["code"] == code, answer
    assert word in answer["error"], answer


def test_a_key_is_needed_and_a_wrong_one_is_refused(server):
    for header in ({"Authorization": "Bearer ns_live_wrong"}, {"Authorization": ""}):
        status, answer = server.api("GET", "/v1/sandboxes", headers=header)
        assert (status, answer["code"]) == (401, "unauthorized")


def test_a_body_over_the_limit_is_refused(server):
    status, answer = server.api("POST", "/v1/sandboxes", b'{"template":"' + b"x" * (4 << 20) + b'"}')
    assert status == 413, answer
    assert answer["code"] == "invalid_request"


def test_a_blob_whose_digest_is_wrong_is_refused(server):
    descriptor = {"path": "a.txt", "entry_type": "file", "mode": "0644", "sha256": "0" * 64, "size_bytes": 3}
    _, answer = server.api("POST", "/v1/templates/blobs/preflight", {"files": [descriptor]})
    blob = answer["files"][0]
    assert blob["missing"] is True
    status, answer = server.api("PUT", f"/v1/templates/blobs/{blob['blob_id']}", b"abc")
    assert (status, answer["code"]) == (400, "file_upload_error")


def test_another_tenants_things_do_not_exist(server):
    server.cli("tenant", "create", "rival", "--json")
    created = server.cli("key", "create", "--tenant", "rival", "--json")
    import json

    key = {"Authorization": f"Bearer {json.loads(created.stdout)['key']}"}
    status, pool = server.api("POST", "/v1/template-warm-pools", {**POOL, "template_ref": "base", "max_ready": 0})
    assert status == 201, pool
    try:
        for method, path in (("GET", ""), ("POST", "/drain"), ("DELETE", "")):
            status, answer = server.api(method, f"/v1/template-warm-pools/{pool['id']}{path}", headers=key)
            assert (status, answer["code"].endswith("_not_found")) == (404, True), answer
        _, listed = server.api("GET", "/v1/template-warm-pools", headers=key)
        assert listed["items"] == []
    finally:
        server.api("DELETE", f"/v1/template-warm-pools/{pool['id']}")
