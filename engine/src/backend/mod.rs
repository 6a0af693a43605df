//! Executors of a graph: the CPU and WGSL through wgpu.
//!
//! Both honour one contract: a [`Backend`] loads weights into a [`Model`], a
//! model prepares an [`Executable`] for one graph (one size), and a prepared
//! executable runs without allocating. Training runs the differentiated graph
//! with the optimiser on the device ([`Trainer`]).

pub mod cpu;
pub mod wgpu;

use std::ops::ControlFlow;

use crate::graph::{Graph, TrainingGraph};

/// Something went wrong on a device.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// No adapter fits the request.
    #[error(
        "no graphics device matches {wanted:?}; `serpent devices` and the settings of the window list what there is"
    )]
    NoDevice {
        /// What was asked for.
        wanted: String,
    },
    /// A buffer or the whole plan does not fit the device.
    #[error("{what} needs {needed} bytes, {device} allows {available}")]
    OutOfMemory {
        /// What does not fit.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes there are; 0 when the device did not say.
        available: u64,
        /// Name of the device.
        device: String,
    },
    /// The driver reset or the device was unplugged.
    #[error("{device} was lost: {reason}")]
    Lost {
        /// Name of the device.
        device: String,
        /// What the driver said.
        reason: String,
    },
    /// The device did not finish in time.
    #[error("{device} did not answer for {seconds} s")]
    TimedOut {
        /// Name of the device.
        device: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The driver forgot work and said nothing.
    #[error(
        "{device} dropped {missing} of {of} pieces of work and said nothing; try --device cpu, and report the driver's version"
    )]
    Dropped {
        /// Name of the device.
        device: String,
        /// Submissions that were not carried out.
        missing: usize,
        /// Submissions in all.
        of: usize,
    },
    /// A shader or a dispatch was refused: an error in the engine or the driver.
    #[error("{device} refused {what}: {reason}")]
    Refused {
        /// Name of the device.
        device: String,
        /// Kernel or call.
        what: String,
        /// What the driver or the validation said.
        reason: String,
    },
    /// The caller's operands do not fit the prepared graph.
    #[error("{what}: expected {expected} values, got {got}")]
    Operand {
        /// Which operand.
        what: String,
        /// Number of values expected.
        expected: usize,
        /// Number of values given.
        got: usize,
    },
}

/// A device that runs graphs.
pub trait Backend: Send + Sync {
    /// Name for people, such as the adapter's.
    fn name(&self) -> &str;

    /// An inference graph as the device runs it: with its own fusions, and how it keeps values
    /// in memory.
    fn as_run(&self, graph: &Graph) -> Graph {
        graph.clone()
    }

    /// Uploads weights, one slice for each of the graph's parameters in order.
    ///
    /// # Errors
    /// [`BackendError`] when they do not fit.
    fn load(&self, weights: &[Vec<f32>]) -> Result<Box<dyn Model>, BackendError>;

    /// Prepares training from a state (see [`TrainingState::start`]).
    ///
    /// `decay[i]` says whether weight decay applies to parameter `i`.
    ///
    /// # Errors
    /// [`BackendError`] when it does not fit the device.
    fn trainer(
        &self,
        graph: &TrainingGraph,
        decay: &[bool],
        state: &TrainingState,
    ) -> Result<Box<dyn Trainer>, BackendError>;
}

/// Weights on a device.
pub trait Model: Send {
    /// Makes everything needed to run `graph`: plan, buffers, pipelines.
    ///
    /// # Errors
    /// [`BackendError`] when it does not fit the device.
    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Executable>, BackendError>;
}

/// Puts the next input in place of an earlier one, whose memory it may use; false when there is none.
pub type Fill<'a> = dyn FnMut(&mut Vec<f32>) -> bool + 'a;

/// Looks at an input and its result; says whether to go on.
pub type Done<'a> = dyn FnMut(&[f32], &[f32]) -> ControlFlow<()> + 'a;

/// A graph ready to run.
pub trait Executable: Send {
    /// Runs once; one slice for each graph input, one result for each graph output.
    ///
    /// # Errors
    /// [`BackendError`] when an operand has the wrong length or the device fails.
    fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, BackendError>;

    /// Runs a graph of one input and one output for each input that `fill` makes, in order. `done`
    /// is shown each input with its result and says whether to go on.
    ///
    /// A device may have begun the next ones by then, so that it need not wait for `done`, nor
    /// for the inputs to be made.
    ///
    /// # Errors
    /// As [`Executable::run`].
    fn run_each(&mut self, fill: &mut Fill<'_>, done: &mut Done<'_>) -> Result<(), BackendError> {
        let mut input = Vec::new();
        while fill(&mut input) {
            let result = self.run(&[&input])?.swap_remove(0);
            if done(&input, &result).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Bytes of device memory its intermediates take.
    fn memory_bytes(&self) -> u64;
}

/// Settings of one optimiser step (AdamW, arXiv 1711.05101).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSettings {
    /// Number of this step, from 1 (bias correction).
    pub step: u64,
    /// Learning rate.
    pub learning_rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay, applied where the parameter takes it.
    pub weight_decay: f32,
    /// Gradients are scaled down to this global norm.
    pub clip_norm: f32,
    /// Decay of the exponential moving average of the weights.
    pub ema_decay: f32,
}

/// What one training step reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Number of the step.
    pub step: u64,
    /// The loss before the update.
    pub loss: f32,
    /// Global norm of the gradient before clipping.
    pub gradient_norm: f32,
}

/// Everything the optimiser owns, one vector a parameter, in the graph's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingState {
    /// The weights being trained.
    pub weights: Vec<Vec<f32>>,
    /// First moments.
    pub first: Vec<Vec<f32>>,
    /// Second moments.
    pub second: Vec<Vec<f32>>,
    /// Exponential moving average of the weights: what ships.
    pub average: Vec<Vec<f32>>,
}

impl TrainingState {
    /// The state before the first step: zero moments, average = weights.
    pub fn start(weights: Vec<Vec<f32>>) -> Self {
        let zeros: Vec<Vec<f32>> = weights.iter().map(|w| vec![0.0; w.len()]).collect();
        Self {
            first: zeros.clone(),
            second: zeros,
            average: weights.clone(),
            weights,
        }
    }
}

/// A training graph with its optimiser on a device.
///
/// Steps are queued: [`Trainer::step`] returns before the device is done. A step
/// whose loss or gradient is not finite leaves the weights as they were and
/// reports what it saw.
pub trait Trainer: Send {
    /// Queues one step: inputs of the graph (network input, target), forward, backward, AdamW, average.
    ///
    /// # Errors
    /// [`BackendError`] when an operand has the wrong length or the device fails.
    fn step(&mut self, inputs: &[&[f32]], settings: &StepSettings) -> Result<(), BackendError>;

    /// Waits for the queued steps and returns their reports, oldest first, each once.
    ///
    /// # Errors
    /// [`BackendError`] when the device fails.
    fn reports(&mut self) -> Result<Vec<StepReport>, BackendError>;

    /// Waits and copies the state back.
    ///
    /// # Errors
    /// [`BackendError`] when the device fails.
    fn state(&mut self) -> Result<TrainingState, BackendError>;

    /// Bytes of device memory in use.
    fn memory_bytes(&self) -> u64;
}
