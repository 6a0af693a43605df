//! File dialogs behind a trait: the desktop's own in the program, prepared answers in tests.

use std::path::{Path, PathBuf};

/// Asks the user for files.
pub trait Dialogs {
    /// A picture to open, or `None` when the user thinks better of it.
    fn open(&mut self) -> Option<PathBuf>;

    /// Where to save; `suggestion` is beside the source, under a name of its own.
    fn save(&mut self, suggestion: &Path) -> Option<PathBuf>;
}

/// Extensions the open dialog offers.
const EXTENSIONS: [&str; 9] = [
    "png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "gif", "jfif",
];

/// The desktop's dialogs.
pub struct Native;

impl Dialogs for Native {
    fn open(&mut self) -> Option<PathBuf> {
        rfd::FileDialog::new()
            .set_title("Open a photo")
            .add_filter("Photos", &EXTENSIONS)
            .pick_file()
    }

    fn save(&mut self, suggestion: &Path) -> Option<PathBuf> {
        let mut dialog = rfd::FileDialog::new().set_title("Save the restored photo");
        if let Some(folder) = suggestion.parent() {
            dialog = dialog.set_directory(folder);
        }
        if let Some(name) = suggestion.file_name() {
            dialog = dialog.set_file_name(name.to_string_lossy());
        }
        dialog.save_file()
    }
}
