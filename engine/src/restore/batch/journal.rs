//! What was made from what, with which settings: a file beside the outputs.
//!
//! `.serpent-journal.jsonl` in the output folder (beside the originals: in the input folder) has
//! one line of JSON for each thing that happened, and is only ever appended to, one write a line.
//! A picture has a line when its turn comes (`begun`, with what was there before) and one at its
//! end. Outputs are put into place whole, so that a run killed between the two leaves either what
//! was there before or the whole new picture, and the first line tells which. A line cut short is
//! passed over.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::shard::Shard;
use crate::checkpoint::Checkpoint;
use crate::files::TEMPORARY;
use crate::image::SaveOptions;
use crate::restore::Options;

/// Name of the journal.
pub const JOURNAL: &str = ".serpent-journal.jsonl";

/// How names of journals begin and end. Each shard has its own, since lines that several machines
/// append to one file of a network share may overwrite each other.
const NAMES: (&str, &str) = (".serpent-journal", ".jsonl");

/// Temporary files younger than this may be another program's that saves right now. Where a lock
/// would keep the journal from being written to, no run can know that it is alone: it waits longer.
const ABANDONED: Duration = Duration::from_secs(if cfg!(unix) { 60 } else { 3600 });

/// By what a file is known to be the same as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Length.
    pub bytes: u64,
    /// Time of the last change, in nanoseconds since 1970.
    pub modified: u64,
}

impl Stamp {
    /// Of a file that is there.
    pub fn of(path: &Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok().filter(|m| m.is_file())?;
        let since = data.modified().ok()?.duration_since(UNIX_EPOCH).ok();
        Some(Self {
            bytes: data.len(),
            modified: since.map_or(0, |t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX)),
        })
    }
}

/// The settings' fingerprint: two calls with the same give the same pictures. It covers the
/// model's weights, not its name.
pub fn settings_of(model: &Checkpoint, options: &Options, save: &SaveOptions) -> String {
    let mut hash = Sha256::new();
    let config = serde_json::to_string(&model.config).unwrap_or_default();
    hash.update(config.as_bytes());
    for weights in &model.weights {
        hash.update(bytemuck::cast_slice::<f32, u8>(weights));
    }
    // The memory decides about tiles only where none are asked for, and these are meant to be
    // alike.
    let rest = format!(
        "{:?} {} {:?} {}",
        options.strength, options.tile, options.noise, save.quality
    );
    hash.update(rest.as_bytes());
    if options.ensemble {
        hash.update(b" ensemble");
    }
    if save.strip_gps {
        hash.update(b" strip-gps");
    }
    let digest = hash.finalize();
    digest[..16].iter().map(|b| format!("{b:02x}")).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Begun,
    Done,
    Failed,
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    /// From the journal's folder, with slashes; see [`Journal::inner`].
    output: String,
    state: State,
    settings: String,
    source: Stamp,
    /// The output: before, for `begun`; afterwards, for `done`.
    made: Option<Stamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What was made in one output folder.
#[derive(Debug)]
pub struct Journal {
    root: PathBuf,
    /// Name of the file that is written.
    name: String,
    lines: HashMap<String, Line>,
    file: Option<File>,
}

impl Journal {
    /// Reads the folder's journals, those of shards too; what cannot be read counts as not
    /// there.
    pub fn read(root: &Path) -> Self {
        let mut lines: HashMap<String, Line> = HashMap::new();
        // The one written last has the last word.
        for file in files(root).iter().filter_map(|p| File::open(p).ok()) {
            for text in BufReader::new(file).split(b'\n').map_while(Result::ok) {
                let Ok(line) = serde_json::from_slice::<Line>(&text) else {
                    continue;
                };
                // A failure leaves what was there, and what is known about it.
                if line.state != State::Failed {
                    lines.insert(line.output.clone(), line);
                }
            }
        }
        Self {
            root: root.to_owned(),
            name: JOURNAL.to_owned(),
            lines,
            file: None,
        }
    }

    /// Writes to the journal of a shard.
    pub fn of_shard(mut self, shard: Shard) -> Self {
        let shard = shard.to_string().replace('/', "-of-");
        self.name = format!("{}-{shard}{}", NAMES.0, NAMES.1);
        self
    }

    /// Whether anything was ever made in this folder.
    pub fn is_in(root: &Path) -> bool {
        !files(root).is_empty()
    }

    /// Whether the output, as it is now, was made here, and not by another program since.
    fn made(&self, output: &Path) -> Option<&Line> {
        let line = self.lines.get(&self.inner(output))?;
        let now = Stamp::of(output)?;
        let ours = match line.state {
            State::Done => line.made == Some(now),
            State::Begun => line.made != Some(now),
            State::Failed => false,
        };
        ours.then_some(line)
    }

    /// Whether the output was made here, with whatever settings.
    pub fn is_ours(&self, output: &Path) -> bool {
        self.made(output).is_some()
    }

    /// Whether the output was made here with these settings from the input as it is now.
    pub fn is_done(&self, output: &Path, input: &Path, settings: &str) -> bool {
        self.made(output)
            .is_some_and(|l| l.settings == settings && Stamp::of(input) == Some(l.source))
    }

    /// Notes that the picture's turn has come.
    ///
    /// # Errors
    /// What the system says when the journal cannot be written.
    pub fn begin(&mut self, output: &Path, input: &Path, settings: &str) -> std::io::Result<()> {
        self.note(output, input, settings, State::Begun, None)
    }

    /// Notes that the picture is saved.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub fn done(&mut self, output: &Path, input: &Path, settings: &str) -> std::io::Result<()> {
        self.note(output, input, settings, State::Done, None)
    }

    /// Notes that the picture failed.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub fn failed(
        &mut self,
        output: &Path,
        input: &Path,
        settings: &str,
        reason: &str,
    ) -> std::io::Result<()> {
        let reason = Some(reason.to_owned());
        self.note(output, input, settings, State::Failed, reason)
    }

    fn note(
        &mut self,
        output: &Path,
        input: &Path,
        settings: &str,
        state: State,
        reason: Option<String>,
    ) -> std::io::Result<()> {
        // A source that is gone has nothing to be known by.
        let Some(source) = Stamp::of(input) else {
            return Ok(());
        };
        let line = Line {
            output: self.inner(output),
            state,
            settings: settings.to_owned(),
            source,
            made: Stamp::of(output),
            reason,
        };
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        self.open()?.write_all(text.as_bytes())
    }

    /// The file, opened when the first line is due; the folder is made.
    fn open(&mut self) -> std::io::Result<&mut File> {
        if self.file.is_none() {
            std::fs::create_dir_all(&self.root)?;
            let path = self.root.join(&self.name);
            let cut = std::fs::read(&path).is_ok_and(|all| all.last().is_some_and(|&b| b != b'\n'));
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            if cut {
                file.write_all(b"\n")?;
            }
            // Held while the run lives, so that others know (see `alone`).
            #[cfg(unix)]
            let _ = file.try_lock_shared();
            self.file = Some(file);
        }
        self.file
            .as_mut()
            .ok_or_else(|| std::io::Error::other("the journal is not open"))
    }

    /// Whether no other run is at work in this folder.
    #[cfg(not(unix))]
    fn alone(&self) -> bool {
        true
    }

    /// Whether no other run is at work in this folder.
    #[cfg(unix)]
    fn alone(&self) -> bool {
        files(&self.root).iter().all(|path| {
            let file = OpenOptions::new().append(true).open(path);
            file.is_ok_and(|file| file.try_lock().is_ok())
        })
    }

    /// Removes temporary files that a killed run left in these folders, unless another run is
    /// at work here. Must come before the first line.
    pub fn sweep(&self, folders: impl IntoIterator<Item = PathBuf>) {
        if !self.alone() {
            return;
        }
        for entry in folders
            .into_iter()
            .filter_map(|f| f.read_dir().ok())
            .flatten()
            .flatten()
        {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let ours = name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1);
            let age =
                |m: std::fs::Metadata| SystemTime::now().duration_since(m.modified().ok()?).ok();
            let old = entry.metadata().ok().and_then(age);
            if ours && old.is_some_and(|age| age > ABANDONED) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// The output's path from the journal's folder.
    fn inner(&self, output: &Path) -> String {
        let inner = output.strip_prefix(&self.root).unwrap_or(output);
        match inner.to_str() {
            Some(text) => text.replace(std::path::MAIN_SEPARATOR, "/"),
            // A name that is no text in its bytes, after a character that no name has.
            None => {
                let bytes = inner.as_os_str().as_encoded_bytes().iter();
                bytes.fold("\0".to_owned(), |text, b| text + &format!("{b:02x}"))
            }
        }
    }
}

/// The journals of a folder, the one written last at the end.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(SystemTime, PathBuf)> = root
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(NAMES.0) && name.ends_with(NAMES.1)
        })
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Journals by their folder, each read once.
#[derive(Debug, Default)]
pub(super) struct Journals {
    shard: Option<Shard>,
    known: HashMap<Arc<Path>, Journal>,
}

impl Journals {
    /// None read yet.
    pub fn new(shard: Option<Shard>) -> Self {
        let known = HashMap::new();
        Self { shard, known }
    }

    pub fn of(&mut self, root: &Arc<Path>) -> &mut Journal {
        let shard = self.shard;
        self.known.entry(root.clone()).or_insert_with(|| {
            let journal = Journal::read(root);
            match shard {
                Some(shard) => journal.of_shard(shard),
                None => journal,
            }
        })
    }
}
