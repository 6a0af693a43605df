//! What can be wrong with a file of weights.

use std::path::PathBuf;

use crate::network::NetworkError;

/// A checkpoint or training state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a regular file, or far larger than any network's weights.
    #[error("{}: {problem}; expected a .safetensors file written by `serpent train`", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        problem: String,
    },
    /// The first eight bytes announce a header no model has: some other kind of file.
    #[error("{}: not a safetensors file (its header would be {bytes} bytes, at most {limit} are allowed)", path.display())]
    HeaderTooLarge {
        /// The file.
        path: PathBuf,
        /// Size the file claims.
        bytes: u64,
        /// Size allowed.
        limit: u64,
    },
    /// Fewer bytes than the header announces.
    #[error("{}: the file is cut short ({problem}); copy or download it again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// The header or the table of tensors is damaged.
    #[error("{}: not a valid safetensors file: {problem}", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        problem: String,
    },
    /// A metadata entry is missing or unreadable.
    #[error("{}: metadata {key}: {problem}; the file was not written by `serpent train`", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The entry.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Written in a format this program does not know.
    #[error("{}: format {found}, this program reads format {supported}; update the program", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: String,
        /// Version this program reads.
        supported: u32,
    },
    /// The configuration describes no network that can be built.
    #[error("{}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Which field, and why.
        source: NetworkError,
    },
    /// A tensor of the network is absent.
    #[error("{}: tensor {name} is missing", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
    },
    /// The file holds a tensor the network does not have.
    #[error("{}: tensor {name} does not belong to this network", path.display())]
    ExtraTensor {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
    },
    /// A tensor has other sizes than the configuration asks for.
    #[error("{}: tensor {name} has shape {found:?}, the network needs {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
        /// Sizes in the file.
        found: Vec<usize>,
        /// Sizes the network needs.
        expected: Vec<usize>,
    },
    /// A tensor's element type is not one of those stored here.
    #[error("{}: tensor {name} has type {found}, only F16 and F32 are read", path.display())]
    ElementType {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
        /// Type in the file.
        found: String,
    },
    /// A weight is NaN or infinite, or would be once stored in 16 bits.
    #[error("{}: tensor {name} holds a value that is not finite ({value} at index {index})", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
        /// Position in row-major order.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The weights handed over for saving are not those of the configuration.
    #[error("{}: {what}: expected {expected}, got {got}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Number of tensors, or which tensor's number of values.
        what: String,
        /// Number the network has.
        expected: usize,
        /// Number given.
        got: usize,
    },
}
