//! When and how a log file is rotated: `name` becomes `name.1`, `name.1` becomes `name.2`, and so on up to
//! the number of backups.

use std::path::{Path, PathBuf};

/// One step of a rotation; after the last step the file is opened again, empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RotationStep {
    /// Replaces the file of the new name. A missing old name is not an error, and then nothing is replaced.
    Rename(PathBuf, PathBuf),
    /// Without backups the file is truncated.
    Truncate,
}

/// The size limit of a file and its current size.
#[derive(Clone, Debug)]
pub struct Rotation {
    bytes_max: u64,
    backups: u32,
    bytes: u64,
    /// The size at which a rotation failed.
    postponed: u64,
}

/// The maximum number of backups: each rotation renames all of them.
const BACKUPS_MAX: u32 = 10_000;

impl Rotation {
    /// With `bytes_max` of 0 or less it never rotates, with `backups` of 0 or less it keeps none; `bytes` is
    /// the current size of the file.
    #[must_use]
    pub fn new(bytes_max: i64, backups: i64, bytes: u64) -> Self {
        let backups = u32::try_from(backups.max(0)).unwrap_or(u32::MAX).min(BACKUPS_MAX);
        Self { bytes_max: u64::try_from(bytes_max).unwrap_or(0), backups, bytes, postponed: 0 }
    }

    /// Changes the limits, as in [`Rotation::new`].
    pub fn limit(&mut self, bytes_max: i64, backups: i64) {
        let new = Self::new(bytes_max, backups, self.bytes);
        if (new.bytes_max, new.backups) != (self.bytes_max, self.backups) {
            *self = new;
        }
    }

    /// Counts written bytes. True if the file has reached its limit and must be rotated: as in Supervisor the
    /// limit may be exceeded by one write.
    pub fn wrote(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.is_due()
    }

    /// Whether the file has reached its limit.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.bytes_max > 0 && self.bytes >= self.bytes_max.saturating_add(self.postponed)
    }

    /// The rotation failed: it is tried again after another `bytes_max` bytes.
    pub fn postpone(&mut self) {
        self.postponed = self.bytes;
    }

    /// Sets the size after the file was opened again, or changed by another process.
    pub fn resized(&mut self, bytes: u64) {
        self.bytes = bytes;
        self.postponed = self.postponed.min(bytes);
    }

    /// The steps of a rotation, in order.
    #[must_use]
    pub fn plan(&self, path: &Path) -> Vec<RotationStep> {
        let numbered = |n: u32| match n {
            0 => path.to_owned(),
            n => PathBuf::from(format!("{}.{n}", path.display())),
        };
        if self.backups == 0 {
            return vec![RotationStep::Truncate];
        }
        (0..self.backups).rev().map(|n| RotationStep::Rename(numbered(n), numbered(n + 1))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_due_when_the_limit_is_reached_and_never_without_one() {
        let mut rotation = Rotation::new(10, 1, 4);
        assert!(!rotation.wrote(5));
        assert!(rotation.wrote(1));
        rotation.resized(0);
        assert!(!rotation.wrote(9));
        rotation.limit(12, 1);
        assert!(!rotation.wrote(2));
        assert!(rotation.wrote(1));
        assert!(!Rotation::new(0, 1, 0).wrote(usize::MAX));
        assert!(!Rotation::new(-1, 1, u64::MAX).wrote(1));
    }

    #[test]
    fn shifts_the_oldest_first() {
        let names: Vec<String> = Rotation::new(1, 3, 0)
            .plan(Path::new("/l/x.log"))
            .iter()
            .map(|step| match step {
                RotationStep::Rename(from, to) => format!("{}>{}", from.display(), to.display()),
                RotationStep::Truncate => "truncate".to_owned(),
            })
            .collect();
        assert_eq!(names, ["/l/x.log.2>/l/x.log.3", "/l/x.log.1>/l/x.log.2", "/l/x.log>/l/x.log.1"]);
        assert_eq!(Rotation::new(1, 0, 0).plan(Path::new("x")), [RotationStep::Truncate]);
        assert_eq!(Rotation::new(1, -1, 0).plan(Path::new("x")), [RotationStep::Truncate]);
    }
}
