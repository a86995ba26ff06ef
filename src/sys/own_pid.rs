//! A variable in the environment of a child that has the child's own pid.

use std::cell::Cell;
use std::ffi::{CStr, c_char};

/// A variable whose value the child writes, as its pid is not known before.
#[derive(Debug)]
pub(super) struct OwnPid {
    /// `NAME=`, room for the digits, and a NUL byte.
    text: Box<[Cell<u8>]>,
    digits_at: usize,
}

impl OwnPid {
    /// Digits of the greatest pid.
    const DIGITS_MAX: usize = 10;

    pub(super) fn new(name: &CStr) -> Self {
        let room = [0; Self::DIGITS_MAX + 1];
        let text = [name.to_bytes(), b"=", &room].concat();
        Self { digits_at: name.count_bytes() + 1, text: text.into_iter().map(Cell::new).collect() }
    }

    /// For an environment; valid as long as this lives.
    pub(super) fn as_ptr(&self) -> *const c_char {
        self.text.as_ptr().cast()
    }

    /// In the child: it does not allocate.
    pub(super) fn write(&self, pid: i32) {
        let mut digits = [0; Self::DIGITS_MAX];
        let (mut rest, mut count) = (pid.unsigned_abs(), 0);
        for digit in &mut digits {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            (rest, count) = (rest / 10, count + 1);
            if rest == 0 {
                break;
            }
        }
        let places = self.text.iter().skip(self.digits_at);
        for (place, digit) in places.zip(digits.iter().take(count).rev()) {
            place.set(*digit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_pid_has_room_and_a_shorter_one_ends_early() {
        for pid in [1, 42, 4_194_304, i32::MAX] {
            let own_pid = OwnPid::new(c"NAME");
            own_pid.write(pid);
            let text: Vec<u8> = own_pid.text.iter().map(Cell::get).collect();
            assert_eq!(CStr::from_bytes_until_nul(&text).unwrap().to_str().unwrap(), format!("NAME={pid}"));
        }
    }
}
