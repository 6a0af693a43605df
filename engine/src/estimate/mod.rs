//! What ails a picture: its noise, blur and compression, and which model to take for it.
//!
//! [`diagnose`] measures, [`propose`] decides. Both are heuristics with known errors
//! (docs/models.md has the table): a proposal is a start for a person, not a verdict.

mod blur;
mod jpeg;
mod noise;
mod propose;

pub use blur::gaussian_blur;
pub use jpeg::{Blocks, blocks, quality_of_file};
pub use noise::white_noise;
pub use propose::{Ailment, Proposal, propose};

use crate::image::{Rgb, Rgb32};

/// Longest side of what is looked at: of larger pictures the middle.
const SIDE: usize = 1024;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Diagnosis {
    /// σ of the noise that is independent in every pixel, 0 to 1.
    pub noise: f32,
    /// Twice the σ after shrinking to a half: the same for such noise, more for noise that
    /// neighbours share, as demosaicing, JPEG and resizing leave it.
    pub coarse_noise: f32,
    /// Standard deviation in pixels of a Gaussian blur with the same edges; none without edges.
    pub blur: Option<f32>,
    /// Quality of its JPEG compression, as libjpeg counts it, from the file or found in the pixels.
    pub jpeg: Option<u8>,
    /// How much block borders stand out; 1 where they do not.
    pub blocking: f32,
}

/// Measures a picture. `file` is what it was read from, if that is at hand: a JPEG file tells its
/// quality itself.
pub fn diagnose(picture: &Rgb<'_>, file: Option<&[u8]>) -> Diagnosis {
    let middle = middle(picture);
    let (width, height) = (middle.width(), middle.height());
    let noise = white_noise(middle.samples(), width, height, 3);
    let halved = halved(&middle);
    let coarse = white_noise(halved.samples(), halved.width(), halved.height(), 3);
    let found = blocks(&middle);
    let told = file.and_then(quality_of_file);
    Diagnosis {
        noise,
        coarse_noise: 2.0 * coarse,
        blur: gaussian_blur(&middle, noise),
        jpeg: told.or(found.and_then(|f| f.quality)),
        blocking: found.map_or(1.0, |f| f.strength),
    }
}

/// The middle of a large picture, on the grid of its blocks.
fn middle<'a>(picture: &'a Rgb<'_>) -> Rgb<'a> {
    let (width, height) = (picture.width(), picture.height());
    let (wide, high) = (width.min(SIDE), height.min(SIDE));
    if (wide, high) == (width, height) {
        return Rgb::from_parts(width, height, picture.samples());
    }
    let (x, y) = ((width - wide) / 2 / 8 * 8, (height - high) / 2 / 8 * 8);
    let mut samples = Vec::with_capacity(wide * high * 3);
    for row in y..y + high {
        let at = (row * width + x) * 3;
        samples.extend_from_slice(&picture.samples()[at..at + wide * 3]);
    }
    Rgb::from_parts(wide, high, samples)
}

/// Means of 2×2 pixels.
fn halved(picture: &Rgb<'_>) -> Rgb32 {
    let (width, height) = (picture.width() / 2, picture.height() / 2);
    let at = |x: usize, y: usize, c: usize| picture.samples()[(y * picture.width() + x) * 3 + c];
    let samples = (0..width * height * 3).map(|i| {
        let (x, y, c) = (i / 3 % width * 2, i / 3 / width * 2, i % 3);
        (at(x, y, c) + at(x + 1, y, c) + at(x, y + 1, c) + at(x + 1, y + 1, c)) / 4.0
    });
    Rgb32::from_parts(width, height, samples.collect::<Vec<_>>())
}
