//! What commands do, and when they can be done.

use std::path::PathBuf;
use std::time::Duration;

use egui::{Context, Event, UserAttentionType, ViewportCommand};

use super::command::{self, Command, When};
use super::dialogs::Question;
use super::queue::State;
use super::settings::Settings;
use super::theme::ThemeChoice;
use super::window::{Page, Window};

/// As long as this somebody watches; whatever takes longer may end unseen.
const WATCHED: Duration = Duration::from_secs(60);

/// What a dialog was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Pictures or a folder for the list.
    Open,
    /// A name for the picture on screen.
    Save(u64),
    /// A folder for all restored pictures.
    SaveAll,
    /// Pictures from elsewhere to compare with.
    Compare(u64),
    /// What the picture should look like.
    Reference(u64),
    /// The folder of a batch.
    BatchFolder,
    /// Where a batch puts its results.
    BatchOutput,
}

impl Window {
    /// Whether a command makes sense now.
    pub fn can(&self, command: Command) -> bool {
        let current = self.queue.current();
        match command.about().when {
            When::Always => true,
            When::AnyPicture => !self.queue.entries().is_empty(),
            When::Shown => current.is_some_and(|e| e.original.is_some()),
            When::Restorable => {
                current
                    .is_some_and(|e| !matches!(e.state, State::Failed(_)) && !self.worker.has(e.id))
                    && !self.cards.list.is_empty()
            }
            When::Busy => self.worker.is_busy(),
            When::Restored => current.is_some_and(|e| e.outcome().is_some()),
            When::AnyRestored => self.queue.entries().iter().any(|e| e.outcome().is_some()),
            When::BatchReady => self.batch_is_ready(),
            When::BatchRunning => self.batch_is_running(),
        }
    }

    /// Does it.
    pub(super) fn perform(&mut self, command: Command) {
        match command {
            Command::OpenFiles => self.ask("Open photos", Question::Pictures, Ask::Open),
            Command::OpenFolder => self.ask("Open a folder", Question::Folder, Ask::Open),
            Command::Paste => self.ctx.send_viewport_cmd(ViewportCommand::RequestPaste),
            Command::Restore => self.restore_selected(),
            Command::RestoreAll => self.restore_all(),
            Command::Preview => self.preview_visible(),
            Command::Cancel => self.worker.cancel_all(),
            Command::Save => self.ask_where_to_save(),
            Command::SaveAll => {
                self.ask("Save all restored into", Question::Folder, Ask::SaveAll);
            }
            Command::RemoveSelected => self.remove_selected(),
            Command::SelectAll => self.queue.select_all(),
            Command::Previous => self.queue.step(-1),
            Command::Next => self.queue.step(1),
            Command::MoveEarlier => self.queue.move_selected(-1),
            Command::MoveLater => self.queue.move_selected(1),
            Command::ViewSplit
            | Command::ViewSideBySide
            | Command::ViewFlip
            | Command::ViewDifference
            | Command::ZoomFit
            | Command::Zoom100
            | Command::Zoom200 => self.change_view(command),
            Command::ToggleStrip => self.settings.strip = !self.settings.strip,
            Command::TogglePanel => self.settings.panel = !self.settings.panel,
            Command::AddToCompare => {
                if let Some(id) = self.queue.current_id() {
                    self.ask(
                        "Add pictures to compare",
                        Question::Pictures,
                        Ask::Compare(id),
                    );
                }
            }
            Command::ChooseReference => {
                if let Some(id) = self.queue.current_id() {
                    self.ask("Choose a reference", Question::Picture, Ask::Reference(id));
                }
            }
            Command::BatchFolder => {
                self.page = Page::Batch;
                self.ask(
                    "Choose a folder to restore",
                    Question::Folder,
                    Ask::BatchFolder,
                );
            }
            Command::BatchOutput => {
                self.ask(
                    "Choose where results go",
                    Question::Folder,
                    Ask::BatchOutput,
                );
            }
            Command::BatchStart => self.start_batch(),
            Command::BatchPause => self.pause_batch(),
            Command::BatchStop => self.stop_batch(),
            Command::GoPhotos => self.page = Page::Photos,
            Command::GoCompare => self.page = Page::Compare,
            Command::GoBatch => self.page = Page::Batch,
            Command::GoSettings => self.page = Page::Settings,
            Command::CopyDiagnostics => self.copy_diagnostics(),
            Command::ToggleTheme => self.toggle_theme(),
            Command::InterfaceLarger => self.scale(self.settings.scale * 1.1),
            Command::InterfaceSmaller => self.scale(self.settings.scale / 1.1),
            Command::InterfaceNormal => self.scale(Settings::default().scale),
            Command::Palette => self.toggle_search(),
            Command::Help => self.help = !self.help,
            Command::Quit => self.ctx.send_viewport_cmd(ViewportCommand::Close),
        }
    }

    /// Asks the user; the answer comes through [`Window::take_in_answer`].
    fn ask(&mut self, title: &str, question: Question, ask: Ask) {
        let (send, ctx) = (self.answers.0.clone(), self.ctx.clone());
        let answer = move |paths| {
            // The window may be gone by now.
            let _ = send.send((ask, paths));
            ctx.request_repaint();
        };
        self.dialogs.ask(title, question, Box::new(answer));
    }

    fn ask_where_to_save(&mut self) {
        if let Some(entry) = self.queue.current() {
            let (id, suggestion) = (entry.id, entry.suggestion());
            let question = Question::Save(suggestion);
            self.ask("Save the restored photo", question, Ask::Save(id));
        }
    }

    pub(super) fn take_in_answer(&mut self, ask: Ask, paths: Vec<PathBuf>) {
        let first = || paths.first().cloned();
        match ask {
            Ask::Open => self.sources.search(paths),
            Ask::Save(id) => {
                if let Some(target) = first() {
                    self.save(id, target);
                }
            }
            Ask::SaveAll => {
                if let Some(folder) = first() {
                    self.save_all(&folder);
                }
            }
            Ask::Compare(id) => self.add_to_compare(id, paths),
            Ask::Reference(id) => {
                if let Some(path) = first() {
                    self.read_reference(id, path);
                }
            }
            Ask::BatchFolder => self.set_batch_folders(paths),
            Ask::BatchOutput => self.set_batch_output(first()),
        }
    }

    fn toggle_theme(&mut self) {
        let dark = self.ctx.theme() == egui::Theme::Dark;
        self.set_theme(if dark {
            ThemeChoice::Light
        } else {
            ThemeChoice::Dark
        });
    }

    /// Another theme, from now on.
    pub(super) fn set_theme(&mut self, theme: ThemeChoice) {
        self.settings.theme = theme;
        theme.apply(&self.ctx);
    }

    /// Another size of the interface, from now on.
    pub(super) fn scale(&mut self, scale: f32) {
        // Steps of 5 % leave no odd numbers behind.
        let scale = ((scale * 20.0).round() / 20.0).clamp(0.75, 3.0);
        self.settings.scale = scale;
        self.ctx.set_zoom_factor(scale);
    }

    /// Something long has ended: the desktop shows it if the window is not in front.
    pub(super) fn call_attention(&self) {
        if !self.ctx.input(|i| i.focused) {
            let kind = UserAttentionType::Informational;
            self.ctx
                .send_viewport_cmd(ViewportCommand::RequestUserAttention(kind));
        }
    }

    /// Something that took `took` has ended: told by the desktop, unless the user will have seen it.
    pub(super) fn tell_desktop(&mut self, title: &str, text: &str, took: Duration) {
        let focused = self.ctx.input(|i| i.focused);
        if !focused || took > WATCHED {
            self.dialogs.notify(title, text);
        }
    }

    /// Shortcuts, dropped files and pasted pictures.
    pub(super) fn input(&mut self) {
        let ctx = self.ctx.clone();
        let dropped: Vec<PathBuf> = ctx.input(|i| {
            i.raw
                .dropped_files
                .iter()
                .map(|f| f.path().to_owned())
                .collect()
        });
        if !dropped.is_empty() {
            self.drop_files(dropped);
        }
        let in_text = ctx.text_edit_focused();
        if !in_text {
            self.pasted(&ctx);
        }
        let modal = self.search.is_some() || self.help;
        for (keys, command) in command::by_keys() {
            // A dialog takes its own keys.
            let closes = matches!(command, Command::Palette | Command::Help);
            if modal && !closes {
                continue;
            }
            // Plain keys belong to the picture, and to text fields before that.
            let plain = command.yields_to_focus();
            if plain && (in_text || self.page != Page::Photos) {
                continue;
            }
            // Pasting comes as an event of its own.
            if *command == Command::Paste || !self.can(*command) {
                continue;
            }
            if ctx.input_mut(|i| i.consume_shortcut(keys)) {
                self.perform(*command);
            }
        }
    }

    fn pasted(&mut self, ctx: &Context) {
        let events = ctx.input(|i| i.events.clone());
        for event in events {
            match event {
                Event::PasteImage(image) => self.paste_picture(&image),
                Event::Paste(text) => self.paste_paths(&text),
                _ => {}
            }
        }
    }
}
