//! Whether what a device gave for a tile can be believed, before any of it is saved.

use rayon::prelude::*;

use super::RestoreError;

/// Samples above this are not black: a network does not make them exactly zero.
const DARK: f32 = 0.05;

/// A driver that leaves out work leaves out at least a workgroup of 64 values; fewer exact zeros
/// may be chance.
const FEWEST: usize = 16;

/// What was seen in some lines of a result.
struct Seen {
    /// No value is infinite or no number.
    finite: bool,
    /// Pixels that are exactly zero.
    zero: usize,
    /// Those of them where the tile is not dark.
    bright_zero: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            finite: true,
            zero: 0,
            bright_zero: 0,
        }
    }
}

impl Seen {
    fn and(self, other: Self) -> Self {
        Self {
            finite: self.finite && other.finite,
            zero: self.zero + other.zero,
            bright_zero: self.bright_zero + other.bright_zero,
        }
    }
}

/// A tile as the network sees it.
pub(super) struct Tile<'a> {
    /// `[height, width, channels]`.
    pub samples: &'a [f32],
    /// Pixels a row.
    pub width: usize,
    /// 3, or 4 with the noise level.
    pub channels: usize,
}

/// Refuses a result, `[r·height, r·width, 3]`, that is not finite, or zero where the tile is not
/// dark: results are zeroed beforehand, so that is where nothing was written.
pub(super) fn check(
    device: &str,
    tile: &Tile<'_>,
    result: &[f32],
    scale: usize,
) -> Result<(), RestoreError> {
    let device = || device.to_owned();
    let (pixels, rest) = result.as_chunks::<3>();
    debug_assert!(rest.is_empty());
    let width = tile.width * scale;
    let looked = pixels
        .par_chunks(width.max(1))
        .enumerate()
        .map(|(y, line)| {
            let mut seen = Seen {
                finite: line.iter().flatten().all(|v| v.is_finite()),
                ..Seen::default()
            };
            for (x, _) in line.iter().enumerate().filter(|(_, p)| **p == [0.0; 3]) {
                seen.zero += 1;
                let at = (y / scale * tile.width + x / scale) * tile.channels;
                let pixel = tile.samples.get(at..at + 3).unwrap_or_default();
                seen.bright_zero += usize::from(pixel.iter().any(|&v| v >= DARK));
            }
            seen
        });
    let Seen {
        finite,
        zero,
        bright_zero,
    } = looked.reduce(Seen::default, Seen::and);
    if !finite {
        return Err(RestoreError::NotFinite { device: device() });
    }
    match () {
        () if bright_zero > 0 && zero == pixels.len() => {
            Err(RestoreError::Blank { device: device() })
        }
        () if bright_zero >= FEWEST => Err(RestoreError::Holes {
            device: device(),
            pixels: bright_zero,
        }),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SIDE: usize = 12;

    /// What `check` says of a grey tile of this level, of whose result some pixels are zero.
    fn verdict(level: f32, scale: usize, zeros: std::ops::Range<usize>) -> String {
        let samples = vec![level; SIDE * SIDE * 4];
        let tile = Tile {
            samples: &samples,
            width: SIDE,
            channels: 4,
        };
        let mut result = vec![level; SIDE * SIDE * scale * scale * 3];
        result[3 * zeros.start..3 * zeros.end].fill(0.0);
        check("card", &tile, &result, scale).map_or_else(|e| e.to_string(), |()| "good".into())
    }

    #[test]
    fn holes_and_blanks_are_seen_and_darkness_is_not() {
        for scale in [1, 2] {
            let all = SIDE * SIDE * scale * scale;
            assert_eq!(verdict(0.5, scale, 0..0), "good");
            assert_eq!(verdict(0.5, scale, 30..30 + FEWEST - 1), "good");
            assert!(verdict(0.5, scale, 30..30 + FEWEST).contains("16 pixels"));
            assert!(verdict(0.5, scale, all - 64..all).contains("64 pixels"));
            assert!(verdict(0.5, scale, 0..all).contains("black"));
            assert_eq!(verdict(0.01, scale, 0..all), "good");
        }
    }

    #[test]
    fn a_bright_corner_is_enough_to_see_a_blank() {
        let mut samples = vec![0.0; SIDE * SIDE * 3];
        samples[3 * (SIDE * SIDE - 1)] = 0.3;
        let tile = Tile {
            samples: &samples,
            width: SIDE,
            channels: 3,
        };
        let result = vec![0.0; samples.len()];
        let error = check("card", &tile, &result, 1).unwrap_err();
        assert!(matches!(error, RestoreError::Blank { .. }), "{error}");
    }
}
