//! What became of each file: a table for people (CSV) or programs (JSON).
//!
//! While the batch runs, rows are appended to `FILE.part`, each written at once: a CSV that is
//! whole up to its last line, or one JSON object a line. At the end the report takes its place
//! under its own name, at once or not at all.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::Item;
use super::run::{FileState, Summary};
use crate::files::write_whole;

/// A report cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The name says neither CSV nor JSON.
    #[error("{}: a report is a .csv or a .json file; name it so", path.display())]
    Name {
        /// The report.
        path: PathBuf,
    },
    /// This is no report.
    #[error("{}: cannot read the report: {reason}; give a file that --report wrote", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system refused.
    #[error("{}: cannot write the report: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ReportError {
    fn unread(path: &Path, reason: impl ToString) -> Self {
        Self::Unread {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// One file in a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// File that was opened.
    pub input: String,
    /// File that was written, or would have been.
    pub output: String,
    /// `done`, `skipped`, `failed` or `cancelled`.
    pub state: String,
    /// Why it was skipped or failed.
    pub reason: String,
    /// Width times height of the input, if known.
    pub pixels: Option<u64>,
    /// Opening, restoring and saving.
    pub seconds: Option<f64>,
    /// Device it was made on.
    pub device: String,
    /// What the user should know, such as a fallback and its reason, one a line.
    pub notes: String,
}

impl Row {
    /// The row of a file that has ended.
    pub(super) fn new(item: &Item, state: &FileState, pixels: Option<u64>) -> Self {
        let mut row = Self {
            input: item.input.to_string_lossy().into_owned(),
            output: item.output.to_string_lossy().into_owned(),
            state: String::new(),
            reason: String::new(),
            pixels,
            seconds: None,
            device: String::new(),
            notes: String::new(),
        };
        row.state = match state {
            FileState::Waiting | FileState::Running { .. } => "unfinished",
            FileState::Done {
                seconds,
                device,
                notes,
            } => {
                row.seconds = Some(*seconds);
                row.device.clone_from(device);
                row.notes = notes.join("\n");
                "done"
            }
            FileState::Skipped(reason) => {
                row.reason = (*reason).to_owned();
                "skipped"
            }
            FileState::Failed(message) => {
                row.reason.clone_from(message);
                "failed"
            }
            FileState::Cancelled => "cancelled",
        }
        .to_owned();
        row
    }
}

/// Rows of a report, finished or not (`FILE.csv.part`): what a run that was killed had written.
///
/// # Errors
/// [`ReportError`].
pub fn read_report(path: &Path) -> Result<Vec<Row>, ReportError> {
    let part = path.extension().is_some_and(|e| e == "part");
    let named = if part {
        path.with_extension("")
    } else {
        path.to_owned()
    };
    let unread = |reason: &dyn ToString| ReportError::unread(path, reason.to_string());
    match kind(&named)? {
        Kind::Csv => {
            let mut reader = csv::Reader::from_path(path).map_err(|e| unread(&e))?;
            let mut rows = Vec::new();
            for row in reader.deserialize() {
                match row {
                    Ok(row) => rows.push(row),
                    // The last row may be cut short.
                    Err(_) if part => break,
                    Err(e) => return Err(unread(&e)),
                }
            }
            Ok(rows)
        }
        Kind::Json if part => {
            let text = std::fs::read_to_string(path).map_err(|e| unread(&e))?;
            let rows = text.lines().map_while(|l| serde_json::from_str(l).ok());
            Ok(rows.collect())
        }
        Kind::Json => {
            #[derive(Deserialize)]
            struct Document {
                files: Vec<Row>,
            }
            let text = std::fs::read(path).map_err(|e| unread(&e))?;
            let document: Document = serde_json::from_slice(&text).map_err(|e| unread(&e))?;
            Ok(document.files)
        }
    }
}

enum Kind {
    Csv,
    Json,
}

/// What a report's name says.
fn kind(path: &Path) -> Result<Kind, ReportError> {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    match extension.as_ref().and_then(|e| e.to_str()) {
        Some("csv") => Ok(Kind::Csv),
        Some("json") => Ok(Kind::Json),
        _ => Err(ReportError::Name {
            path: path.to_owned(),
        }),
    }
}

/// A report that is being written.
pub struct Report {
    path: PathBuf,
    part: PathBuf,
    rows: Rows,
}

enum Rows {
    Csv(Box<csv::Writer<File>>),
    Json(File),
}

impl Report {
    /// Begins the report `path`, whose name ends in .csv or .json; its folder is made. A report that
    /// is there stays until the new one is finished.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        let kind = kind(path)?;
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        // Mostly it lies with the results, whose folder comes into being with the first of them.
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let file = folder
            .and_then(|()| File::create(&part))
            .map_err(|source| io(&part, source))?;
        Ok(Self {
            path: path.to_owned(),
            part,
            rows: match kind {
                Kind::Csv => Rows::Csv(Box::new(csv::Writer::from_writer(file))),
                Kind::Json => Rows::Json(file),
            },
        })
    }

    /// Adds rows; they are with the system when this returns.
    ///
    /// # Errors
    /// [`ReportError::Io`].
    pub fn add(&mut self, rows: &[Row]) -> Result<(), ReportError> {
        let write = |all: &mut Rows| -> std::io::Result<()> {
            match all {
                Rows::Csv(csv) => {
                    for row in rows {
                        csv.serialize(row).map_err(std::io::Error::other)?;
                    }
                    csv.flush()
                }
                Rows::Json(file) => {
                    let mut text = String::new();
                    for row in rows {
                        text += &serde_json::to_string(row)?;
                        text.push('\n');
                    }
                    file.write_all(text.as_bytes())
                }
            }
        };
        write(&mut self.rows).map_err(|source| io(&self.part, source))
    }

    /// Puts the report into its place.
    ///
    /// # Errors
    /// [`ReportError::Io`].
    pub fn finish(self, summary: &Summary) -> Result<(), ReportError> {
        let Self { path, part, rows } = self;
        let placed = match rows {
            Rows::Csv(csv) => csv
                .into_inner()
                .map_err(|e| std::io::Error::other(e.to_string()))
                .and_then(|file| file.sync_all())
                .and_then(|()| std::fs::rename(&part, &path)),
            Rows::Json(file) => {
                drop(file);
                document(&part, &path, summary).and_then(|()| std::fs::remove_file(&part))
            }
        };
        placed.map_err(|source| io(&path, source))
    }
}

fn io(path: &Path, source: std::io::Error) -> ReportError {
    ReportError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Makes one JSON document of the lines, without holding them all.
fn document(part: &Path, path: &Path, summary: &Summary) -> std::io::Result<()> {
    let head = serde_json::json!({
        "done": summary.done,
        "skipped": summary.skipped,
        "failed": summary.failed,
        "cancelled": summary.cancelled,
    });
    write_whole(path, |file| {
        let mut out = BufWriter::new(file);
        write!(out, "{{\"summary\":{head},\n\"files\":[")?;
        for (i, line) in BufReader::new(File::open(part)?).lines().enumerate() {
            out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
            out.write_all(line?.as_bytes())?;
        }
        out.write_all(b"\n]}\n")?;
        out.flush()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(input: &str, state: &FileState) -> Row {
        let item = Item {
            input: input.into(),
            output: format!("out/{input}").into(),
            root: Path::new("out").into(),
        };
        Row::new(&item, state, Some(12))
    }

    fn rows() -> Vec<Row> {
        let done = FileState::Done {
            seconds: 1.5,
            device: "cpu".into(),
            notes: vec!["one".into(), "two".into()],
        };
        vec![
            row("a, \"b\"\n.png", &done),
            row("c.png", &FileState::Failed("c.png: empty; copy it".into())),
            row("d.png", &FileState::Skipped("made earlier")),
        ]
    }

    #[test]
    fn csv_is_readable_at_every_moment_and_whole_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        std::fs::write(&path, "old").unwrap();
        let read = |path: &Path| read_report(path).unwrap();
        let mut report = Report::create(&path).unwrap();
        for (i, row) in rows().iter().enumerate() {
            report.add(std::slice::from_ref(row)).unwrap();
            assert_eq!(read(&folder.path().join("r.csv.part")), rows()[..=i]);
            assert_eq!(std::fs::read(&path).unwrap(), b"old");
        }
        report.finish(&Summary::default()).unwrap();
        assert_eq!(read(&path), rows());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn json_is_lines_while_it_grows_and_one_document_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.JSON");
        for rows in [rows(), Vec::new()] {
            let mut report = Report::create(&path).unwrap();
            report.add(&rows).unwrap();
            let part = folder.path().join("r.JSON.part");
            assert_eq!(read_report(&part).unwrap(), rows);
            report
                .finish(&Summary {
                    done: 1,
                    ..Summary::default()
                })
                .unwrap();
            let whole: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(whole["summary"]["done"], 1);
            assert_eq!(read_report(&path).unwrap(), rows);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(Report::create(&folder.path().join("photo.jpg")).is_err());
    }

    #[test]
    fn what_is_no_report_is_refused_and_a_cut_one_read_as_far_as_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["r.csv", "r.json"] {
            let path = folder.path().join(name);
            let part = folder.path().join(format!("{name}.part"));
            let mut report = Report::create(&path).unwrap();
            report.add(&rows()).unwrap();
            let whole = std::fs::read(&part).unwrap();
            drop(report);
            for end in 0..whole.len() {
                std::fs::write(&part, &whole[..end]).unwrap();
                let read = read_report(&part).unwrap();
                // A number cut short may still be one.
                let sure = read.len().saturating_sub(1);
                assert_eq!(read[..sure], rows()[..sure], "{name} {end}");
            }
            std::fs::write(&path, "input,output\nno report").unwrap();
            let message = read_report(&path).unwrap_err().to_string();
            assert!(
                message.contains(name) && message.contains("--report"),
                "{message}"
            );
        }
    }
}
