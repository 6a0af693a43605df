//! Whether what a device gave for a tile can be believed, before any of it is saved.

use super::RestoreError;

/// Samples above this are not black: a network does not make them exactly zero.
const DARK: f32 = 0.05;

/// A driver that leaves out work leaves out at least a workgroup of 64 values; fewer exact zeros
/// may be chance.
const FEWEST: usize = 16;

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
    if !result.iter().all(|v| v.is_finite()) {
        return Err(RestoreError::NotFinite { device: device() });
    }
    let (mut zero, mut bright_zero) = (0, 0);
    let (pixels, rest) = result.as_chunks::<3>();
    let width = tile.width * scale;
    for (i, _) in pixels.iter().enumerate().filter(|(_, p)| **p == [0.0; 3]) {
        zero += 1;
        let (x, y) = (i % width / scale, i / width / scale);
        let at = (y * tile.width + x) * tile.channels;
        let pixel = tile.samples.get(at..at + 3).unwrap_or_default();
        bright_zero += usize::from(pixel.iter().any(|&v| v >= DARK));
    }
    debug_assert!(rest.is_empty());
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
