//! What can go wrong between opening a picture and saving the restored one.

use std::path::PathBuf;

use crate::backend::BackendError;
use crate::checkpoint::CheckpointError;
use crate::image::ImageError;
use crate::network::NetworkError;

/// A picture could not be restored. Messages name what it was about.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Opening or saving.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The model's file.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The model's configuration.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The device.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The picture given has samples that are no numbers.
    #[error(
        "the picture has samples that are not finite numbers; save it again from the program that made it"
    )]
    Input,
    /// The device gave infinities or not-a-number.
    #[error("{device} gave values that are not finite; try --device cpu, or another model")]
    NotFinite {
        /// Name of the device.
        device: String,
    },
    /// The device gave nothing but zeros for a tile that is not black: work was dropped.
    #[error("{device} gave a black picture; try --device cpu, and report the driver's version")]
    Blank {
        /// Name of the device.
        device: String,
    },
    /// The device gave a picture with parts that nothing was written to.
    #[error(
        "{device} left {pixels} pixels of a picture unwritten; try --device cpu, and report the driver's version"
    )]
    Holes {
        /// Name of the device.
        device: String,
        /// How many are certain.
        pixels: usize,
    },
    /// An option is out of its range.
    #[error("{option} is {value}, must be {allowed}")]
    Option {
        /// Which option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// A folder for the output cannot be made.
    #[error("{}: cannot make this folder: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}
