//! What can stop a training run.

use std::path::PathBuf;

use crate::backend::BackendError;
use crate::checkpoint::CheckpointError;
use crate::graph::ShapeError;
use crate::network::NetworkError;

/// A training run could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The configuration file is missing or wrong.
    #[error("{}: {problem}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The photographs cannot be used.
    #[error("training data: {0}")]
    Data(String),
    /// The operating system refused a file.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The output folder already holds a run.
    #[error("{} holds a training run; go on with --resume, or choose another output folder", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing to resume.
    #[error("{} holds no training state; start without --resume", path.display())]
    NothingToResume {
        /// The folder.
        path: PathBuf,
    },
    /// The state in the output folder is of another network or task.
    #[error("{}: the state is of another {what} than the configuration; choose another output folder", path.display())]
    Differs {
        /// The state's file.
        path: PathBuf,
        /// Network or task.
        what: &'static str,
    },
    /// The model that training should begin with is of quite another network.
    #[error("{}: fits {taken} of the network's {of} parameters; give start a model with the same channels", path.display())]
    Start {
        /// The model.
        path: PathBuf,
        /// Parameters of the same name and sizes.
        taken: usize,
        /// Parameters of the network.
        of: usize,
    },
    /// The loss or the gradient became infinite or NaN.
    #[error(
        "step {step}: loss {loss}, gradient norm {gradient_norm}: not finite. The last good state (step {kept_step}) is kept in {}; lower optimiser.learning_rate or optimiser.clip and go on with --resume", kept.display()
    )]
    NotFinite {
        /// The step.
        step: u64,
        /// Its loss.
        loss: f32,
        /// Its gradient's norm.
        gradient_norm: f32,
        /// File of the last good state.
        kept: PathBuf,
        /// Steps done in that state.
        kept_step: u64,
    },
    /// A batch cannot be made into what the network takes.
    #[error("degradations: {0}")]
    Degradation(String),
    /// The curves could not be drawn.
    #[error("{}: cannot draw the curves: {problem}", path.display())]
    Plot {
        /// The picture.
        path: PathBuf,
        /// What the plotting library said.
        problem: String,
    },
    /// The device failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A file of weights could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The network cannot be built.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The network cannot be differentiated.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}
