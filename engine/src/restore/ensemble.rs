//! Geometric self-ensemble: the mean over the eight ways to turn and mirror a picture.
//!
//! A network is not quite the same for a picture and its mirror image; the mean of what it makes
//! of all eight is closer to the truth (Timofte, Rothe and Van Gool 2016; "+" in tables of
//! super-resolution), at eight times the time.

use crate::image::{Rgb, Rgb32};

/// Ways to turn a square.
pub(super) const TURNS: u8 = 8;

/// Turns an interleaved picture of three channels: bit 0 transposes, then bit 1 mirrors left and
/// right, bit 2 top and bottom.
pub(super) fn turned(picture: &Rgb<'_>, turn: u8) -> Rgb32 {
    let (width, height) = (picture.width(), picture.height());
    let (wide, high) = match turn & 1 {
        0 => (width, height),
        _ => (height, width),
    };
    from_source(picture, (wide, high), |x, y| {
        let x = if turn & 2 != 0 { wide - 1 - x } else { x };
        let y = if turn & 4 != 0 { high - 1 - y } else { y };
        if turn & 1 == 0 { (x, y) } else { (y, x) }
    })
}

/// Undoes [`turned`].
pub(super) fn turned_back(picture: &Rgb<'_>, turn: u8) -> Rgb32 {
    let (wide, high) = (picture.width(), picture.height());
    let (width, height) = match turn & 1 {
        0 => (wide, high),
        _ => (high, wide),
    };
    from_source(picture, (width, height), |x, y| {
        let (x, y) = if turn & 1 == 0 { (x, y) } else { (y, x) };
        let x = if turn & 2 != 0 { wide - 1 - x } else { x };
        let y = if turn & 4 != 0 { high - 1 - y } else { y };
        (x, y)
    })
}

/// A picture whose pixel at (x, y) is the source's at `from(x, y)`.
fn from_source(
    source: &Rgb<'_>,
    (width, height): (usize, usize),
    from: impl Fn(usize, usize) -> (usize, usize),
) -> Rgb32 {
    let mut samples = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let (sx, sy) = from(x, y);
            let at = (sy * source.width() + sx) * 3;
            samples.extend_from_slice(&source.samples()[at..at + 3]);
        }
    }
    Rgb32::from_parts(width, height, samples)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn eight_different_turns_all_undone() {
        let samples: Vec<f32> = (0..5 * 3 * 3).map(|i| i as f32).collect();
        let picture = Rgb32::new(5, 3, samples).unwrap();
        let all: Vec<Rgb32> = (0..TURNS).map(|turn| turned(&picture, turn)).collect();
        for (turn, one) in all.iter().enumerate() {
            assert_eq!(turned_back(one, turn as u8), picture, "{turn}");
            assert_eq!(all.iter().filter(|other| *other == one).count(), 1);
        }
        // Red of the corners, by hand: transposed and mirrored is a quarter turn to the right.
        let quarter = &all[3];
        assert_eq!((quarter.width(), quarter.height()), (3, 5));
        assert_eq!(quarter.samples()[0], picture.samples()[2 * 5 * 3]);
        assert_eq!(quarter.samples()[2 * 3], picture.samples()[0]);
    }
}
