//! JPEG quality: read from a file's quantisation tables, or found in the pixels of a picture that
//! was compressed once and saved otherwise.
//!
//! From pixels after Z. Fan and R. L. de Queiroz, "Identification of bitmap compression history"
//! (IEEE Transactions on Image Processing 2003): differences across block borders tell whether
//! and where there are blocks; in them the DCT coefficients cluster at multiples of the
//! quantiser. Quality is libjpeg's, of the standard luminance table.

use std::f32::consts::PI;

use crate::image::Rgb;

/// Luminance table of the JPEG standard (ITU T.81, K.1), row by row.
const LUMINANCE: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// Order of a table in a file (zigzag): place in the block of each entry.
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The luminance table that libjpeg uses at a quality.
fn table(quality: u8) -> [u16; 64] {
    let q = u32::from(quality.clamp(1, 100));
    let scale = if q < 50 { 5000 / q } else { 200 - 2 * q };
    LUMINANCE.map(|v| ((u32::from(v) * scale + 50) / 100).clamp(1, 255) as u16)
}

/// Quality of a JPEG file, from its first quantisation table; none for other files and tables
/// that no quality comes near to.
pub fn quality_of_file(bytes: &[u8]) -> Option<u8> {
    let found = first_table(bytes)?;
    let distance = |quality: u8| {
        let expected = table(quality);
        let pairs = expected.iter().zip(&found);
        pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>()
    };
    (1..=100).min_by_key(|&q| distance(q))
}

/// The table with number 0, in the block's order.
fn first_table(bytes: &[u8]) -> Option<[u16; 64]> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        // Any number of fill bytes may stand before a marker.
        let [0xff, marker, ..] = *rest else {
            return None;
        };
        if marker == 0xff {
            rest = &rest[1..];
            continue;
        }
        // The pixels begin: there is no table.
        if marker == 0xda || marker == 0xd9 {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
        let body = rest.get(4..2 + length)?;
        if marker == 0xdb
            && let Some(table) = table_zero(body)
        {
            return Some(table);
        }
        rest = rest.get(2 + length..)?;
    }
}

fn table_zero(mut body: &[u8]) -> Option<[u16; 64]> {
    loop {
        let (&head, values) = body.split_first()?;
        let wide = head >> 4 == 1;
        let length = if wide { 128 } else { 64 };
        let values_of = values.get(..length)?;
        if head & 15 == 0 {
            let mut table = [0; 64];
            for (i, &place) in ZIGZAG.iter().enumerate() {
                table[place] = match wide {
                    true => u16::from_be_bytes([values_of[2 * i], values_of[2 * i + 1]]),
                    false => u16::from(values_of[i]),
                };
            }
            return Some(table);
        }
        body = values.get(length..)?;
    }
}

/// Blocks found in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blocks {
    /// Column and row at which the first whole block starts, 0 to 7.
    pub start: (usize, usize),
    /// How much larger differences across borders are than elsewhere; 1 without blocks.
    pub strength: f32,
    /// Quality the coefficients speak of; none where they show no quantiser.
    pub quality: Option<u8>,
}

/// Looks for JPEG's blocks in a picture; none under 64 pixels a side.
pub fn blocks(picture: &Rgb<'_>) -> Option<Blocks> {
    let (width, height) = (picture.width(), picture.height());
    if width < 64 || height < 64 {
        return None;
    }
    let weigh = |p: &[f32; 3]| 255.0 * (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]);
    let luma: Vec<f32> = picture
        .samples()
        .as_chunks::<3>()
        .0
        .iter()
        .map(weigh)
        .collect();
    let (x, across) = phase(&luma, width, 1, width, height);
    let (y, down) = phase(&luma, 1, width, height, width);
    Some(Blocks {
        start: (x, y),
        strength: (across * down).sqrt(),
        quality: quantiser(&luma, (width, height), (x, y)),
    })
}

/// Where borders lie along one axis, and how strong they are. `line` is the step from one line to
/// the next, `step` from one sample to the next in a line of `length`.
fn phase(luma: &[f32], line: usize, step: usize, length: usize, lines: usize) -> (usize, f32) {
    let mut sums = [0f64; 8];
    let mut counts = [0f64; 8];
    for l in 0..lines {
        let at = |i: usize| luma[l * line + i * step];
        for i in 2..length - 2 {
            // What a step has that a slope has not.
            let jump = at(i) - at(i - 1) - (at(i + 1) - at(i) + at(i - 1) - at(i - 2)) / 2.0;
            sums[i % 8] += f64::from(jump.abs().min(40.0));
            counts[i % 8] += 1.0;
        }
    }
    let mean: [f64; 8] = std::array::from_fn(|i| sums[i] / f64::max(counts[i], 1.0));
    let best = (0..8)
        .max_by(|&a, &b| mean[a].total_cmp(&mean[b]))
        .unwrap_or(0);
    let others = (mean.iter().sum::<f64>() - mean[best]) / 7.0;
    (best, (mean[best] / others.max(1e-6)) as f32)
}

/// The quality whose table the coefficients cluster at.
fn quantiser(
    luma: &[f32],
    (width, height): (usize, usize),
    (x0, y0): (usize, usize),
) -> Option<u8> {
    // Zigzag order: the low frequencies, where coefficients are not all 0.
    let places: Vec<usize> = ZIGZAG[..15].to_vec();
    let basis: Vec<[f32; 64]> = places.iter().map(|&p| wave(p % 8, p / 8)).collect();
    let mut coefficients: Vec<Vec<f32>> = vec![Vec::new(); places.len()];
    let (across, down) = ((width - x0) / 8, (height - y0) / 8);
    let step = (across * down / 6000).max(1);
    for i in (0..across * down).step_by(step) {
        let (bx, by) = (x0 + i % across * 8, y0 + i / across * 8);
        let mut block = [0f32; 64];
        for (j, row) in block.chunks_exact_mut(8).enumerate() {
            let at = (by + j) * width + bx;
            row.copy_from_slice(&luma[at..at + 8]);
        }
        // Where pixels were clipped, coefficients are no multiples any more.
        if block.iter().any(|v| !(2.0..=253.0).contains(v)) {
            continue;
        }
        for (values, wave) in coefficients.iter_mut().zip(&basis) {
            let c: f32 = block.iter().zip(wave).map(|(v, w)| (v - 128.0) * w).sum();
            values.push(c);
        }
    }
    // What is the same in every block fits every step: a picture of one colour was not compressed.
    for values in &mut coefficients {
        let first = values.first().copied().unwrap_or_default();
        if values.iter().all(|v| (v - first).abs() < 0.5) {
            values.clear();
        }
    }
    let score = |quality: u8| {
        let steps = table(quality);
        let (mut sum, mut count) = (0.0, 0usize);
        for (values, &place) in coefficients.iter().zip(&places) {
            let q = f32::from(steps[place]);
            // Too fine to be told from the rounding of pixels.
            if q < 3.0 {
                continue;
            }
            for &c in values.iter().filter(|c| c.abs() > 0.6 * q) {
                sum += (2.0 * PI * c / q).cos();
                count += 1;
            }
        }
        (count >= 60).then(|| sum / count as f32)
    };
    let scores: Vec<(u8, f32)> = (3..=95).filter_map(|q| Some((q, score(q)?))).collect();
    let best = scores.iter().map(|s| s.1).fold(0.0, f32::max);
    // A half of the true step fits as well: of what fits almost as well, the coarsest.
    let fits = scores.iter().find(|s| s.1 > 0.9 * best);
    fits.filter(|_| best > 0.35).map(|s| s.0)
}

/// The DCT's basis function of column frequency `u` and row frequency `v`.
fn wave(u: usize, v: usize) -> [f32; 64] {
    let scale = |k: usize| if k == 0 { 0.125f32.sqrt() } else { 0.5 };
    let along = |k: usize, x: usize| ((2 * x + 1) as f32 * k as f32 * PI / 16.0).cos() * scale(k);
    std::array::from_fn(|i| along(u, i % 8) * along(v, i / 8))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::image::{Colour, Format, Picture, Rgb32};

    /// Edges, ripples and a little grain.
    fn scene(side: usize) -> Picture {
        let samples = (0..side * side * 3).map(|i| {
            let (x, y, c) = ((i / 3 % side) as f32, (i / 3 / side) as f32, i % 3);
            let disc = f32::from((x - 90.0).hypot(y - 70.0) < 40.0);
            let ripples = (x * 0.35 + (y * 0.05).sin() * 3.0).sin() * (y * 0.21).cos();
            let grain = (i as f32 * 0.618_034).fract() - 0.5;
            0.45 + 0.2 * disc + 0.12 * ripples + 0.05 * grain + 0.02 * c as f32
        });
        Picture::new(side, side, Colour::Rgb, samples.collect()).unwrap()
    }

    #[test]
    fn tables_tell_the_quality_exactly() {
        for quality in [5u8, 10, 37, 50, 75, 90, 98] {
            let file = scene(64).to_encoded(Format::Jpeg, quality).unwrap();
            assert_eq!(quality_of_file(&file), Some(quality));
        }
        assert_eq!(quality_of_file(b"no picture"), None);
        assert_eq!(quality_of_file(&[0xff, 0xd8, 0xff, 0xdb, 0, 3]), None);
        assert_eq!(
            quality_of_file(&[0xff, 0xd8, 0xff, 0xdb, 0xff, 0xff, 1]),
            None
        );
    }

    #[test]
    fn a_table_of_the_standard() {
        assert_eq!(table(50)[..3], [16, 11, 10]);
        assert_eq!(table(10)[..3], [80, 55, 50]);
        assert_eq!(table(100), [1; 64]);
    }

    #[test]
    fn one_colour_is_no_trace_of_jpeg() {
        for level in [0.0, 0.384, 0.5, 1.0] {
            let flat = Picture::new(96, 80, Colour::Rgb, vec![level; 96 * 80 * 3]).unwrap();
            assert_eq!(blocks(&flat.to_rgb()).unwrap().quality, None, "{level}");
        }
    }

    #[test]
    fn pixels_tell_the_quality_nearly_and_where_blocks_start() {
        let clean = scene(192);
        assert_eq!(blocks(&clean.to_rgb()).unwrap().quality, None);
        for quality in [10u8, 25, 50, 75] {
            let file = clean.to_encoded(Format::Jpeg, quality).unwrap();
            let decoded = ::image::load_from_memory(&file).unwrap().to_rgb8();
            // Cropped, so that blocks start elsewhere.
            let cut = ::image::imageops::crop_imm(&decoded, 3, 5, 180, 176).to_image();
            let rgb = Rgb32::from_bytes(180, 176, cut.as_raw()).unwrap();
            let found = blocks(&rgb).unwrap();
            assert_eq!(found.start, (5, 3), "{quality}: {found:?}");
            assert!(found.strength > 1.0);
            let told = i32::from(found.quality.unwrap());
            assert!(
                (told - i32::from(quality)).abs() <= 3,
                "{quality}: {found:?}"
            );
        }
    }
}
