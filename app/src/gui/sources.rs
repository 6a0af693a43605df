//! Finding and reading pictures, off the window's thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use egui::{ColorImage, Context};
use serpent_engine::image::{Colour, Format, ImageError, Picture};
use serpent_engine::priority;
use serpent_engine::restore::{blend, estimate_noise};

/// Side of the part in the middle of a picture that its noise is estimated from.
const NOISE_PART: usize = 1024;

/// What the threads tell.
pub enum Found {
    /// A file of the list to be.
    File(FoundFile),
    /// A folder without pictures, or a path that is not there.
    Nothing(String),
    /// A search has ended.
    SearchEnds,
    /// A picture that was asked for, with σ of its noise (of 255).
    Opened {
        /// The entry it was asked for.
        id: u64,
        /// The picture, or file, problem and remedy.
        picture: Result<(Arc<Picture>, f32), String>,
    },
    /// A picture for the grid.
    Read {
        /// The entry it belongs to.
        id: u64,
        /// Its file.
        path: PathBuf,
        /// What for.
        usage: Use,
        /// The picture, or file, problem and remedy.
        picture: Result<Arc<Picture>, String>,
    },
    /// A result at less than full strength.
    Mixed {
        /// The entry it belongs to.
        id: u64,
        /// The result it was made of.
        outcome: u64,
        /// How much of it was taken.
        strength: f32,
        /// What for.
        usage: MixFor,
        /// The picture, or problem and remedy.
        picture: Result<Arc<Picture>, String>,
    },
}

/// What a result is mixed with its original for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MixFor {
    /// To be a result of its own.
    Keeping,
    /// To stand in the grid as strong as it is shown.
    Comparing,
}

/// What a picture from elsewhere is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// To stand beside the results.
    Compare,
    /// To measure the results against.
    Reference,
}

/// A picture file, looked at but not decoded.
pub struct FoundFile {
    /// The file.
    pub path: PathBuf,
    /// Width, height and the file's size in bytes, or why it is no picture.
    pub about: Result<([usize; 2], u64), String>,
}

/// Starts the threads and collects what they find.
pub struct Sources {
    ctx: Context,
    send: Sender<Found>,
    receive: Receiver<Found>,
    /// Searches and openings not yet told of.
    open: usize,
}

impl Sources {
    /// Nothing is looked for yet; `ctx` is woken by every finding.
    pub fn new(ctx: Context) -> Self {
        let (send, receive) = channel();
        Self {
            ctx,
            send,
            receive,
            open: 0,
        }
    }

    /// Whether anything is still to be told.
    pub fn is_busy(&self) -> bool {
        self.open > 0
    }

    /// Looks for pictures: files as given, folders searched to the bottom.
    pub fn search(&mut self, paths: Vec<PathBuf>) {
        self.spawn(move |tell| {
            for path in paths {
                search(&path, tell);
            }
            tell(Found::SearchEnds);
        });
    }

    /// Reads a picture.
    pub fn open(&mut self, id: u64, path: PathBuf) {
        self.spawn(move |tell| {
            let picture = Picture::open(&path).map_err(|e| e.to_string());
            let picture = picture.map(|p| {
                let noise = noise(&p);
                (Arc::new(p), noise)
            });
            tell(Found::Opened { id, picture });
        });
    }

    /// Reads a picture for the grid.
    pub fn read(&mut self, id: u64, path: PathBuf, usage: Use) {
        self.spawn(move |tell| {
            let picture = Picture::open(&path).map(Arc::new);
            tell(Found::Read {
                id,
                usage,
                picture: picture.map_err(|e| e.to_string()),
                path,
            });
        });
    }

    /// Mixes a result with its original.
    pub fn mix(
        &mut self,
        [id, outcome]: [u64; 2],
        original: Arc<Picture>,
        restored: Arc<Picture>,
        strength: f32,
        usage: MixFor,
    ) {
        self.spawn(move |tell| {
            let picture = blend(&original, &restored, strength).map(Arc::new);
            tell(Found::Mixed {
                id,
                outcome,
                strength,
                usage,
                picture: picture.map_err(|e| e.to_string()),
            });
        });
    }

    /// Takes in a picture from the clipboard.
    pub fn paste(&mut self, id: u64, picture: Arc<Picture>) {
        self.spawn(move |tell| {
            let noise = noise(&picture);
            tell(Found::Opened {
                id,
                picture: Ok((picture, noise)),
            });
        });
    }

    fn spawn(&mut self, work: impl FnOnce(&dyn Fn(Found)) + Send + 'static) {
        self.open += 1;
        let (send, ctx) = (self.send.clone(), self.ctx.clone());
        priority::spawn(move || {
            work(&|found| {
                // The window may be gone by now.
                let _ = send.send(found);
                ctx.request_repaint();
            });
        });
    }

    /// The next finding.
    pub fn poll(&mut self) -> Option<Found> {
        let found = self.receive.try_recv().ok()?;
        if !matches!(found, Found::File(_) | Found::Nothing(_)) {
            self.open -= 1;
        }
        Some(found)
    }
}

fn search(path: &Path, tell: &dyn Fn(Found)) {
    if !path.is_dir() {
        return tell(Found::File(look_at(path.to_owned())));
    }
    let mut any = false;
    let walk = walkdir::WalkDir::new(path).sort_by_file_name();
    let visible =
        |e: &walkdir::DirEntry| e.depth() == 0 || !e.file_name().to_string_lossy().starts_with('.');
    for entry in walk.into_iter().filter_entry(visible).flatten() {
        if entry.file_type().is_file() && Format::from_path(entry.path()).is_some() {
            any = true;
            tell(Found::File(look_at(entry.into_path())));
        }
    }
    if !any {
        let text = format!("{}: no pictures in this folder", path.display());
        tell(Found::Nothing(text));
    }
}

fn look_at(path: PathBuf) -> FoundFile {
    let bytes = std::fs::metadata(&path).map_or(0, |m| m.len());
    let about = Picture::probe(&path)
        .map(|p| ([p.width as usize, p.height as usize], bytes))
        .map_err(|e| e.to_string());
    FoundFile { path, about }
}

/// σ of 255 in the middle of the picture.
fn noise(picture: &Picture) -> f32 {
    let (width, height) = (picture.width(), picture.height());
    let channels = picture.colour().channels();
    let (w, h) = (width.min(NOISE_PART), height.min(NOISE_PART));
    let (left, top) = ((width - w) / 2, (height - h) / 2);
    let rows = (top..top + h).map(|y| (y * width + left) * channels);
    let part: Vec<f32> = rows
        .flat_map(|at| &picture.samples()[at..at + w * channels])
        .copied()
        .collect();
    255.0 * estimate_noise(&part, w, h, channels)
}

/// A picture out of the clipboard's pixels.
///
/// # Errors
/// [`ImageError`] when there are none.
pub fn from_clipboard(image: &ColorImage) -> Result<Picture, ImageError> {
    let [width, height] = image.size;
    let pixels: Vec<[u8; 4]> = image
        .pixels
        .iter()
        .map(|p| p.to_srgba_unmultiplied())
        .collect();
    let unit = |v: u8| f32::from(v) / 255.0;
    let samples = pixels
        .iter()
        .flat_map(|p| p[..3].iter().map(|&v| unit(v)))
        .collect();
    let alpha = pixels
        .iter()
        .any(|p| p[3] != 255)
        .then(|| pixels.iter().map(|p| unit(p[3])).collect());
    Picture::new(width, height, Colour::Rgb, samples)?.with_alpha(alpha)
}
