//! A chain of layers as one raw disk.

use crate::driver::DiskChain;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// Enough of the tool's complaint to act on.
const COMPLAINT_MAX: usize = 500;

/// Writes what a chain holds to a new sparse raw file. Ends with the future.
pub async fn flatten(chain: &DiskChain, to: &Path) -> Result<(), String> {
    let output = Command::new("qemu-img")
        // Holes of 64 KiB stay holes. Nothing is flushed here: the artifact store syncs what it keeps.
        .args(["convert", "-q", "-O", "raw", "-S", "64k", "-t", "writeback"])
        .arg(format!("json:{}", description(chain)))
        .arg(to)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("cannot run `qemu-img`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(complaint.trim().chars().take(COMPLAINT_MAX).collect())
}

/// The chain as QEMU's block layer wants it said: layers name nothing below them, so that a guest
/// that writes its own layer cannot make anybody open a path.
fn description(chain: &DiskChain) -> Value {
    let file = |path: &Path| json!({ "driver": "file", "filename": path });
    let base = json!({ "driver": "raw", "file": file(&chain.base) });
    chain.layers.iter().fold(base, |below, layer| json!({ "driver": "qcow2", "file": file(layer), "backing": below }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[tokio::test]
    async fn a_flattened_chain_holds_every_layer_and_says_why_it_could_not_be_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut base = vec![0; 4 << 20];
        base[1 << 20] = 7;
        std::fs::write(path("base.raw"), &base).unwrap();
        for (name, offset) in [("1.qcow2", "2M"), ("2.qcow2", "3M")] {
            let create =
                Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(path(name)).arg("8M").status();
            assert!(create.unwrap().success());
            let write = format!("write -q -P 9 {offset} 64k");
            let write = Command::new("qemu-io").args(["-f", "qcow2", "-c", &write]).arg(path(name)).status();
            assert!(write.unwrap().success());
        }
        let chain = DiskChain::raw(path("base.raw")).with_layer(path("1.qcow2")).with_layer(path("2.qcow2"));
        flatten(&chain, &path("flat.raw")).await.unwrap();
        base.resize(8 << 20, 0);
        for offset in [2 << 20, 3 << 20] {
            base[offset..offset + (64 << 10)].fill(9);
        }
        assert!(std::fs::read(path("flat.raw")).unwrap() == base);

        let missing = DiskChain::raw(path("base.raw")).with_layer(path("missing.qcow2"));
        let error = flatten(&missing, &path("x.raw")).await.unwrap_err();
        assert!(error.contains("missing.qcow2"), "{error}");
    }
}
