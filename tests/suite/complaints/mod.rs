//! What users of such programs complain about most, each with what is promised instead, and the
//! page that lists it all: docs/reliability.md.

mod device;
#[cfg(unix)]
mod disk;
pub mod flat;
mod killed;
mod large;
#[cfg(unix)]
mod names;
mod page;
mod seams;
mod settings;
#[cfg(unix)]
mod shards;
