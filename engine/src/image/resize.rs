//! Bicubic resizing as MATLAB's `imresize` does it.
//!
//! The super-resolution literature makes its small pictures with that function,
//! and a figure is only comparable if ours are the same: cubic kernel with
//! a = -0.5 (Keys 1981), stretched by the factor when shrinking (antialiasing),
//! pixel centres aligned, edges mirrored with the edge pixel repeated, rows
//! resized first, no rounding in between.

/// A whole-number scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// Enlarge each side n times.
    Up(usize),
    /// Shrink each side n times; a side that n does not divide is rounded up.
    Down(usize),
}

impl Factor {
    /// The length of a side after resizing.
    pub fn apply(self, side: usize) -> usize {
        match self {
            Self::Up(n) => side * n,
            Self::Down(n) => side.div_ceil(n.max(1)),
        }
    }

    fn scale(self) -> f64 {
        match self {
            Self::Up(n) => n as f64,
            Self::Down(n) => 1.0 / n as f64,
        }
    }
}

/// Resizes interleaved samples ([height, width, channels]) to
/// [`Factor::apply`] of each side. Values are not clipped.
///
/// A factor of 1 returns the samples as they are.
pub fn bicubic(
    samples: &[f32],
    width: usize,
    height: usize,
    channels: usize,
    factor: Factor,
) -> Vec<f32> {
    if width == 0 || height == 0 || matches!(factor, Factor::Up(0 | 1) | Factor::Down(0 | 1)) {
        return samples.to_vec();
    }
    let (rows, columns) = (weights(height, factor), weights(width, factor));
    let stride = width * channels;
    let mut row = vec![0f32; stride];
    let mut out = Vec::with_capacity(rows.len() * columns.len() * channels);
    for taps in &rows {
        row.fill(0.0);
        for &(from, w) in taps {
            let source = &samples[from * stride..(from + 1) * stride];
            for (r, &s) in row.iter_mut().zip(source) {
                *r += w * s;
            }
        }
        for taps in &columns {
            for c in 0..channels {
                out.push(
                    taps.iter()
                        .map(|&(from, w)| w * row[from * channels + c])
                        .sum(),
                );
            }
        }
    }
    out
}

/// For each output position, the input positions it reads and their weights
/// (which sum to 1).
fn weights(side: usize, factor: Factor) -> Vec<Vec<(usize, f32)>> {
    let scale = factor.scale();
    let stretch = scale.min(1.0); // antialiasing when shrinking
    let support = 4.0 / stretch;
    (0..factor.apply(side))
        .map(|out| {
            // Pixel centres: (out + 1/2) / scale - 1/2.
            let centre = (out as f64 + 0.5) / scale - 0.5;
            let first = (centre - support / 2.0).floor() as i64;
            let taps = (first..=first + support.ceil() as i64 + 1)
                .map(|from| (mirror(from, side), cubic(stretch * (centre - from as f64))))
                .filter(|&(_, w)| w != 0.0)
                .collect::<Vec<_>>();
            let sum: f64 = taps.iter().map(|&(_, w)| w).sum();
            taps.into_iter()
                .map(|(from, w)| (from, (w / sum) as f32))
                .collect()
        })
        .collect()
}

/// Keys' cubic convolution kernel with a = -0.5.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        1.5 * x * x * x - 2.5 * x * x + 1.0
    } else if x <= 2.0 {
        -0.5 * x * x * x + 2.5 * x * x - 4.0 * x + 2.0
    } else {
        0.0
    }
}

/// Mirrors an index into 0..side, repeating the edge: ... 1 0 | 0 1 2 ...
pub(crate) fn mirror(at: i64, side: usize) -> usize {
    let side = side as i64;
    let folded = at.rem_euclid(2 * side);
    (if folded < side {
        folded
    } else {
        2 * side - 1 - folded
    }) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn weights_of_halving_are_the_hand_computed_ones() {
        // Centre at distance 1/4, 3/4, 5/4, 7/4 after stretching:
        // k = 0.8671875, 0.2265625, -0.0703125, -0.0234375; their sum is 1,
        // twice (both sides) 2.
        let expected = [-0.0234375, -0.0703125, 0.2265625, 0.8671875];
        let taps = &weights(16, Factor::Down(2))[4]; // centre 8.5
        assert_eq!(taps.len(), 8);
        for (i, &(from, w)) in taps.iter().enumerate() {
            assert_eq!(from, 5 + i);
            let k = expected[i.min(7 - i)] / 2.0;
            assert!((f64::from(w) - k).abs() < 1e-7, "{i}: {w} is not {k}");
        }
    }

    #[test]
    fn a_downscaled_row_matches_matlab() {
        // imresize([0 0 0 0 1 0 0 0 0 0 0 0], 0.5) along the row: the impulse
        // at 4 lies at stretched distance |(2o + 0.5) - 4| / 2 of output o.
        let mut row = vec![0.0; 12];
        row[4] = 1.0;
        let small = bicubic(&row, 12, 1, 1, Factor::Down(2));
        let expected = [-0.01171875, 0.11328125, 0.43359375, -0.03515625, 0.0, 0.0];
        for (got, want) in small.iter().zip(expected) {
            assert!((got - want).abs() < 1e-6, "{small:?}");
        }
    }

    #[test]
    fn edges_repeat_the_edge_pixel() {
        // Output 0 (centre 0.5) reads -3..=4; -1 mirrors to 0, -2 to 1, -3 to 2.
        let taps = &weights(16, Factor::Down(2))[0];
        let read: Vec<usize> = taps.iter().map(|t| t.0).collect();
        assert_eq!(read, [2, 1, 0, 0, 1, 2, 3, 4]);
        assert_eq!(
            (-4..8).map(|i| mirror(i, 3)).collect::<Vec<_>>(),
            [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]
        );
    }

    #[test]
    fn enlarging_twice_uses_the_plain_kernel() {
        // Centres fall a quarter pixel beside an input pixel: k(1/4), k(3/4),
        // k(5/4), k(7/4) = the numbers of halving.
        let mut row = vec![0.0; 8];
        row[3] = 1.0;
        let large = bicubic(&row, 8, 1, 1, Factor::Up(2));
        let expected = [
            -0.0234375, -0.0703125, 0.2265625, 0.8671875, 0.8671875, 0.2265625, -0.0703125,
            -0.0234375,
        ];
        for (got, want) in large[3..11].iter().zip(expected) {
            assert!((got - want).abs() < 1e-6, "{large:?}");
        }
    }

    #[test]
    fn flat_stays_flat_and_ramps_stay_ramps() {
        for factor in [2, 3, 4, 8] {
            let flat = vec![0.3f32; 19 * 13 * 3];
            for f in [Factor::Down(factor), Factor::Up(factor)] {
                let out = bicubic(&flat, 19, 13, 3, f);
                assert_eq!(out.len(), f.apply(19) * f.apply(13) * 3);
                assert!(out.iter().all(|v| (v - 0.3).abs() < 1e-6));
            }
            // Away from the edges a cubic kernel reproduces straight lines.
            let side = 16 * factor;
            let ramp: Vec<f32> = (0..side).map(|x| x as f32).collect();
            let small = bicubic(&ramp, side, 1, 1, Factor::Down(factor));
            for (x, v) in small.iter().enumerate().skip(3).take(10) {
                let centre = (x as f32 + 0.5) * factor as f32 - 0.5;
                assert!((v - centre).abs() < 1e-3, "{x}: {v} is not {centre}");
            }
        }
    }
}
