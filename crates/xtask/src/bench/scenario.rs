//! What is measured, in order: one template, one pool, taken and refilled.

use super::report::Report;
use super::server::Server;
use super::stats::Samples;
use super::{Options, process};
use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Filling emulated machines on two busy cores takes a while; more than this is a fault.
const FILL_MAX: Duration = Duration::from_secs(300);

pub async fn run(server: &Server, options: &Options, report: &mut Report) -> Result<()> {
    let template = build(server, report).await?;
    let pool = fill(server, options, &template, report).await?;
    idle(server, options, report).await?;
    let floor = health(server, report).await?;
    let taken = checkouts(server, options, &template, &pool, report).await?;
    report.bound("checkout p50 / `GET /healthz` p50", taken.percentile(50.0) / floor.percentile(50.0), "×", 3.0);
    exec(server, &template, report).await?;
    server.json(Method::DELETE, &format!("/v1/template-warm-pools/{pool}"), None).await?;
    Ok(())
}

async fn build(server: &Server, report: &mut Report) -> Result<String> {
    let image = server
        .last_event("/v1/images", &json!({"name": "busybox", "source": {"kind": "bootstrap", "recipe": "busybox"}}))
        .await?;
    ensure!(image["kind"] == "done", "no base image: {image}");
    let began = Instant::now();
    let end = server
        .last_event(
            "/v1/templates/build",
            &json!({
                "name": "bench", "base_image": "busybox", "steps": [],
                "start_cmd": "httpd -f -p 8080 -h /",
                "runtime_config": {"readiness": {"kind": "tcp", "port": 8080, "timeout_secs": 30, "interval_ms": 100, "startup_grace_secs": 0}},
                "build_config": {"vcpus": 1, "memory_mib": 128}
            }),
        )
        .await?;
    ensure!(end["kind"] == "end", "the build failed: {end}");
    report.figure(
        "template build, first (busybox, boot, readiness, snapshot)",
        format!("{:.1} s", began.elapsed().as_secs_f64()),
    );
    Ok(end["result"]["canonical_ref"].as_str().context("no canonical_ref")?.to_owned())
}

async fn fill(server: &Server, options: &Options, template: &str, report: &mut Report) -> Result<String> {
    let began = Instant::now();
    let body = json!({
        "template_ref": template, "name": "bench", "min_ready": options.members, "max_ready": options.members,
        "resources": {"vcpus": 1, "memory_mb": 128}, "stale_after_seconds": 86400
    });
    let pool = server.json(Method::POST, "/v1/template-warm-pools", Some(&body)).await?;
    let id = pool["id"].as_str().context("no pool id")?.to_owned();
    wait_ready(server, &id, options.members).await?;
    let took = began.elapsed().as_secs_f64();
    report.figure(
        &format!("fill of {} members", options.members),
        format!("{took:.1} s, {:.0} ms a member", took * 1e3 / f64::from(options.members)),
    );
    Ok(id)
}

async fn wait_ready(server: &Server, pool: &str, members: u32) -> Result<()> {
    let deadline = Instant::now() + FILL_MAX;
    loop {
        let seen = server.json(Method::GET, &format!("/v1/template-warm-pools/{pool}"), None).await?;
        if seen["status"]["ready"].as_u64() >= Some(members.into()) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the pool did not fill: {seen}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Memory and CPU of members nobody uses.
async fn idle(server: &Server, options: &Options, report: &mut Report) -> Result<()> {
    let machines = process::holding(&server.data_dir(), "qemu");
    ensure!(machines.len() >= options.members as usize, "found {} machines of {}", machines.len(), options.members);
    let mut dirty = machines.iter().map(|pid| process::private_dirty_mb(*pid)).collect::<Result<Vec<_>>>()?;
    dirty.sort_by(f64::total_cmp);
    report.bound("private dirty memory of an idle member, median", dirty[dirty.len() / 2], "MB", 40.0);

    const WATCH: Duration = Duration::from_secs(10);
    let used = || machines.iter().map(|pid| process::cpu_seconds(*pid)).sum::<Result<f64>>();
    let before = used()?;
    tokio::time::sleep(WATCH).await;
    let percent = (used()? - before) / WATCH.as_secs_f64() * 100.0;
    report.bound(&format!("CPU of {} idle members", machines.len()), percent, "% of a core", 1.0);
    Ok(())
}

/// The least a request can cost: the floor every other figure stands on.
async fn health(server: &Server, report: &mut Report) -> Result<Samples> {
    let mut samples = Samples::default();
    for round in 0..2200 {
        let began = Instant::now();
        server.json(Method::GET, "/healthz", None).await?;
        if round >= 200 {
            samples.push(began.elapsed());
        }
    }
    report.samples("`GET /healthz`, one keep-alive client", &samples);
    Ok(samples)
}

async fn checkouts(
    server: &Server,
    options: &Options,
    template: &str,
    pool: &str,
    report: &mut Report,
) -> Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..options.rounds {
        wait_ready(server, pool, options.members).await?;
        let mut taken = Vec::new();
        for _ in 0..options.members {
            let began = Instant::now();
            let sandbox = checkout(server, template, pool).await?;
            samples.push(began.elapsed());
            taken.push(sandbox);
        }
        for sandbox in taken {
            server.json(Method::DELETE, &format!("/v1/sandboxes/{sandbox}"), None).await?;
        }
    }
    report.samples("`require` checkout of a ready member over HTTP, pool refilling beside it", &samples);
    Ok(samples)
}

async fn checkout(server: &Server, template: &str, pool: &str) -> Result<String> {
    let body = json!({
        "template": template, "vcpus": 1, "memory_mb": 128, "timeout_ms": 300_000, "envs": {}, "metadata": {},
        "internet_access": true, "auto_resume": false, "warm_pool": {"id": pool, "mode": "require", "wait_ms": 30_000}
    });
    let sandbox: Value = server.json(Method::POST, "/v1/sandboxes", Some(&body)).await?;
    ensure!(sandbox["warm_pool_checkout"]["hit"] == true, "not a hit: {sandbox}");
    Ok(sandbox["id"].as_str().context("no sandbox id")?.to_owned())
}

async fn exec(server: &Server, template: &str, report: &mut Report) -> Result<()> {
    let body = json!({"template": template, "vcpus": 1, "memory_mb": 128, "timeout_ms": 300_000});
    let sandbox = server.json(Method::POST, "/v1/sandboxes", Some(&body)).await?;
    let id = sandbox["id"].as_str().context("no sandbox id")?;
    let command = json!({"command": "/bin/true", "timeout_secs": 30, "background": false});
    let mut samples = Samples::default();
    for _ in 0..100 {
        let began = Instant::now();
        let done = server.json(Method::POST, &format!("/v1/sandboxes/{id}/exec"), Some(&command)).await?;
        samples.push(began.elapsed());
        ensure!(done["exit_code"] == 0, "`/bin/true` failed: {done}");
    }
    report.samples("exec of `/bin/true`, round trip", &samples);
    server.json(Method::DELETE, &format!("/v1/sandboxes/{id}"), None).await?;
    Ok(())
}
