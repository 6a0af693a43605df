//! Many pictures: which file becomes which, what is done already, how far it is, what came of it.
//!
//! A [`BatchRequest`] (files and folders, a destination, a name [`Template`], what to do with
//! what exists) becomes a [`BatchPlan`] before anything is written. A [`BatchRun`] hands the
//! plan's pictures to an [`Engine`](super::Engine), a few at a time, and turns the engine's
//! events into a state for each file, progress by pixels and rows for a [`Report`]. Beside the
//! outputs it keeps a [`Journal`], by which the next call knows what is done: so a batch that
//! was killed goes on where it was. A [`WatchFolder`] says which files have come and are whole.

mod journal;
mod list;
mod paths;
mod plan;
mod progress;
mod report;
mod request;
mod run;
mod shard;
mod sizes;
mod template;
#[cfg(test)]
mod tests;
mod watch;

pub use journal::{JOURNAL, Journal, Stamp, settings_of};
pub use plan::{BatchPlan, Decision, Entry, Item, plan_batch, plan_batch_telling};
pub use progress::Progress;
pub use report::{Report, ReportError, Row, read_report};
pub use request::{BatchError, BatchRequest, Destination, Existing, Labels};
pub use run::{BatchRun, FileState, Summary, Work};
pub use shard::Shard;
pub use template::{Template, TemplateError};
pub use watch::WatchFolder;
