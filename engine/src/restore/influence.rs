//! How far a change of one pixel reaches: what tiles must share to hide their borders.
//!
//! In principle a scan carries every token to the end of the picture; in practice its states
//! decay. So the reach is measured: one pixel of a picture is made black, then white, and the
//! largest change of the result is kept for each distance.

use super::{Monitor, Options, RestoreError, Restorer};
use crate::image::{Picture, Rgb32};

/// The change that counts: one level of 255.
pub const LEVEL: f32 = 1.0 / 255.0;

/// The largest change of the result by distance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Influence {
    /// Index: distance from the changed pixel in pixels of the input, the larger of across and
    /// down. Value: change of a sample, 0 to 1.
    pub by_distance: Vec<f32>,
}

impl Influence {
    /// The farthest distance at which a sample changes by [`LEVEL`] or more.
    pub fn reach(&self) -> usize {
        let last = self.by_distance.iter().rposition(|&d| d >= LEVEL);
        last.unwrap_or(0)
    }

    /// The largest change at this distance or farther.
    pub fn beyond(&self, distance: usize) -> f32 {
        let far = self.by_distance.iter().skip(distance);
        far.fold(0.0, |most, &d| most.max(d))
    }

    /// The larger of both at each distance.
    pub fn merge(&mut self, other: &Self) {
        let length = self.by_distance.len().max(other.by_distance.len());
        self.by_distance.resize(length, 0.0);
        for (most, &d) in self.by_distance.iter_mut().zip(&other.by_distance) {
            *most = most.max(d);
        }
    }
}

/// Changes the pixels at `probes` (across, down), one at a time. The picture is restored whole,
/// so it should be no larger than a tile.
///
/// # Errors
/// As [`Restorer::restore`]; [`RestoreError::Option`] for a probe outside the picture.
pub fn influence(
    restorer: &mut Restorer,
    picture: &Picture,
    probes: &[(usize, usize)],
    monitor: &mut Monitor<'_>,
) -> Result<Influence, RestoreError> {
    let rgb = picture.to_rgb();
    let (width, height) = (rgb.width(), rgb.height());
    let options = Options {
        // Told, or the change would reach everything by way of the estimate.
        noise: Some(super::estimate_noise(rgb.samples(), width, height, 3).clamp(0.0, 1.0)),
        // The network's own reach is asked for, also in what is flat.
        keep_flat: false,
        ..Options::default()
    };
    let mut restore = |rgb: &Rgb32| -> Result<Rgb32, RestoreError> {
        let restored = restorer.restore(&picture.with_pixels(rgb.clone()), &options, monitor)?;
        Ok(restored.picture.to_rgb())
    };
    let before = restore(&rgb)?;
    let mut all = Influence::default();
    for &(x, y) in probes {
        if x >= width || y >= height {
            return Err(RestoreError::Option {
                option: "probe",
                value: format!("{x}, {y}"),
                allowed: "inside the picture",
            });
        }
        for level in [0.0, 1.0] {
            let mut changed = rgb.clone();
            let at = 3 * (y * width + x);
            changed.samples_mut()[at..at + 3].fill(level);
            all.merge(&change(&before, &restore(&changed)?, (x, y), width));
        }
    }
    Ok(all)
}

/// The largest difference of two results by distance from a pixel of the input.
fn change(a: &Rgb32, b: &Rgb32, (x, y): (usize, usize), input_width: usize) -> Influence {
    let scale = a.width() / input_width;
    let mut by_distance = Vec::new();
    let pixels = a.samples().as_chunks::<3>().0.iter();
    for (i, (a_pixel, b_pixel)) in pixels.zip(b.samples().as_chunks::<3>().0).enumerate() {
        let across = (i % a.width() / scale).abs_diff(x);
        let down = (i / a.width() / scale).abs_diff(y);
        let distance = across.max(down);
        if by_distance.len() <= distance {
            by_distance.resize(distance + 1, 0.0);
        }
        for (a, b) in a_pixel.iter().zip(b_pixel) {
            by_distance[distance] = f32::max(by_distance[distance], (a - b).abs());
        }
    }
    Influence { by_distance }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use super::*;
    use crate::restore::Device;
    use crate::restore::tests::{checkpoint, picture};

    #[test]
    fn the_identity_reaches_nothing_but_the_pixel() {
        for scale in [1, 2] {
            let model = checkpoint(|c| c.scale = scale);
            let mut restorer = Restorer::new(Arc::new(Device::cpu()), model).unwrap();
            let p = picture(30, 24);
            let mut go_on = |_, _| ControlFlow::Continue(());
            let found = influence(&mut restorer, &p, &[(4, 5), (29, 23)], &mut go_on).unwrap();
            // Enlarging is bicubic: two pixels on either side.
            assert_eq!(found.reach(), if scale == 1 { 0 } else { 2 });
            assert!(found.beyond(0) > 0.2 && found.beyond(3) < 1e-6, "{found:?}");
            assert_eq!(found.by_distance.len(), 30);
            assert!(influence(&mut restorer, &p, &[(30, 0)], &mut go_on).is_err());
        }
    }
}
