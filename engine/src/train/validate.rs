//! Validation: the averaged weights on pictures never trained on, always degraded alike.

use std::collections::HashMap;

use super::TrainError;
use super::config::{TrainConfig, ValidationSettings};
use super::degrade::{Purpose, rng};
use super::photos::{Photo, Photos};
use super::sampler::{network_input, size_error};
use crate::backend::{Backend, Executable};
use crate::graph::fuse;
use crate::image::{Rgb32, resize};
use crate::metrics::psnr;
use crate::network::{Network, NetworkConfig};

/// A degraded picture and what it should become.
struct Pair {
    width: usize,
    height: usize,
    input: Vec<f32>,
    target: Rgb32,
}

/// The validation set, degraded once.
pub(super) struct Validation {
    network: NetworkConfig,
    pairs: Vec<Pair>,
    /// Mean PSNR of the inputs.
    pub(super) input_psnr: f64,
}

impl Validation {
    /// Reads and degrades the validation pictures.
    ///
    /// # Errors
    /// [`TrainError::Data`] or [`TrainError::Degradation`].
    pub(super) fn load(
        config: &TrainConfig,
        settings: &ValidationSettings,
    ) -> Result<Self, TrainError> {
        let network = config.network.config();
        let multiple = network.size_multiple();
        let folder = config.resolve(&settings.folder);
        let photos = Photos::load(&[folder], multiple * network.scale)?;
        let degradations = settings
            .degradations
            .as_ref()
            .unwrap_or(&config.degradations);
        let mut pairs = Vec::new();
        let mut sum = 0.0;
        let chosen = photos.photos.iter().take(settings.pictures);
        for (sample, photo) in chosen.enumerate() {
            let side = |length: usize| {
                let most = (length / network.scale).min(settings.crop);
                most / multiple * multiple * network.scale
            };
            let target = centre_crop(photo, side(photo.width), side(photo.height))?;
            let mut rng = rng(config.seed, 0, sample as u64, Purpose::Evaluation);
            let input = network_input(&target, degradations, network.noise_map, &mut rng)?;
            let expected = (
                target.width() / network.scale,
                target.height() / network.scale,
            );
            if (input.width, input.height) != expected {
                return Err(size_error(&input, network.scale));
            }
            sum += psnr_8_bit(&enlarged(&input.samples, expected, &network)?, &target);
            pairs.push(Pair {
                width: input.width,
                height: input.height,
                input: input.samples,
                target,
            });
        }
        Ok(Self {
            input_psnr: sum / pairs.len() as f64,
            network,
            pairs,
        })
    }

    /// Mean PSNR (RGB, output clipped and rounded to 8 bits) in dB of the restored pictures.
    ///
    /// # Errors
    /// [`TrainError`] when the device fails.
    pub(super) fn run(
        &self,
        backend: &dyn Backend,
        weights: &[Vec<f32>],
    ) -> Result<f64, TrainError> {
        let model = backend.load(weights)?;
        let mut prepared: HashMap<(usize, usize), Box<dyn Executable>> = HashMap::new();
        let mut sum = 0.0;
        for pair in &self.pairs {
            let size = (pair.width, pair.height);
            if !prepared.contains_key(&size) {
                // One size at a time on the device: pictures mostly have one.
                prepared.clear();
                let network = Network::build(&self.network, 1, pair.height, pair.width)?;
                prepared.insert(size, model.prepare(&fuse(network.graph))?);
            }
            let Some(executable) = prepared.get_mut(&size) else {
                continue;
            };
            let output = executable.run(&[&pair.input])?.swap_remove(0);
            let (width, height) = (pair.target.width(), pair.target.height());
            let output =
                Rgb32::new(width, height, output).map_err(|e| TrainError::Data(e.to_string()))?;
            sum += psnr_8_bit(&output, &pair.target);
        }
        Ok(sum / self.pairs.len() as f64)
    }
}

/// PSNR over RGB after clipping and rounding to 8 bits; 100 dB for equal pictures, so that a mean exists.
fn psnr_8_bit(a: &Rgb32, b: &Rgb32) -> f64 {
    let values = |p: &Rgb32| p.to_bytes().into_iter().map(f32::from).collect::<Vec<_>>();
    psnr(&values(a), &values(b), 255.0).min(100.0)
}

fn centre_crop(photo: &Photo, width: usize, height: usize) -> Result<Rgb32, TrainError> {
    let (x, y) = ((photo.width - width) / 2, (photo.height - height) / 2);
    let mut bytes = Vec::with_capacity(width * height * 3);
    for row in y..y + height {
        let at = (row * photo.width + x) * 3;
        bytes.extend_from_slice(&photo.rgb[at..at + width * 3]);
    }
    Rgb32::from_bytes(width, height, &bytes).map_err(|e| TrainError::Data(e.to_string()))
}

/// The colour channels of a network input at the target's size: what an untrained network returns.
fn enlarged(
    input: &[f32],
    (width, height): (usize, usize),
    network: &NetworkConfig,
) -> Result<Rgb32, TrainError> {
    let colour: Vec<f32> = input
        .chunks_exact(network.input_channels())
        .flat_map(|p| p[..3].iter().copied())
        .collect();
    let r = network.scale;
    let samples = match r {
        1 => colour,
        _ => resize::bicubic(&colour, width, height, 3, resize::Factor::Up(r)),
    };
    Rgb32::new(width * r, height * r, samples).map_err(|e| TrainError::Data(e.to_string()))
}
