//! Output that could not be written: reported when the loss begins and when it ends, not in between.

/// Counts lost bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    bytes: u64,
    is_reported: bool,
}

impl Loss {
    /// Adds to the count; true for the first loss.
    pub fn add(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        !std::mem::replace(&mut self.is_reported, true)
    }

    /// Whether output is being lost.
    #[must_use]
    pub fn is_going_on(&self) -> bool {
        self.is_reported
    }

    /// Ends the loss after a successful write; returns how much was lost.
    pub fn end(&mut self) -> Option<u64> {
        std::mem::take(self).total()
    }

    fn total(self) -> Option<u64> {
        self.is_reported.then_some(self.bytes)
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
    }
}
