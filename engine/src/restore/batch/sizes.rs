//! Sizes of pictures, read from the headers by a thread while others are restored.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use crate::image::Picture;

/// Sizes as they become known. Dropping it ends the reading.
pub(super) struct Sizes {
    found: Receiver<(usize, u64)>,
    stop: Arc<AtomicBool>,
}

impl Sizes {
    /// Reads the headers of these files in order.
    pub fn read(files: Vec<(usize, PathBuf)>) -> Self {
        let (send, found) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let end = stop.clone();
        std::thread::spawn(move || {
            for (index, path) in files {
                // What cannot be read will fail: no work.
                let pixels =
                    Picture::probe(&path).map_or(0, |p| u64::from(p.width) * u64::from(p.height));
                if end.load(Ordering::Relaxed) || send.send((index, pixels)).is_err() {
                    break;
                }
            }
        });
        Self { found, stop }
    }

    /// Index and pixels of the files read since the last call.
    pub fn news(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.found.try_iter()
    }
}

impl Drop for Sizes {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
