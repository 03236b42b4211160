//! The table, and the raw samples beside it.

use super::stats::Samples;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

#[derive(Serialize)]
pub struct Report {
    hardware: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    what: String,
    value: String,
    target: String,
    met: Option<bool>,
    samples_ms: Samples,
}

impl Report {
    pub fn new(hardware: String) -> Self {
        Self { hardware, rows: Vec::new() }
    }

    /// Percentiles of a set of samples, without a target.
    pub fn samples(&mut self, what: &str, samples: &Samples) {
        let p = |percent| samples.percentile(percent);
        let value = format!(
            "p50 {:.2} · p90 {:.2} · p99 {:.2} · max {:.2} ms (n={})",
            p(50.0),
            p(90.0),
            p(99.0),
            p(100.0),
            samples.0.len()
        );
        self.push(what, value, "", None, samples.clone());
    }

    /// A figure against its bound.
    pub fn bound(&mut self, what: &str, value: f64, unit: &str, most: f64) {
        self.push(
            what,
            format!("{value:.2} {unit}"),
            &format!("≤ {most} {unit}"),
            Some(value <= most),
            Samples::default(),
        );
    }

    /// A figure with nothing to hold it against.
    pub fn figure(&mut self, what: &str, value: String) {
        self.push(what, value, "", None, Samples::default());
    }

    fn push(&mut self, what: &str, value: String, target: &str, met: Option<bool>, samples_ms: Samples) {
        eprintln!("{what}: {value}");
        self.rows.push(Row { what: what.into(), value, target: target.into(), met, samples_ms });
    }

    /// Prints the table to standard output and writes it with the samples under `out`.
    pub fn write(&self, out: &Path) -> Result<()> {
        let mut table = format!("{}\n\n| What | Measured | Target | |\n|---|---|---|---|\n", self.hardware);
        for row in &self.rows {
            let mark = match row.met {
                Some(true) => "met",
                Some(false) => "missed",
                None => "",
            };
            writeln!(table, "| {} | {} | {} | {mark} |", row.what, row.value, row.target)?;
        }
        print!("{table}");
        std::fs::create_dir_all(out).with_context(|| format!("cannot make `{}`", out.display()))?;
        std::fs::write(out.join("table.md"), &table)?;
        std::fs::write(out.join("samples.json"), serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }
}
