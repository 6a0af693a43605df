//! What a training run tells whoever shows it: the engine knows no command line.

use std::path::PathBuf;

/// Something happened in a training run.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A photograph was left out.
    Skipped {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The photographs are in memory.
    Decoded {
        /// How many.
        photographs: usize,
        /// Their pixels in millions.
        megapixels: f64,
        /// How long it took.
        seconds: f64,
    },
    /// Weights were taken from a model.
    Begun {
        /// Its file.
        path: PathBuf,
        /// Parameters taken.
        taken: usize,
        /// Parameters of the network.
        of: usize,
    },
    /// The state could not be read, the one before it is used.
    FellBack {
        /// What was wrong with it.
        reason: String,
    },
    /// The device is ready.
    Started {
        /// Its name.
        device: String,
        /// Learned scalars.
        parameters: usize,
        /// Bytes of device memory.
        memory_bytes: u64,
        /// Steps done before this session.
        step: u64,
        /// Steps in total.
        steps: u64,
    },
    /// Losses were read.
    Progress(Progress),
    /// The validation pictures were restored with the averaged weights.
    Validated {
        /// Steps done.
        step: u64,
        /// Mean PSNR in dB.
        psnr: f64,
        /// Mean PSNR of the degraded pictures themselves.
        input_psnr: f64,
    },
    /// State and model were saved.
    Saved {
        /// The state's file.
        path: PathBuf,
        /// Steps done.
        step: u64,
    },
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in total.
    pub steps: u64,
    /// Mean loss since the last reading.
    pub loss: f32,
    /// Mean gradient norm since the last reading.
    pub gradient_norm: f32,
    /// Learning rate.
    pub learning_rate: f32,
    /// Crops a second since the last reading.
    pub samples_per_second: f64,
    /// Seconds until the last step at this session's mean speed.
    pub seconds_left: f64,
}
