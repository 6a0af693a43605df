//! A part of a picture, restored as if the whole had been.
//!
//! A preview must be there within a fraction of a second, whatever the picture's size. So only
//! the region is cut out, with as much around it as tiles of a whole picture have in common,
//! and what is around it is dropped again afterwards. The cut starts at a multiple of the
//! network's size multiple, so that the network sees the patch grid of the whole picture, and
//! ends at one or at the picture's border, where the picture is reflected as in the whole.
//!
//! Sizes of cuts are rounded up and depend on the region's size alone (in a picture large
//! enough), so that moving a region about needs nothing new from the device.

use super::RestoreError;
use super::tiles::Needs;
use crate::image::{ImageError, Picture};

/// Sides of cuts are multiples of at least this many pixels.
const STEP: usize = 64;

/// A rectangle in a picture, in pixels from its left upper corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Region {
    /// The middle of a picture, of these sides at most.
    pub fn middle(picture: &Picture, width: usize, height: usize) -> Self {
        let (width, height) = (width.min(picture.width()), height.min(picture.height()));
        Self {
            x: (picture.width() - width) / 2,
            y: (picture.height() - height) / 2,
            width,
            height,
        }
    }

    /// The part of the region that lies in a picture of this size.
    ///
    /// # Errors
    /// [`RestoreError::Option`] when that is nothing.
    pub fn within(&self, width: usize, height: usize) -> Result<Self, RestoreError> {
        let (x, y) = (self.x.min(width), self.y.min(height));
        let inside = Self {
            x,
            y,
            width: self.width.min(width - x),
            height: self.height.min(height - y),
        };
        if inside.pixels() == 0 {
            return Err(RestoreError::Option {
                option: "region",
                value: format!("{}x{} at {},{}", self.width, self.height, self.x, self.y),
                allowed: "a rectangle that lies at least partly in the picture",
            });
        }
        Ok(inside)
    }

    /// Width times height.
    pub fn pixels(&self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// What has to be restored for the region, in a picture of this size, by a network that
    /// needs this of tiles.
    pub(super) fn with_context(&self, width: usize, height: usize, needs: Needs) -> Self {
        let (x, wide) = grow(self.x, self.width, width, needs);
        let (y, high) = grow(self.y, self.height, height, needs);
        Self {
            x,
            y,
            width: wide,
            height: high,
        }
    }

    /// The region as seen from inside `outer`, in a picture enlarged `scale` times.
    pub(super) fn inside(&self, outer: &Self, scale: usize) -> Self {
        Self {
            x: (self.x - outer.x) * scale,
            y: (self.y - outer.y) * scale,
            width: self.width * scale,
            height: self.height * scale,
        }
    }

    /// A picture of the region alone, with everything else the picture has.
    ///
    /// # Errors
    /// [`ImageError::Samples`] when the region is not in the picture.
    pub fn cut(&self, picture: &Picture) -> Result<Picture, ImageError> {
        let plane = |samples: &[f32], channels: usize| -> Vec<f32> {
            let stride = picture.width() * channels;
            let rows = samples.chunks_exact(stride.max(1));
            rows.skip(self.y)
                .take(self.height)
                .filter_map(|row| row.get(self.x * channels..(self.x + self.width) * channels))
                .flatten()
                .copied()
                .collect()
        };
        let samples = plane(picture.samples(), picture.colour().channels());
        let alpha = picture.alpha().map(|alpha| plane(alpha, 1));
        Ok(
            Picture::new(self.width, self.height, picture.colour(), samples)?
                .with_alpha(alpha)?
                .with_depth(picture.depth())
                .with_light(picture.light())
                .with_metadata(picture.metadata().clone()),
        )
    }
}

/// First pixel and length of what is cut out along one side of the picture.
fn grow(start: usize, length: usize, side: usize, needs: Needs) -> (usize, usize) {
    let Needs { multiple, overlap } = needs;
    let padded = side.next_multiple_of(multiple);
    let step = multiple * STEP.div_ceil(multiple);
    let long = (length + 2 * overlap + multiple - 1).next_multiple_of(step);
    if padded <= long {
        return (0, side);
    }
    let first = start.saturating_sub(overlap) / multiple * multiple;
    let first = first.min(padded - long);
    (first, long.min(side - first))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::image::Colour;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cut_has_its_context_the_grid_and_a_steady_size(
            side in 1usize..3000, at in 0.0f64..1.0, length in 1usize..800, power in 0u32..5,
            overlap in 0usize..260,
        ) {
            let multiple = 1 << power;
            let needs = Needs { multiple, overlap };
            let length = length.min(side);
            let start = (at * (side - length) as f64) as usize;
            let (first, long) = grow(start, length, side, needs);
            prop_assert_eq!(first % multiple, 0);
            prop_assert!(first + long <= side);
            prop_assert!(first == 0 || start - first >= overlap);
            let end = first + long;
            prop_assert!(end == side || (end >= start + length + overlap && end % multiple == 0));
            // The same tile wherever the region lies.
            let (_, other) = grow(0, length, side, needs);
            prop_assert_eq!(long.next_multiple_of(multiple), other.next_multiple_of(multiple));
        }
    }

    #[test]
    fn a_region_is_clipped_to_the_picture_and_never_empty() {
        let region = |x, y, width, height| Region {
            x,
            y,
            width,
            height,
        };
        let clipped = region(5, 6, 100, 100).within(10, 20).unwrap();
        assert_eq!(clipped, region(5, 6, 5, 14));
        for empty in [
            region(10, 0, 5, 5),
            region(0, 99, 5, 5),
            region(1, 1, 0, 5),
            region(usize::MAX, 1, usize::MAX, 5),
        ] {
            assert!(empty.within(10, 20).is_err());
        }
    }

    #[test]
    fn the_middle_is_as_far_from_every_side_and_no_larger_than_the_picture() {
        let picture = Picture::new(9, 6, Colour::Grey, vec![0.0; 54]).unwrap();
        let sides = |r: Region| (r.x, r.y, r.width, r.height);
        assert_eq!(sides(Region::middle(&picture, 3, 2)), (3, 2, 3, 2));
        assert_eq!(sides(Region::middle(&picture, 4, 99)), (2, 0, 4, 6));
    }

    #[test]
    fn a_cut_takes_samples_and_alpha_of_its_place() {
        let samples = (0..7 * 5 * 3).map(|i| i as f32 / 105.0).collect();
        let alpha = (0..7 * 5).map(|i| i as f32 / 35.0).collect();
        let whole = Picture::new(7, 5, Colour::Rgb, samples)
            .unwrap()
            .with_alpha(Some(alpha))
            .unwrap();
        let region = Region {
            x: 2,
            y: 1,
            width: 3,
            height: 2,
        };
        let part = region.cut(&whole).unwrap();
        assert_eq!((part.width(), part.height()), (3, 2));
        assert_eq!(part.samples()[..3], whole.samples()[(7 + 2) * 3..][..3]);
        assert_eq!(part.alpha().unwrap()[3], whole.alpha().unwrap()[2 * 7 + 2]);
        let beyond = Region { x: 6, ..region };
        assert!(beyond.cut(&whole).is_err());
    }
}
