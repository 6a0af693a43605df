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

    /// Rows and columns of a part that is looked at by itself, and with it what lies around it: half
    /// as much again.
    fn side(self) -> usize {
        8 * self.far()
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

/// Puts the flat areas of a picture into a network's `output` for it: interleaved, three samples a
/// pixel, each side `scale` times the picture's.
pub(super) fn keep(output: &mut [f32], picture: &Rgb<'_>, scale: usize, reach: Reach) {
    let (width, height) = (picture.width(), picture.height());
    if output.is_empty() {
        return;
    }
    let side = reach.side();
    let part = |i: usize, length: usize| i * side..((i + 1) * side).min(length);
    let (down, across) = (height.div_ceil(side), width.div_ceil(side));
    let parts: Vec<Option<Vec<u8>>> = (0..down * across)
        .into_par_iter()
        .map(|i| {
            let (rows, columns) = (part(i / across, height), part(i % across, width));
            distances(picture, &rows, &columns, reach)
        })
        .collect();
    let line = 3 * width * scale;
    let rows = output.par_chunks_mut(line * scale).enumerate();
    rows.for_each(|(y, lines)| {
        for (i, distances) in parts[y / side * across..][..across].iter().enumerate() {
            let Some(distances) = distances else {
                continue;
            };
            let columns = part(i, width);
            let distances = &distances[y % side * columns.len()..];
            let colours = &row(picture, y)[columns.clone()];
            for line in lines.chunks_exact_mut(line) {
                let pixels = &mut line.as_chunks_mut::<3>().0[columns.start * scale..];
                let pixels = pixels.chunks_exact_mut(scale);
                for ((pixels, colour), &distance) in pixels.zip(colours).zip(distances) {
                    pixels
                        .iter_mut()
                        .for_each(|p| reach.mix(p, colour, distance));
                }
            }
        }
    });
}

/// For each pixel of this part the distance to the nearest that has a neighbour of another colour
/// beside, above or below, at most [`Reach::far`]; nothing where none is out of reach.
fn distances(
    picture: &Rgb<'_>,
    rows: &Range<usize>,
    columns: &Range<usize>,
    reach: Reach,
) -> Option<Vec<u8>> {
    let far = reach.0 + RAMP;
    let around = |part: &Range<usize>, length: usize| {
        part.start.saturating_sub(reach.far())..(part.end + reach.far()).min(length)
    };
    let down = around(rows, picture.height());
    let across = around(columns, picture.width());
    // What is kept has an even square around it that no such grid passes by. Most photographs are
    // done with after a look at a two-hundredth of them.
    let step = usize::from(reach.0) + 1;
    let grid = |side: &Range<usize>| (side.start.next_multiple_of(step)..side.end).step_by(step);
    if !grid(&down).any(|y| grid(&across).any(|x| is_even(lines(picture, y), x))) {
        return None;
    }
    let mut all = Vec::with_capacity(down.len() * across.len());
    for y in down.clone() {
        // Nothing beyond is looked at: a pixel at this end is too far from the part to matter.
        let even = even_samples(lines(picture, y).map(|line| line[across.clone()].as_flattened()));
        let distance = |of: &[bool; 3]| if of.iter().all(|&even| even) { far } else { 0 };
        all.extend(even.as_chunks().0.iter().map(distance));
    }
    // From the left upper corner, then from the right lower one, which turning round makes first.
    for _ in 0..2 {
        sweep(&mut all, across.len(), far);
        all.reverse();
    }
    let own: Vec<u8> = all
        .chunks_exact(across.len())
        .skip(rows.start - down.start)
        .take(rows.len())
        .flat_map(|line| &line[columns.start - across.start..][..columns.len()])
        .copied()
        .collect();
    own.iter().any(|&d| d > reach.0).then_some(own)
}

/// For each sample of the middle line whether those beside, above and below are the same. In steps that
/// take many samples at once.
fn even_samples([above, own, below]: [&[f32]; 3]) -> Vec<bool> {
    let same = |((own, above), below): ((&f32, &f32), &f32)| (own == above) & (own == below);
    let mut even: Vec<bool> = own.iter().zip(above).zip(below).map(same).collect();
    let beside = own.iter().zip(&own[3..]);
    let beside: Vec<bool> = beside.map(|(left, right)| left == right).collect();
    for from in [0, 3] {
        let even = even[from..].iter_mut();
        even.zip(&beside).for_each(|(even, same)| *even &= same);
    }
    even
}

/// Row `y` between the ones above and below, or itself where there are none.
fn lines<'a>(picture: &'a Rgb<'_>, y: usize) -> [&'a [[f32; 3]]; 3] {
    let last = picture.height() - 1;
    [y.saturating_sub(1), y, (y + 1).min(last)].map(|y| row(picture, y))
}

/// Whether the pixels beside, above and below the `x`-th of the middle line have its colour: what
/// [`even_samples`] says of its samples, for one that is picked out.
fn is_even([above, own, below]: [&[[f32; 3]]; 3], x: usize) -> bool {
    let beside = [
        own[x.saturating_sub(1)],
        own[(x + 1).min(own.len() - 1)],
        above[x],
        below[x],
    ];
    beside.iter().all(|colour| *colour == own[x])
}

/// Carries distances on to the right and down.
fn sweep(distances: &mut [u8], width: usize, far: u8) {
    // With one more at either end.
    let mut above = vec![far; width + 2];
    for row in distances.chunks_exact_mut(width) {
        let before = above.iter().zip(&above[1..]).zip(&above[2..]);
        for (distance, ((a, b), c)) in row.iter_mut().zip(before) {
            *distance = (a.min(b).min(c) + 1).min(*distance);
        }
        // Alone, because only this one cannot be done for many pixels at once.
        let mut nearest = far;
        for distance in row.iter_mut() {
            nearest = (nearest + 1).min(*distance);
            *distance = nearest;
        }
        above[1..=width].copy_from_slice(row);
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
            for (width, height) in [(1, 1), (5, 3), (1, 40), (40, 1), (30, 872), (872, 9)] {
                let flat = picture(width, height, |_, _| 0.7);
                let mut output = vec![0.1; 3 * width * height * scale * scale];
                keep(&mut output, &flat, scale, Reach::OF_JPEG);
                assert!(output.chunks(3).all(|p| p == [0.7, 0.5, 0.25]));
            }
        }
    }

    /// One pixel of another colour, where four parts meet.
    #[test]
    fn what_is_near_anything_else_is_the_networks() {
        let (top, left) = (Reach::USUAL.side(), Reach::USUAL.side());
        let (width, height) = (left + 60, top + 70);
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
            prop_assert_eq!(distances(&spots, &(0..height), &(0..width), reach), any.then_some(expected));
        }
    }
}
