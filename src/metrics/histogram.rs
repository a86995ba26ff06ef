//! A histogram with fixed buckets.

use std::time::Duration;

/// The upper bounds of the buckets in microseconds, and as labels in the form that OpenMetrics demands.
const BUCKETS: [(u64, &str); 12] = [
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (500_000, "0.5"),
    (2_500_000, "2.5"),
];

/// Counts durations by their length.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// Of each bucket, without those below it.
    counts: [u64; BUCKETS.len()],
    count: u64,
    sum: Duration,
}

impl Histogram {
    /// Adds a duration.
    pub fn observe(&mut self, duration: Duration) {
        let fits = |(micros, _): &(u64, &str)| duration <= Duration::from_micros(*micros);
        if let Some(count) = BUCKETS.iter().position(fits).and_then(|at| self.counts.get_mut(at)) {
            *count = count.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(duration);
    }

    /// The label of each bucket with the number of durations up to its bound. The last one is `+Inf`.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let mut total = 0;
        let finite = BUCKETS.iter().zip(&self.counts).map(move |((_, label), count)| {
            total += count;
            (*label, total)
        });
        finite.chain([("+Inf", self.count)])
    }

    pub(super) fn sum(&self) -> Duration {
        self.sum
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let mut histogram = Histogram::default();
        for micros in [100, 101, 2_500_000, 2_500_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let counts: Vec<_> = histogram.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4]);
        assert_eq!((histogram.count(), histogram.sum()), (4, Duration::from_micros(5_000_202)));
    }

    #[test]
    fn labels_match_their_bounds() {
        for (micros, label) in BUCKETS {
            assert_eq!(label.parse(), Ok(micros as f64 / 1e6));
        }
    }
}
