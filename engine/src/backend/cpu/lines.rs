//! Memory that begins where a cache line does.
//!
//! A row of 16 channels is then one line. Where it lay across two, a scan along columns, which takes
//! such a row of another line at every token, waited for the second of them.

use std::ops::{Deref, DerefMut};

/// A cache line of 32-bit values.
#[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Values in whole cache lines, the last of them filled up with zeros.
#[derive(Default)]
pub(super) struct Lines(Vec<Line>);

impl Lines {
    /// Zeros, at least `len` of them.
    pub fn zeros(len: usize) -> Self {
        Self(bytemuck::zeroed_vec(len.div_ceil(Line::default().0.len())))
    }
}

impl Deref for Lines {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_begin_with_a_line() {
        for len in [0, 1, 16, 17, 100_000] {
            let mut lines = Lines::zeros(len);
            assert!(lines.len() >= len && lines.len() < len + 16);
            assert!(lines.iter().all(|&v| v == 0.0));
            lines.fill(1.0);
            assert_eq!(lines.as_ptr().align_offset(64), 0, "{len}");
        }
    }
}
