//! What is exactly flat stays as it is: black bars, clipped whites, drawn areas. There is nothing
//! to restore in them, and networks miss an even colour by up to three steps of 8 bits.
//!
//! A pixel's distance to the nearest one with a neighbour of another colour, the larger of across
//! and down, decides. It is found in two sweeps that carry it from pixel to pixel (Rosenfeld and
//! Pfaltz, Pattern Recognition 1, 1968; exact for this distance).

use std::ops::Range;

use rayon::prelude::*;

use crate::checkpoint::Task;
use crate::image::Rgb;

/// How many pixels around one must all have its very colour for anything of it to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach(u8);

impl Reach {
    /// Of models that see no further into what is flat.
    const USUAL: Self = Self(16);

    /// Of models that undo JPEG. It turns slopes into stairs, flat by mistake, which such a model
    /// smooths as far as it sees from a step to the next: some 96 pixels (docs/reliability.md).
    /// What lies further from a step than that is all it knows about.
    const OF_JPEG: Self = Self(96);

    /// Of a model with this task.
    pub fn of(task: Task) -> Self {
        match task {
            Task::Jpeg | Task::Mixed => Self::OF_JPEG,
            _ => Self::USUAL,
        }
    }

    /// From this distance on everything is as it was; distances are counted no further. So many
    /// pixels around one decide how much of it is kept.
    pub fn far(self) -> usize {
        usize::from(self.0 + RAMP)
    }

    /// What becomes of a pixel so far from anything uneven.
    fn mix(self, pixel: &mut [f32; 3], was: &[f32; 3], distance: u8) {
        match distance.saturating_sub(self.0) {
            0 => (),
            RAMP.. => *pixel = *was,
            more => {
                let share = f32::from(more) / f32::from(RAMP);
                (0..3).for_each(|c| pixel[c] += share * (was[c] - pixel[c]));
            }
        }
    }
}

/// Pixels over which the network's result goes over into what was there.
const RAMP: u8 = 8;

/// Rows looked at together. Those around them are looked at once more for it.
const BAND: usize = 512;

/// Puts the flat areas of a picture into a network's `output` for it: interleaved, three samples a
/// pixel, each side `scale` times the picture's.
pub(super) fn keep(output: &mut [f32], picture: &Rgb<'_>, scale: usize, reach: Reach) {
    let (width, height) = (picture.width(), picture.height());
    if output.is_empty() {
        return;
    }
    let line = 3 * width * scale;
    let bands = output.par_chunks_mut(line * scale * BAND).enumerate();
    bands.for_each(|(i, band)| {
        let rows = i * BAND..((i + 1) * BAND).min(height);
        let Some(distances) = distances(picture, rows.clone(), reach) else {
            return;
        };
        for (i, line) in band.chunks_exact_mut(line).enumerate() {
            let y = i / scale;
            let colours = row(picture, rows.start + y);
            let distances = &distances[y * width..];
            let pixels = line.as_chunks_mut::<3>().0.chunks_exact_mut(scale);
            for ((pixels, colour), &distance) in pixels.zip(colours).zip(distances) {
                pixels
                    .iter_mut()
                    .for_each(|p| reach.mix(p, colour, distance));
            }
        }
    });
}

/// For each pixel of these rows the distance to the nearest that has a neighbour of another colour
/// beside, above or below, at most [`Reach::far`]; nothing where none is out of reach.
fn distances(picture: &Rgb<'_>, rows: Range<usize>, reach: Reach) -> Option<Vec<u8>> {
    let width = picture.width();
    let far = reach.0 + RAMP;
    let top = rows.start.saturating_sub(reach.far());
    let bottom = (rows.end + reach.far()).min(picture.height());
    // What is kept has an even square around it that no such grid passes by. Most photographs are
    // done with after a look at a three-hundredth of them.
    let step = usize::from(reach.0) + 1;
    let mut grid = (top.next_multiple_of(step)..bottom).step_by(step);
    if !grid.any(|y| (0..width).step_by(step).any(|x| is_even(picture, x, y))) {
        return None;
    }
    let mut all = Vec::with_capacity((bottom - top) * width);
    for y in top..bottom {
        let distance = |x| if is_even(picture, x, y) { far } else { 0 };
        all.extend((0..width).map(distance));
    }
    // From the left upper corner, then from the right lower one, which turning round makes first.
    for _ in 0..2 {
        sweep(&mut all, width, far);
        all.reverse();
    }
    let own = (rows.start - top) * width..(rows.end - top) * width;
    let own = all.drain(own).collect::<Vec<u8>>();
    own.iter().any(|&d| d > reach.0).then_some(own)
}

/// Whether the pixels beside, above and below one have its colour.
fn is_even(picture: &Rgb<'_>, x: usize, y: usize) -> bool {
    let own = row(picture, y);
    let around = [
        own[x.saturating_sub(1)],
        own[(x + 1).min(own.len() - 1)],
        row(picture, y.saturating_sub(1))[x],
        row(picture, (y + 1).min(picture.height() - 1))[x],
    ];
    around.iter().all(|colour| *colour == own[x])
}

/// Carries distances on to the right and down.
fn sweep(distances: &mut [u8], width: usize, far: u8) {
    let mut above = vec![far; width];
    for row in distances.chunks_exact_mut(width) {
        let mut nearest = far;
        for (x, distance) in row.iter_mut().enumerate() {
            let passed = &above[x.saturating_sub(1)..(x + 2).min(width)];
            nearest = passed.iter().fold(nearest, |a, &b| a.min(b));
            nearest = (nearest + 1).min(*distance);
            *distance = nearest;
        }
        above.copy_from_slice(row);
    }
}

/// A row's colours.
fn row<'a>(picture: &'a Rgb<'_>, y: usize) -> &'a [[f32; 3]] {
    let width = picture.width();
    &picture.samples().as_chunks().0[y * width..(y + 1) * width]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::image::Rgb32;
    use proptest::prelude::*;

    fn picture(width: usize, height: usize, at: impl Fn(usize, usize) -> f32) -> Rgb32 {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let samples = pixels.flat_map(|(x, y)| [at(x, y), 0.5, 0.25]).collect();
        Rgb32::new(width, height, samples).unwrap()
    }

    #[test]
    fn a_flat_picture_stays_as_it_was_whatever_its_size_and_the_scale() {
        for scale in [1, 2, 3, 4] {
            for (width, height) in [(1, 1), (5, 3), (1, 40), (40, 1), (30, BAND + 40)] {
                let flat = picture(width, height, |_, _| 0.7);
                let mut output = vec![0.1; 3 * width * height * scale * scale];
                keep(&mut output, &flat, scale, Reach::OF_JPEG);
                assert!(output.chunks(3).all(|p| p == [0.7, 0.5, 0.25]));
            }
        }
    }

    /// One pixel of another colour, where two bands meet.
    #[test]
    fn what_is_near_anything_else_is_the_networks() {
        let (width, height) = (101, BAND + 60);
        let (left, top) = (50, BAND);
        let odd = picture(
            width,
            height,
            |x, y| {
                if (x, y) == (left, top) { 0.0 } else { 1.0 }
            },
        );
        for scale in [1, 2] {
            let mut output = vec![0.5; width * height * 3 * scale * scale];
            keep(&mut output, &odd, scale, Reach::USUAL);
            for y in 0..height * scale {
                for x in 0..width * scale {
                    let (across, down) = ((x / scale).abs_diff(left), (y / scale).abs_diff(top));
                    // Its four neighbours are uneven, too.
                    let side = (across.saturating_sub(1).max(down))
                        .min(down.saturating_sub(1).max(across));
                    let share = side.clamp(16, 24) - 16;
                    let got = output[3 * (y * width * scale + x)];
                    assert_eq!(got, 0.5 + 0.5 * share as f32 / 8.0, "{x} {y}");
                }
            }
        }
    }

    /// A slope that JPEG made stairs of, 64 pixels wide.
    #[test]
    fn stairs_are_left_to_models_that_undo_jpeg() {
        let stairs = picture(256, 8, |x, _| (x / 64) as f32 / 8.0);
        let mut output = vec![0.5; 256 * 8 * 3];
        keep(&mut output, &stairs, 1, Reach::of(Task::Jpeg));
        assert!(output.iter().all(|&v| v == 0.5));
        keep(&mut output, &stairs, 1, Reach::of(Task::Denoise));
        assert_eq!(output[3 * 32], 0.0);
    }

    #[test]
    fn blocks_of_jpeg_are_not_kept() {
        let blocks = picture(64, 64, |x, y| ((x / 16 + y / 16) % 2) as f32);
        let mut output = vec![0.5; 64 * 64 * 3];
        keep(&mut output, &blocks, 1, Reach::USUAL);
        assert!(output.iter().all(|&v| v == 0.5));
    }

    proptest! {
        #[test]
        fn distances_are_those_of_every_pixel_to_every_other(
            width in 1usize..60, height in 1usize..60,
            dots in proptest::collection::vec((0usize..60, 0usize..60), 0..4),
            // Flat is all of it, or one square among what is not.
            square in proptest::option::of((0usize..60, 0usize..60, 1usize..40)),
        ) {
            let spots = picture(width, height, |x, y| match square {
                Some((left, top, side))
                    if !(left..left + side).contains(&x) || !(top..top + side).contains(&y) =>
                {
                    0.25 * (1 + (x + y) % 2) as f32
                }
                _ if dots.contains(&(x, y)) => 1.0,
                _ => 0.0,
            });
            let uneven = |x: usize, y: usize| {
                let at = |x: usize, y: usize| spots.samples()[3 * (y * width + x)];
                (x > 0 && at(x - 1, y) != at(x, y)) || (x + 1 < width && at(x + 1, y) != at(x, y))
                    || (y > 0 && at(x, y - 1) != at(x, y)) || (y + 1 < height && at(x, y + 1) != at(x, y))
            };
            let pixels = || (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            let odd: Vec<_> = pixels().filter(|&(x, y)| uneven(x, y)).collect();
            let reach = Reach(RAMP);
            let far = reach.far();
            let expected: Vec<u8> = pixels().map(|(x, y)| {
                let to = |&(a, b): &(usize, usize)| x.abs_diff(a).max(y.abs_diff(b)).min(far);
                odd.iter().map(to).min().unwrap_or(far) as u8
            }).collect();
            let any = expected.iter().any(|&d| d > reach.0);
            prop_assert_eq!(distances(&spots, 0..height, reach), any.then_some(expected));
        }
    }
}
