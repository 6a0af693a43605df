//! A model ready to restore pictures, on the device or, where that fails, on the processor.

use std::sync::Arc;

use rayon::prelude::*;

use super::RestoreError;
use super::device::Device;
use super::ensemble::{TURNS, turned, turned_back};
use super::flat::{self, Reach};
use super::region::Region;
use super::runner::{Input, Monitor, Runner};
use super::tiles::{Needs, OVERLAP, TilePlan};
use crate::backend::BackendError;
use crate::checkpoint::Checkpoint;
use crate::estimate::white_noise;
use crate::image::resize::{Factor, bicubic};
use crate::image::{BitDepth, ColourTransform, Limits, Picture, Rgb, Rgb32};

/// Memory that the intermediates of one tile may take. Two sizes are kept, upright and lying, each with
/// another eighth for what is on its way to the device and back: together they stay below 2 GiB.
pub const MEMORY_BUDGET: u64 = 850 << 20;

/// Side of the largest tile on the processor: a tile there takes seconds, and a cancel waits for it.
/// Models whose tiles share more than a quarter of it get larger ones.
const PROCESSOR_SIDE: usize = 640;

/// Samples looked at at a time on each core.
const PART: usize = 1 << 16;

/// Tiles are not halved below this many pixels when memory is short.
const SMALLEST_TILE: usize = 64 * 64;

/// How to restore.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Side of a tile in pixels; 0 takes the whole picture if it fits `memory`, else the largest
    /// tiles that do (on the processor, at most some 640 pixels a side, more for models that look far).
    pub tile: usize,
    /// How much of the restored picture to take, 0 (none) to 1 (all).
    pub strength: f32,
    /// σ of the noise, 0 to 1, for models that want to be told; estimated when absent.
    pub noise: Option<f32>,
    /// Bytes that the intermediates of one tile may take.
    pub memory: u64,
    /// Restore all eight turns of the picture and take the mean: a little better, eight times the
    /// time.
    pub ensemble: bool,
    /// Leave exactly flat areas (no other colour within 16 pixels; with models that undo JPEG, 96)
    /// as they were, which networks miss by up to three steps of 8 bits. Without it one sees, and
    /// measures, the network itself.
    pub keep_flat: bool,
    /// What a file may ask for; nothing is reserved for one that asks for more.
    pub limits: Limits,
}

impl Default for Options {
    /// Whole if it fits [`MEMORY_BUDGET`], full strength, noise estimated, flat areas kept.
    fn default() -> Self {
        Self {
            tile: 0,
            strength: 1.0,
            noise: None,
            memory: MEMORY_BUDGET,
            ensemble: false,
            keep_flat: true,
            limits: Limits::default(),
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), RestoreError> {
        let unit = 0.0..=1.0;
        if !unit.contains(&self.strength) {
            return Err(RestoreError::Option {
                option: "strength",
                value: self.strength.to_string(),
                allowed: "0 to 1",
            });
        }
        match self.noise.filter(|n| !unit.contains(n)) {
            Some(noise) => Err(RestoreError::Option {
                option: "noise level",
                value: noise.to_string(),
                allowed: "0 to 1",
            }),
            None => Ok(()),
        }
    }
}

/// A restored picture and how it came about.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Same colour kind, depth and metadata as the input; samples in [0, 1].
    pub picture: Picture,
    /// Device it was made on.
    pub device: String,
    /// What the user should know, such as a fallback and its reason.
    pub notes: Vec<String>,
}

/// A model on a device.
pub struct Restorer {
    device: Arc<Device>,
    checkpoint: Arc<Checkpoint>,
    needs: Needs,
    gpu: Option<Runner>,
    cpu: Option<Runner>,
}

/// Why the graphics device did not restore a picture.
enum Fallback {
    /// This picture is too much for it.
    Once(String),
    /// It cannot be trusted.
    Always(String),
}

impl Restorer {
    /// Ready to restore; weights go to a device when they are first needed there.
    ///
    /// # Errors
    /// [`RestoreError::Network`] when the configuration is out of range.
    pub fn new(device: Arc<Device>, checkpoint: Arc<Checkpoint>) -> Result<Self, RestoreError> {
        checkpoint.config.validate()?;
        Ok(Self {
            device,
            needs: needs(&checkpoint),
            checkpoint,
            gpu: None,
            cpu: None,
        })
    }

    /// The model.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Makes tiles share this many pixels of the network's input, whatever the model asks for.
    pub fn set_overlap(&mut self, overlap: usize) {
        self.needs.overlap = overlap;
    }

    /// Whether this is the model it runs.
    pub fn runs(&self, checkpoint: &Arc<Checkpoint>) -> bool {
        Arc::ptr_eq(&self.checkpoint, checkpoint)
    }

    /// Restores a picture; `monitor` hears of every tile and may stop.
    ///
    /// Grey stays grey, alpha, depth and metadata are kept. The network sees sRGB; the result is
    /// in the picture's own colours again, and so are those that sRGB does not hold. Wholly
    /// transparent pixels get colours from what is seen beside them. What is exactly flat stays as
    /// it is, unless [`Options::keep_flat`] says otherwise.
    ///
    /// # Errors
    /// [`RestoreError`]; failures of a graphics device only when the processor fails too.
    pub fn restore(
        &mut self,
        picture: &Picture,
        options: &Options,
        monitor: &mut Monitor<'_>,
    ) -> Result<Restored, RestoreError> {
        options.check()?;
        // What is not seen must not be mixed into what is.
        let bled = picture.bled();
        let picture = &*bled;
        let colours = ColourTransform::there_and_back(picture);
        let rgb = colours.seen(picture);
        let finite = || {
            let parts = rgb.samples().par_chunks(PART);
            parts.all(|part| part.iter().all(|v| v.is_finite()))
        };
        let told = || options.noise.unwrap_or_else(|| noise_in(&rgb));
        // The end of the estimate is one core's work: the others look for what is not finite.
        let noise_map = self.checkpoint.config.noise_map;
        let (noise, finite) = rayon::join(|| noise_map.then(told), finite);
        if !finite {
            return Err(RestoreError::Input);
        }
        let mut notes = Vec::new();
        if let Some(problem) = colours.problem() {
            notes.push(format!("{problem}; its samples are restored as if sRGB"));
        }
        let (mut output, device) = match options.ensemble {
            true => self.ensemble(&rgb, noise, options, monitor, &mut notes)?,
            false => self.network(&rgb, noise, options, monitor, &mut notes)?,
        };
        let scale = self.checkpoint.config.scale;
        if options.keep_flat {
            let reach = Reach::of(self.checkpoint.task);
            flat::keep(&mut output, &rgb, scale, reach);
        }
        let (width, height) = (rgb.width() * scale, rgb.height() * scale);
        drop(rgb);
        let mut restored = colours.put_back(picture, Rgb32::new(width, height, output)?);
        if options.strength < 1.0 {
            restored = blend(picture, &restored, options.strength)?;
        }
        Ok(Restored {
            picture: restored,
            device,
            notes,
        })
    }

    /// Restores the part of a picture that lies in `region`, the result being of its size (times
    /// the model's scale).
    ///
    /// It is what restoring the whole picture would give there, but for what lies further away
    /// than tiles of a whole picture overlap. The time it takes follows the region's size.
    ///
    /// # Errors
    /// As [`Restorer::restore`]; [`RestoreError::Option`] for a region outside the picture.
    pub fn restore_region(
        &mut self,
        picture: &Picture,
        region: &Region,
        options: &Options,
        monitor: &mut Monitor<'_>,
    ) -> Result<Restored, RestoreError> {
        let (width, height) = (picture.width(), picture.height());
        let config = &self.checkpoint.config;
        let scale = config.scale;
        let region = region.within(width, height)?;
        // What is kept of flat areas is decided by what lies around, too.
        let reach = Reach::of(self.checkpoint.task);
        let around = Needs {
            overlap: self.needs.overlap.max(reach.far()),
            ..self.needs
        };
        let cut = region.with_context(width, height, around);
        let mut options = options.clone();
        if config.noise_map && options.noise.is_none() {
            // The whole picture's, so that the part is told what the whole would be.
            options.noise = Some(noise_of(&picture.bled()));
        }
        let mut restored = self.restore(&cut.cut(picture)?, &options, monitor)?;
        restored.picture = region.inside(&cut, scale).cut(&restored.picture)?;
        Ok(restored)
    }

    /// The mean of the network's outputs for the eight turns of the picture.
    fn ensemble(
        &mut self,
        rgb: &Rgb<'_>,
        noise: Option<f32>,
        options: &Options,
        monitor: &mut Monitor<'_>,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<f32>, String), RestoreError> {
        let mut sum = Vec::new();
        let mut made_on = String::new();
        for turn in 0..TURNS {
            let input = turned(rgb, turn);
            let before = usize::from(turn);
            let mut part = |done, total| monitor(before * total + done, total * usize::from(TURNS));
            let mut said = Vec::new();
            let (output, device) = self.network(&input, noise, options, &mut part, &mut said)?;
            said.retain(|note| !notes.contains(note));
            notes.append(&mut said);
            made_on = device;
            let scale = self.checkpoint.config.scale;
            let (width, height) = (input.width() * scale, input.height() * scale);
            let output = turned_back(&Rgb32::new(width, height, output)?, turn).into_samples();
            match sum.is_empty() {
                true => sum = output,
                false => sum.iter_mut().zip(&output).for_each(|(s, o)| *s += o),
            }
        }
        let share = 1.0 / f32::from(TURNS);
        sum.iter_mut().for_each(|s| *s *= share);
        Ok((sum, made_on))
    }

    /// The network's output for the whole picture, clipped to [0, 1], and the device it comes from.
    /// `noise`: σ, for networks that are told.
    fn network(
        &mut self,
        rgb: &Rgb<'_>,
        noise: Option<f32>,
        options: &Options,
        monitor: &mut Monitor<'_>,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<f32>, String), RestoreError> {
        let input = Input {
            samples: rgb.samples(),
            noise,
        };
        let size = (rgb.width(), rgb.height());
        let mut output = None;
        if let Some(backend) = self.device.accelerator().cloned() {
            match self.on(Place::Accelerator, size, &input, options, monitor, notes) {
                Ok(out) => output = Some((out, backend.name().to_owned())),
                Err(error) => match fallback(error)? {
                    Fallback::Once(reason) => {
                        notes.push(format!("restored on the processor: {reason}"));
                    }
                    Fallback::Always(reason) => {
                        self.gpu = None;
                        notes.push(format!("restored on the processor: {reason}"));
                        self.device.distrust(reason);
                    }
                },
            }
        } else if let Some(reason) = self.device.trouble() {
            notes.push(format!("restored on the processor: {reason}"));
        }
        let (mut output, device) = match output {
            Some(done) => done,
            None => {
                let out = self.on(Place::Processor, size, &input, options, monitor, notes)?;
                (out, self.device.processor().name().to_owned())
            }
        };
        let parts = output.par_chunks_mut(PART);
        parts.for_each(|part| part.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0)));
        Ok((output, device))
    }

    /// Runs on one device, with smaller tiles while memory is short.
    fn on(
        &mut self,
        place: Place,
        (width, height): (usize, usize),
        input: &Input<'_>,
        options: &Options,
        monitor: &mut Monitor<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Vec<f32>, RestoreError> {
        let config = &self.checkpoint.config;
        let needs = self.needs;
        let multiple = needs.multiple;
        let (slot, backend) = match (place, self.device.accelerator()) {
            (Place::Accelerator, Some(backend)) => (&mut self.gpu, backend),
            _ => (&mut self.cpu, self.device.processor()),
        };
        let runner = match slot {
            Some(runner) => runner,
            None => slot.insert(Runner::new(backend, config, &self.checkpoint.weights)?),
        };
        let most = largest_tile(options, runner.bytes_per_pixel, place, needs);
        let (mut cleared, mut short) = (false, None);
        loop {
            let plan = plan(width, height, options.tile, most.min(runner.limit), needs);
            match runner.run(config, &plan, input, monitor) {
                Err(RestoreError::Backend(BackendError::OutOfMemory { .. }))
                    if !cleared && runner.forget() =>
                {
                    // Memory of other sizes may have been in the way: the same tile once more.
                    cleared = true;
                }
                Err(RestoreError::Backend(error @ BackendError::OutOfMemory { .. })) => {
                    let (tile_height, tile_width) = plan.tile_size();
                    let smaller = tile_height * tile_width / 2;
                    if smaller < SMALLEST_TILE.max(4 * multiple * multiple) {
                        return Err(error.into());
                    }
                    runner.forget();
                    runner.limit = smaller;
                    short = Some(error.to_string());
                }
                other => {
                    notes.extend(short.map(|reason| format!("smaller tiles: {reason}")));
                    return other;
                }
            }
        }
    }
}

/// On what a picture is restored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Accelerator,
    Processor,
}

/// What a model needs of tiles: its own overlap, if it was measured, or the usual one.
pub(super) fn needs(model: &Checkpoint) -> Needs {
    Needs {
        multiple: model.config.size_multiple(),
        overlap: model.overlap.unwrap_or(OVERLAP),
    }
}

/// Pixels of the largest tile that the options allow there.
pub(super) fn largest_tile(
    options: &Options,
    bytes_per_pixel: u64,
    place: Place,
    needs: Needs,
) -> usize {
    let budget = usize::try_from(options.memory / bytes_per_pixel).unwrap_or(usize::MAX);
    match place {
        Place::Processor if options.tile == 0 => {
            budget.min(PROCESSOR_SIDE.max(needs.roomy_side()).pow(2))
        }
        _ => budget,
    }
}

/// Tiles of the asked side, or as large as `pixels` allows.
pub(super) fn plan(
    width: usize,
    height: usize,
    tile: usize,
    pixels: usize,
    needs: Needs,
) -> TilePlan {
    if tile > 0 {
        TilePlan::with_tile(width, height, tile.min(pixels.isqrt()), needs)
    } else {
        TilePlan::with_pixels(width, height, pixels, needs)
    }
}

/// Sorts the failures of a graphics device; those that the processor would share are returned.
fn fallback(error: RestoreError) -> Result<Fallback, RestoreError> {
    let reason = error.to_string();
    match error {
        RestoreError::Backend(BackendError::OutOfMemory { .. })
        | RestoreError::NotFinite { .. }
        | RestoreError::Blank { .. } => Ok(Fallback::Once(reason)),
        RestoreError::Backend(
            BackendError::Lost { .. }
            | BackendError::TimedOut { .. }
            | BackendError::Dropped { .. }
            | BackendError::Refused { .. }
            | BackendError::NoDevice { .. },
        )
        | RestoreError::Holes { .. } => Ok(Fallback::Always(reason)),
        other => Err(other),
    }
}

/// σ of the noise of a picture as the network sees it; grey and its colour copy have the same.
fn noise_of(picture: &Picture) -> f32 {
    let (width, height) = (picture.width(), picture.height());
    let colours = ColourTransform::there_and_back(picture);
    match colours.is_srgb() {
        true => {
            let channels = picture.colour().channels();
            white_noise(picture.samples(), width, height, channels).clamp(0.0, 1.0)
        }
        false => noise_in(&colours.seen(picture)),
    }
}

/// σ of the noise of a picture in sRGB.
fn noise_in(rgb: &Rgb<'_>) -> f32 {
    white_noise(rgb.samples(), rgb.width(), rgb.height(), 3).clamp(0.0, 1.0)
}

/// `original + strength·(restored − original)`; a larger restored picture is mixed with the
/// bicubic enlargement of the original. Needs no network: cheap enough for a slider.
///
/// # Errors
/// [`RestoreError::Image`] when the sizes are not a whole factor apart.
pub fn blend(
    original: &Picture,
    restored: &Picture,
    strength: f32,
) -> Result<Picture, RestoreError> {
    if strength >= 1.0 {
        return Ok(restored.clone());
    }
    let bled = original.bled();
    let rgb = bled.as_rgb();
    let factor = restored.width() / rgb.width().max(1);
    let base = bicubic(
        rgb.samples(),
        rgb.width(),
        rgb.height(),
        3,
        Factor::Up(factor),
    );
    let mut mixed = restored.to_rgb();
    let (width, height) = (rgb.width() * factor, rgb.height() * factor);
    let base = Rgb32::new(width, height, base)?;
    if (width, height) != (mixed.width(), mixed.height()) {
        return Err(crate::image::ImageError::Samples {
            width,
            height,
            channels: 3,
            expected: base.samples().len(),
            got: mixed.samples().len(),
        }
        .into());
    }
    for (new, &old) in mixed.samples_mut().iter_mut().zip(base.samples()) {
        *new = old + strength * (*new - old);
    }
    if original.depth() != BitDepth::Float {
        mixed
            .samples_mut()
            .iter_mut()
            .for_each(|v| *v = v.clamp(0.0, 1.0));
    }
    Ok(restored.with_pixels(mixed))
}
