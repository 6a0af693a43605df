//! Training: degradations, data, schedule, loop, resume.
//!
//! [`run`] trains a network as a [`TrainConfig`] says, on any
//! [`Backend`](crate::backend::Backend), and can be stopped and resumed at any
//! step with the same result to the bit on the same device: batches, learning
//! rate and validation are functions of the configuration and the step, and
//! the optimiser's whole state is saved.

mod batches;
mod config;
pub mod degrade;
mod error;
mod events;
mod folder;
mod held_out;
mod log;
mod photos;
mod plot;
#[cfg(test)]
mod recipe_tests;
mod rehearse;
mod run;
mod sampler;
mod schedule;
mod start;
#[cfg(test)]
mod tests;
mod validate;

pub use batches::Batches;
pub use config::{
    DataSettings, IntervalSettings, LossSettings, NetworkSettings, OptimiserSettings, TrainConfig,
    ValidationSettings,
};
pub use error::TrainError;
pub use events::{Event, Progress};
pub use log::{Log, LogLine};
pub use photos::{Photo, Photos};
pub use plot::plot;
pub(crate) use plot::register_font;
pub use rehearse::{Rehearsal, rehearse};
pub(crate) use run::training_graph;
pub use run::{Finished, Options, Stopped, run};
pub use sampler::{Batch, Sampler};
pub use schedule::settings;
