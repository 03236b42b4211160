//! Percentiles of raw samples; no averages, no smoothing.

use serde::Serialize;
use std::time::Duration;

/// Samples in the order they were taken, in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    pub fn push(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1e3);
    }

    /// The smallest sample that at least `percent` of all samples do not exceed (nearest rank).
    pub fn percentile(&self, percent: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (percent / 100.0 * sorted.len() as f64).ceil().max(1.0) as usize;
        sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_sample_by_nearest_rank() {
        let samples = Samples((1..=100).rev().map(f64::from).collect());
        assert_eq!(
            (samples.percentile(50.0), samples.percentile(99.0), samples.percentile(100.0)),
            (50.0, 99.0, 100.0)
        );
        assert_eq!(Samples(vec![7.0]).percentile(50.0), 7.0);
    }
}
