//! What is known of each model: what it is good for, how large it is.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use egui::Context;
use serpent_engine::checkpoint::Task;
use serpent_engine::priority;
use serpent_engine::restore::{ModelEntry, ModelLibrary};

/// A model as the picker shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Its name in the library.
    pub name: String,
    /// Its name in words.
    pub title: String,
    /// What it undoes.
    pub task: Task,
    /// How much larger it makes pictures.
    pub scale: usize,
    /// What it is good for.
    pub good_for: String,
    /// Weights.
    pub parameters: usize,
    /// Size of its file.
    pub bytes: u64,
    /// Its file.
    pub path: PathBuf,
}

impl Card {
    /// Reads a model's file and the text beside it.
    fn read(entry: ModelEntry) -> Result<Self, String> {
        let model = entry.load().map_err(|e| e.to_string())?;
        let ModelEntry { name, path } = entry;
        let scale = model.config.scale;
        let text = std::fs::read_to_string(path.with_extension("md")).ok();
        Ok(Self {
            title: title(&name),
            good_for: text
                .and_then(|t| first_paragraph(&t))
                .unwrap_or_else(|| purpose(model.task, scale)),
            task: model.task,
            scale,
            parameters: model.weights.iter().map(Vec::len).sum(),
            bytes: std::fs::metadata(&path).map_or(0, |m| m.len()),
            name,
            path,
        })
    }

    /// One line: task, size.
    pub fn facts(&self) -> String {
        format!(
            "{} · {:.1} M weights · {}",
            task_name(self.task, self.scale),
            self.parameters as f64 / 1e6,
            super::words::bytes(self.bytes)
        )
    }
}

/// The task in the user's words.
pub fn task_name(task: Task, scale: usize) -> String {
    match task {
        Task::Denoise => "Remove noise".to_owned(),
        Task::Deblur => "Sharpen".to_owned(),
        Task::SuperResolve => format!("Enlarge ×{scale}"),
        Task::Jpeg => "Clean up JPEG".to_owned(),
        Task::Mixed => "Repair everything".to_owned(),
    }
}

fn purpose(task: Task, scale: usize) -> String {
    match task {
        Task::Denoise => "Removes noise from photographs.".to_owned(),
        Task::Deblur => "Sharpens photographs that are out of focus or shaken.".to_owned(),
        Task::SuperResolve => format!("Enlarges photographs {scale} times in width and height."),
        Task::Jpeg => "Removes the blocks and rings of strong JPEG compression.".to_owned(),
        Task::Mixed => "Undoes noise, blur and compression at once.".to_owned(),
    }
}

/// `denoise-base` → `Denoise base`.
pub fn title(name: &str) -> String {
    let spaced = name.replace(['-', '_'], " ");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// What stands below the heading of a model's text.
fn first_paragraph(text: &str) -> Option<String> {
    let paragraph = text
        .split("\n\n")
        .map(str::trim)
        .find(|p| !p.is_empty() && !p.starts_with(['#', '|', '<', '!']))?;
    let plain = paragraph.replace(['*', '`'], "").replace('\n', " ");
    Some(plain)
}

/// The models there are, read on a thread of their own.
pub struct Cards {
    /// By task, then by name.
    pub list: Vec<Card>,
    /// Files that look like models and are none.
    pub broken: Vec<String>,
    default: Option<String>,
    coming: Option<Receiver<(Vec<Card>, Vec<String>)>>,
}

impl Cards {
    /// Starts reading.
    pub fn read(library: &ModelLibrary, ctx: &Context) -> Self {
        let (send, coming) = channel();
        let (library, ctx) = (library.clone(), ctx.clone());
        let default = library.default_model().ok().as_deref().and_then(stem);
        priority::spawn(move || {
            let (mut list, mut broken) = (Vec::new(), Vec::new());
            for entry in library.list() {
                match Card::read(entry) {
                    Ok(card) => list.push(card),
                    Err(problem) => broken.push(problem),
                }
            }
            list.sort_by_key(|c| (c.task as usize, c.scale, c.name.clone()));
            // The window may be gone by now.
            let _ = send.send((list, broken));
            ctx.request_repaint();
        });
        Self {
            list: Vec::new(),
            broken: Vec::new(),
            default,
            coming: Some(coming),
        }
    }

    /// Whether they are still being read.
    pub fn is_busy(&self) -> bool {
        self.coming.is_some()
    }

    /// Takes them in once; true in that frame.
    pub fn collect(&mut self) -> bool {
        let Some(all) = self.coming.as_ref().and_then(|c| c.try_recv().ok()) else {
            return false;
        };
        (self.list, self.broken) = all;
        self.coming = None;
        true
    }

    /// The model with this name.
    pub fn get(&self, name: &str) -> Option<&Card> {
        self.list.iter().find(|c| c.name == name)
    }

    /// The tasks there are models for.
    pub fn tasks(&self) -> Vec<(Task, usize)> {
        let mut tasks: Vec<_> = self.list.iter().map(|c| (c.task, c.scale)).collect();
        tasks.dedup();
        tasks
    }

    /// The model to begin with for a task.
    pub fn for_task(&self, task: Task, scale: usize) -> Option<&Card> {
        let fits = |c: &&Card| c.task == task && c.scale == scale;
        let default = self.default.as_deref().and_then(|n| self.get(n));
        default.filter(fits).or_else(|| self.list.iter().find(fits))
    }

    /// The model to begin with.
    pub fn first(&self) -> Option<&Card> {
        let default = self.default.as_deref().and_then(|n| self.get(n));
        default.or_else(|| self.list.first())
    }

    /// The model that suits a picture: σ of its noise (of 255), whether it is a JPEG.
    pub fn proposal(&self, noise: Option<f32>, jpeg: bool) -> Option<(&Card, String)> {
        let one = |task| self.list.iter().find(|c| c.task == task && c.scale == 1);
        let noise = noise?;
        if noise >= NOISY {
            let card = self
                .for_task(Task::Denoise, 1)
                .or_else(|| one(Task::Mixed))?;
            return Some((card, format!("noise of σ {noise:.0}")));
        }
        if let Some(card) = one(Task::Jpeg).filter(|_| jpeg) {
            return Some((card, "compressed as JPEG".to_owned()));
        }
        None
    }
}

/// σ of 255 from which noise is seen.
const NOISY: f32 = 3.0;

fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_become_cards() {
        let text = "# denoise-x\n\nRemoves *noise*, for\n`photos`.\n\n| a |\n";
        let words = first_paragraph(text).unwrap();
        assert_eq!(words, "Removes noise, for photos.");
        assert_eq!(first_paragraph("# only a heading\n"), None);
        assert_eq!(title("super-resolve_x2"), "Super resolve x2");
        assert_eq!(title(""), "");
    }
}
