//! Which file becomes which, and what is to be done about each, before anything is done.
//!
//! Nothing is read or written here but folder listings, file times and journals. An output is
//! never one of the inputs, and never the output of another input.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::journal::Journals;
use super::list;
use super::paths::{Identities, file_number};
use super::request::{BatchError, BatchRequest, Destination, Existing};

/// One picture of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// File to open.
    pub input: PathBuf,
    /// File to write.
    pub output: PathBuf,
    /// Folder of the journal that knows about the output.
    pub root: Arc<Path>,
}

/// What is to be done about a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is restored.
    Restore,
    /// It is passed over, for this reason; nothing is wrong.
    Skip(&'static str),
    /// It cannot be done: file, problem and remedy.
    Refuse(String),
}

/// A picture with its decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The picture.
    pub item: Item,
    /// What is to be done.
    pub decision: Decision,
}

/// What will be done.
#[derive(Debug, Default)]
pub struct BatchPlan {
    /// All pictures, in the inputs' order, folders sorted by name.
    pub entries: Vec<Entry>,
    /// What to do with outputs that exist.
    pub existing: Existing,
    /// The settings' fingerprint, if a journal is kept.
    pub(super) settings: Option<String>,
    pub(super) journals: Journals,
}

impl BatchPlan {
    /// Pictures to restore.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        let wanted = |e: &&Entry| e.decision == Decision::Restore;
        self.entries.iter().filter(wanted).map(|e| &e.item)
    }

    /// Pictures that are passed over, each with the reason.
    pub fn skipped(&self) -> impl Iterator<Item = (&Item, &'static str)> {
        self.entries.iter().filter_map(|e| match e.decision {
            Decision::Skip(reason) => Some((&e.item, reason)),
            _ => None,
        })
    }

    /// Pictures that cannot be done, each with file, problem and remedy.
    pub fn refused(&self) -> impl Iterator<Item = (&Item, &str)> {
        self.entries.iter().filter_map(|e| match &e.decision {
            Decision::Refuse(message) => Some((&e.item, message.as_str())),
            _ => None,
        })
    }
}

/// Finds the pictures, names their outputs and decides about each.
///
/// # Errors
/// [`BatchError`] when the request as a whole makes no sense; what concerns one picture is its
/// [`Decision`].
pub fn plan_batch(request: &BatchRequest) -> Result<BatchPlan, BatchError> {
    plan_batch_telling(request, &mut |_| ())
}

/// As [`plan_batch`]; `tell` hears often how many pictures are found so far.
///
/// # Errors
/// As [`plan_batch`].
pub fn plan_batch_telling(
    request: &BatchRequest,
    tell: &mut dyn FnMut(usize),
) -> Result<BatchPlan, BatchError> {
    let mut journals = Journals::new(request.shard);
    let found = list::find(request, &mut journals, tell)?;
    let items = list::name(request, found);
    let mut identities = Identities::default();
    let sources = items.iter().map(|(i, _)| identities.of(&i.input)).collect();
    // A journal for one picture would only be in the way.
    let several = request.inputs.len() > 1
        || request.inputs.iter().any(|i| i.is_dir())
        || request.destination == Destination::Beside;
    let mut deciding = Deciding {
        request,
        source_files: items
            .iter()
            .filter_map(|(i, _)| file_number(&i.input))
            .collect(),
        sources,
        identities,
        written: HashMap::new(),
        settings: request.settings.clone().filter(|_| several),
        journals,
    };
    let count = items.len();
    let mut entries = Vec::with_capacity(count);
    for (item, wanted) in items {
        tell(count);
        // Of other shards, too: whose output is whose does not depend on the shard.
        let decision = deciding.decide(&item)?;
        if wanted {
            entries.push(Entry { item, decision });
        }
    }
    Ok(BatchPlan {
        entries,
        existing: request.existing,
        settings: deciding.settings,
        journals: deciding.journals,
    })
}

struct Deciding<'a> {
    request: &'a BatchRequest,
    identities: Identities,
    sources: HashSet<PathBuf>,
    /// The same, whatever their names.
    source_files: HashSet<(u64, u64)>,
    /// Outputs, and whose they are.
    written: HashMap<PathBuf, PathBuf>,
    settings: Option<String>,
    journals: Journals,
}

impl Deciding<'_> {
    fn decide(&mut self, item: &Item) -> Result<Decision, BatchError> {
        let refuse = |reason: &str| {
            let message = format!("{}: {reason}", item.output.display());
            Ok(Decision::Refuse(message))
        };
        let real = self.identities.of(&item.output);
        let file = file_number(&item.output);
        if self.sources.contains(&real) || file.is_some_and(|f| self.source_files.contains(&f)) {
            return refuse("the output would replace a source picture; choose another output");
        }
        if let Some(first) = self.written.get(&real) {
            return match &self.request.template {
                Some(template) => Err(BatchError::Collision {
                    template: template.to_string(),
                    first: first.clone(),
                    second: item.input.clone(),
                    output: item.output.clone(),
                }),
                None => refuse(
                    "another picture of this call has the same output; rename it or leave -f out",
                ),
            };
        }
        self.written.insert(real, item.input.clone());
        match item.output.symlink_metadata().map_err(|e| e.kind()) {
            Err(ErrorKind::NotFound) => return Ok(Decision::Restore),
            Err(ErrorKind::InvalidFilename) => {
                return refuse("the name is too long for this folder; give a shorter --template");
            }
            _ => (),
        }
        if item.output.is_dir() {
            return refuse("the output is a folder; choose another output");
        }
        if !item.output.exists() {
            return Ok(Decision::Restore);
        }
        let existing = self.request.existing;
        let known = matches!(existing, Existing::Refuse | Existing::Update);
        if let Some(settings) = self.settings.as_ref().filter(|_| known) {
            let journal = self.journals.of(&item.root);
            if journal.is_done(&item.output, &item.input, settings) {
                return Ok(Decision::Skip("made earlier with the same settings"));
            }
            if existing == Existing::Refuse && journal.is_ours(&item.output) {
                return refuse(
                    "the output was made with other settings, or from another version of the picture; use --update or --overwrite to replace it, --skip-existing to leave it",
                );
            }
        }
        match existing {
            Existing::Refuse => refuse(
                "the output exists; use --overwrite to replace it, --skip-existing to leave it",
            ),
            Existing::Skip => Ok(Decision::Skip("the output exists")),
            Existing::Update | Existing::Overwrite => Ok(Decision::Restore),
        }
    }
}
