//! File dialogs and notifications behind a trait: the desktop's own in the program, prepared
//! answers in tests.

use std::path::{Path, PathBuf};

use serpent_engine::image::Format;
use serpent_engine::priority;

/// What the user is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Pictures to open.
    Pictures,
    /// One picture.
    Picture,
    /// A folder.
    Folder,
    /// A name to save under; the suggestion is beside the source, under a name of its own.
    Save(PathBuf),
}

/// What to do with the answer; nothing when the user thinks better of it.
pub type Answer = Box<dyn FnOnce(Vec<PathBuf>) + Send>;

/// What the desktop does for the window, which goes on meanwhile.
pub trait Dialogs {
    /// Asks the user for files; `answer` may be called on any thread.
    fn ask(&mut self, title: &str, question: Question, answer: Answer);

    /// Tells the user something wherever they are, if the desktop can.
    fn notify(&mut self, title: &str, text: &str);
}

/// The desktop's dialogs.
pub struct Native;

impl Dialogs for Native {
    fn ask(&mut self, title: &str, question: Question, answer: Answer) {
        let dialog = rfd::AsyncFileDialog::new().set_title(title);
        let extensions: Vec<_> = Format::readable().flat_map(Format::extensions).collect();
        let pictures = |d: rfd::AsyncFileDialog| d.add_filter("Pictures", &extensions);
        let one = |f: Option<rfd::FileHandle>| f.map(|f| vec![f.path().to_owned()]);
        // The dialog is made here, as macOS wants it, and waited for elsewhere.
        match question {
            Question::Pictures => {
                let chosen = pictures(dialog).pick_files();
                wait(answer, async move {
                    let files = chosen.await?;
                    Some(files.iter().map(|f| f.path().to_owned()).collect())
                });
            }
            Question::Picture => {
                let chosen = pictures(dialog).pick_file();
                wait(answer, async move { one(chosen.await) });
            }
            Question::Folder => {
                let chosen = dialog.pick_folder();
                wait(answer, async move { one(chosen.await) });
            }
            Question::Save(suggestion) => {
                let chosen = with_suggestion(dialog, &suggestion).save_file();
                wait(answer, async move { one(chosen.await) });
            }
        }
    }

    fn notify(&mut self, title: &str, text: &str) {
        let mut notification = notify_rust::Notification::new();
        notification.appname("Serpent").summary(title).body(text);
        // The desktop may take its time to answer.
        priority::spawn(move || {
            if let Err(error) = notification.show() {
                tracing::debug!("the desktop shows no notifications: {error}");
            }
        });
    }
}

fn with_suggestion(mut dialog: rfd::AsyncFileDialog, suggestion: &Path) -> rfd::AsyncFileDialog {
    if let Some(folder) = suggestion.parent() {
        dialog = dialog.set_directory(folder);
    }
    if let Some(name) = suggestion.file_name() {
        dialog = dialog.set_file_name(name.to_string_lossy());
    }
    dialog
}

fn wait(answer: Answer, chosen: impl Future<Output = Option<Vec<PathBuf>>> + Send + 'static) {
    std::thread::spawn(move || {
        if let Some(paths) = pollster::block_on(chosen).filter(|p| !p.is_empty()) {
            answer(paths);
        }
    });
}
