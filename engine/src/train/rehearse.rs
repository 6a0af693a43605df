//! A look at a run before it starts: photographs, network, and how fast batches are made.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::TrainError;
use super::config::TrainConfig;
use super::run::load_photos;
use super::sampler::Sampler;
use crate::network::{Size, size};

/// What a run would be made of.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Rehearsal {
    /// Photographs that would be trained on.
    pub photographs: usize,
    /// Their pixels in millions.
    pub megapixels: f64,
    /// Files left out, and why.
    pub skipped: Vec<(PathBuf, String)>,
    /// Parameters of the network and its cost at 256 × 256.
    pub network: Size,
    /// Crops made on one thread.
    pub crops: u64,
    /// Seconds they took.
    pub seconds: f64,
}

impl Rehearsal {
    /// Crops that one thread makes in a second.
    pub fn crops_per_second(&self) -> f64 {
        self.crops as f64 / self.seconds.max(1e-9)
    }
}

/// Loads the photographs and makes batches on one thread for about `time`, at least one.
///
/// # Errors
/// [`TrainError`], as a run would stop with.
pub fn rehearse(config: &TrainConfig, time: Duration) -> Result<Rehearsal, TrainError> {
    let network = size(&config.network.config())?;
    let mut skipped = Vec::new();
    let photos = load_photos(config, &mut |event| {
        if let super::Event::Skipped { path, reason } = event {
            skipped.push((path, reason));
        }
    })?;
    let (photographs, megapixels) = (photos.photos.len(), photos.megapixels());
    let sampler = Sampler::new(config, Arc::new(photos));
    let begun = Instant::now();
    let mut step = 0;
    while step == 0 || begun.elapsed() < time {
        step += 1;
        sampler.batch(step)?;
    }
    Ok(Rehearsal {
        photographs,
        megapixels,
        skipped,
        network,
        crops: step * config.data.batch as u64,
        seconds: begun.elapsed().as_secs_f64(),
    })
}
