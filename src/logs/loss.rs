//! Output that could not be written: reported when the loss begins and when it ends, not in between.

/// Counts lost bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    bytes: u64,
    is_reported: bool,
    /// All bytes lost so far, in this loss and those before it.
    bytes_so_far: u64,
}

impl Loss {
    /// Adds to the count; true for the first loss.
    pub fn add(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.bytes_so_far = self.bytes_so_far.saturating_add(bytes as u64);
        !std::mem::replace(&mut self.is_reported, true)
    }

    /// Whether output is being lost.
    #[must_use]
    pub fn is_going_on(&self) -> bool {
        self.is_reported
    }

    /// Ends the loss after a successful write; returns how much was lost.
    pub fn end(&mut self) -> Option<u64> {
        let lost = std::mem::take(&mut self.bytes);
        std::mem::take(&mut self.is_reported).then_some(lost)
    }

    /// All bytes lost so far, also before the last successful write.
    #[must_use]
    pub fn bytes_so_far(&self) -> u64 {
        self.bytes_so_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_reported_once_and_counted() {
        let mut loss = Loss::default();
        assert_eq!(loss.end(), None);
        assert_eq!((loss.add(5), loss.add(3), loss.is_going_on()), (true, false, true));
        assert_eq!((loss.end(), loss.end(), loss.is_going_on()), (Some(8), None, false));
        assert!(loss.add(1));
        assert_eq!((loss.bytes_so_far(), loss.end()), (9, Some(1)));
    }
}
