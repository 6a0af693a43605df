//! Batches as a pure function of the step: crops, flips, rotations, degradations.
//!
//! Every draw comes from a generator keyed by (seed, step, sample), so that a
//! resumed run sees exactly the batches it would have seen.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::TrainError;
use super::config::TrainConfig;
use super::degrade::{Degradation, Purpose, apply_all, rng};
use super::photos::{Photo, Photos};
use crate::image::Rgb32;

/// What one training step takes, channel-last, values in about [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `[B, crop, crop, 3 or 4]`
    pub input: Vec<f32>,
    /// `[B, r·crop, r·crop, 3]`
    pub target: Vec<f32>,
}

/// Makes the batch of any step.
#[derive(Clone, Debug)]
pub struct Sampler {
    photos: Arc<Photos>,
    /// Pixels of the photographs up to and including each: large ones are drawn more often.
    cumulative: Vec<u64>,
    degradations: Vec<Degradation>,
    seed: u64,
    crop: usize,
    /// Pixels of the input on every side that are degraded and then cut off.
    margin: usize,
    /// Least factor that a photograph is shrunk by before it is cut.
    shrink: f64,
    /// Share of the crops that are no photograph but one colour or a ramp.
    flat: f64,
    /// Share of the crops without colour.
    grey: f64,
    scale: usize,
    batch: usize,
    noise_map: bool,
}

impl Sampler {
    /// A sampler for a configuration.
    pub fn new(config: &TrainConfig, photos: Arc<Photos>) -> Self {
        let network = config.network.config();
        let mut sum = 0;
        let cumulative = photos.photos.iter().map(|p| {
            sum += (p.width * p.height) as u64;
            sum
        });
        Self {
            cumulative: cumulative.collect(),
            photos,
            degradations: config.degradations.clone(),
            seed: config.seed,
            crop: config.data.crop,
            margin: config.data.margin,
            shrink: config.data.shrink,
            flat: config.data.flat,
            grey: config.data.grey,
            scale: network.scale,
            batch: config.data.batch,
            noise_map: network.noise_map,
        }
    }

    /// The batch of step `step`.
    ///
    /// # Errors
    /// [`TrainError::Degradation`] when the degradations do not give the network's input size.
    pub fn batch(&self, step: u64) -> Result<Batch, TrainError> {
        let mut batch = Batch {
            input: Vec::with_capacity(self.batch * self.crop * self.crop * 4),
            target: Vec::with_capacity(self.batch * (self.crop * self.scale).pow(2) * 3),
        };
        let channels = 3 + usize::from(self.noise_map);
        let side = self.crop + 2 * self.margin;
        for sample in 0..self.batch as u64 {
            let clean = self.clean_crop(step, sample)?;
            let mut rng = rng(self.seed, step, sample, Purpose::Degrade);
            let input = network_input(&clean, &self.degradations, self.noise_map, &mut rng)?;
            if (input.width, input.height) != (side, side) {
                return Err(size_error(&input, self.scale));
            }
            trim(
                &mut batch.input,
                &input.samples,
                side,
                channels,
                self.margin,
            );
            let (side, margin) = (side * self.scale, self.margin * self.scale);
            trim(&mut batch.target, clean.samples(), side, 3, margin);
        }
        Ok(batch)
    }

    /// A square of a photograph, turned one of eight ways, or now and then something flat;
    /// margin included.
    fn clean_crop(&self, step: u64, sample: u64) -> Result<Rgb32, TrainError> {
        let side = (self.crop + 2 * self.margin) * self.scale;
        let square =
            |samples| Rgb32::new(side, side, samples).map_err(|e| TrainError::Data(e.to_string()));
        let mut choice = rng(self.seed, step, sample, Purpose::Choice);
        if choice.random_bool(self.flat) {
            return square(flat(side, &mut choice));
        }
        let mut rng = rng(self.seed, step, sample, Purpose::Crop);
        let total = self.cumulative.last().copied().unwrap_or(0);
        if total == 0 {
            return Err(TrainError::Data("no photographs".to_owned()));
        }
        let pixel = rng.random_range(0..total);
        let index = self.cumulative.partition_point(|&c| c <= pixel);
        let photo = &self.photos.photos[index];
        // What becomes the crop when it is shrunk.
        let wide = match self.shrink < 1.0 {
            true => {
                let wanted = side as f64 / rng.random_range(self.shrink..=1.0);
                (wanted.round() as usize).min(photo.width.min(photo.height))
            }
            false => side,
        };
        let x = rng.random_range(0..=photo.width - wide);
        let y = rng.random_range(0..=photo.height - wide);
        let turn = rng.random_range(0..8);
        let mut crop = match wide > side {
            true => turned_crop(&photo.shrunk(x, y, wide, side)?, 0, 0, side, turn),
            false => turned_crop(photo, x, y, side, turn),
        };
        if self.grey > 0.0 && choice.random_bool(self.grey) {
            without_colour(&mut crop);
        }
        square(crop)
    }
}

/// Appends the inside of a square of `side` pixels, without `margin` of them on every side.
fn trim(to: &mut Vec<f32>, samples: &[f32], side: usize, channels: usize, margin: usize) {
    let inside = margin * channels..(side - margin) * channels;
    let rows = samples.chunks_exact(side * channels);
    for row in rows.skip(margin).take(side - 2 * margin) {
        to.extend_from_slice(&row[inside.clone()]);
    }
}

/// The luma of BT.601 in all three channels, rounded to 8 bits as a grey file has it.
fn without_colour(rgb: &mut [f32]) {
    for pixel in rgb.as_chunks_mut::<3>().0 {
        let luma = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
        *pixel = [(luma * 255.0).round() / 255.0; 3];
    }
}

/// One colour, or as often a ramp from one colour to another in any direction: what skies and
/// walls are made of, and where a restored picture must not drift.
fn flat(side: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut colour = || [0; 3].map(|_| rng.random::<f32>());
    let (from, to) = (colour(), colour());
    let (dy, dx) = (std::f32::consts::TAU * rng.random::<f32>()).sin_cos();
    let steep = if rng.random_bool(0.5) { 0.0 } else { 1.0 };
    let half = side as f32 / 2.0;
    let pixels = (0..side * side).flat_map(|i| {
        // Along the direction, from −√2/2 to √2/2 in the corners.
        let (x, y) = ((i % side) as f32 - half, (i / side) as f32 - half);
        let along = steep * (x * dx + y * dy) / side as f32;
        let t = 0.5 + along / std::f32::consts::SQRT_2;
        [0, 1, 2].map(|c| from[c] + t * (to[c] - from[c]))
    });
    pixels.collect()
}

/// The square at (x, y), one of its eight turns: bit 0 transposes, bit 1 mirrors, bit 2 turns upside down.
fn turned_crop(photo: &Photo, x: usize, y: usize, side: usize, turn: u8) -> Vec<f32> {
    let mut out = Vec::with_capacity(side * side * 3);
    let flip = |i: usize, bit: u8| {
        if turn & bit != 0 { side - 1 - i } else { i }
    };
    for row in 0..side {
        for column in 0..side {
            let (i, j) = match turn & 1 {
                0 => (row, column),
                _ => (column, row),
            };
            let at = ((y + flip(i, 4)) * photo.width + x + flip(j, 2)) * 3;
            out.extend(photo.rgb[at..at + 3].iter().map(|&v| f32::from(v) / 255.0));
        }
    }
    out
}

/// What the network is given for a clean picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NetworkInput {
    pub(super) width: usize,
    pub(super) height: usize,
    /// `[H, W, 3 or 4]`
    pub(super) samples: Vec<f32>,
}

/// Degrades a clean picture; with `noise_map` the level becomes a fourth channel.
pub(super) fn network_input(
    clean: &Rgb32,
    degradations: &[Degradation],
    noise_map: bool,
    rng: &mut ChaCha8Rng,
) -> Result<NetworkInput, TrainError> {
    let degraded =
        apply_all(degradations, clean, rng).map_err(|e| TrainError::Degradation(e.to_string()))?;
    let (width, height) = (degraded.image.width(), degraded.image.height());
    let mut samples = degraded.image.into_samples();
    if noise_map {
        samples = samples
            .as_chunks::<3>()
            .0
            .iter()
            .flat_map(|&[r, g, b]| [r, g, b, degraded.sigma])
            .collect();
    }
    Ok(NetworkInput {
        width,
        height,
        samples,
    })
}

pub(super) fn size_error(input: &NetworkInput, scale: usize) -> TrainError {
    TrainError::Degradation(format!(
        "they give {} × {} pixels, which is not the clean picture's size divided by the network's scale of {scale}",
        input.width, input.height
    ))
}
