//! Every action of the window, once: buttons, shortcuts, the palette and the help read this list.

use std::sync::OnceLock;

use egui::{Key, KeyboardShortcut, Modifiers};

/// An action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names below say it.
pub enum Command {
    OpenFiles,
    OpenFolder,
    Paste,
    Restore,
    RestoreAll,
    Preview,
    Cancel,
    Save,
    SaveAll,
    RemoveSelected,
    SelectAll,
    Previous,
    Next,
    MoveEarlier,
    MoveLater,
    ViewSplit,
    ViewSideBySide,
    ViewFlip,
    ViewDifference,
    ZoomFit,
    Zoom100,
    Zoom200,
    ToggleStrip,
    TogglePanel,
    AddToCompare,
    ChooseReference,
    BatchFolder,
    BatchOutput,
    BatchStart,
    BatchPause,
    BatchStop,
    GoPhotos,
    GoCompare,
    GoBatch,
    GoSettings,
    CopyDiagnostics,
    ToggleTheme,
    InterfaceLarger,
    InterfaceSmaller,
    InterfaceNormal,
    Palette,
    Help,
    Quit,
}

/// Which part of the help a command stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Pictures in, pictures out.
    Pictures,
    /// Making them better.
    Restoring,
    /// Looking at them.
    View,
    /// Comparing results.
    Compare,
    /// Many at once.
    Batch,
    /// The program itself.
    Program,
}

impl Group {
    /// All of them, in the help's order.
    pub const ALL: [Self; 6] = [
        Self::Pictures,
        Self::Restoring,
        Self::View,
        Self::Compare,
        Self::Batch,
        Self::Program,
    ];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Pictures => "Pictures",
            Self::Restoring => "Restoring",
            Self::View => "View",
            Self::Compare => "Compare",
            Self::Batch => "Batch",
            Self::Program => "Program",
        }
    }
}

/// When a command makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// A picture is in the list.
    AnyPicture,
    /// A picture is on screen.
    Shown,
    /// A picture is on screen and there is a model to restore it with.
    Restorable,
    /// Something is being restored.
    Busy,
    /// The picture on screen is restored.
    Restored,
    /// Any picture of the list is restored.
    AnyRestored,
    /// The batch has a plan and does not run.
    BatchReady,
    /// The batch runs.
    BatchRunning,
}

/// What is known of a command.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The command.
    pub command: Command,
    /// A lasting name.
    pub id: &'static str,
    /// What the user reads; an ellipsis where a dialog follows.
    pub name: &'static str,
    /// The keys.
    pub shortcut: Option<KeyboardShortcut>,
    /// When it makes sense.
    pub when: When,
    /// Its part of the help.
    pub group: Group,
}

const NONE: Modifiers = Modifiers::NONE;
const CTRL: Modifiers = Modifiers::COMMAND;
const ALT: Modifiers = Modifiers::ALT;
const CTRL_SHIFT: Modifiers = Modifiers {
    shift: true,
    ..Modifiers::COMMAND
};

const fn keys(modifiers: Modifiers, key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(modifiers, key))
}

macro_rules! commands {
    ($($command:ident, $id:literal, $name:literal, $keys:expr, $when:ident, $group:ident;)*) => {
        /// All commands, in the palette's order.
        pub const ALL: &[About] = &[$(About {
            command: Command::$command,
            id: $id,
            name: $name,
            shortcut: $keys,
            when: When::$when,
            group: Group::$group,
        }),*];

        impl Command {
            /// What is known of it.
            pub fn about(self) -> &'static About {
                const { assert!(in_order()) };
                // The list has every command at its own place, as checked above.
                &ALL[self as usize]
            }
        }
    };
}

const fn in_order() -> bool {
    let mut i = 0;
    while i < ALL.len() {
        if ALL[i].command as usize != i {
            return false;
        }
        i += 1;
    }
    i == Command::Quit as usize + 1
}

commands! {
    OpenFiles, "open-files", "Open photos…", keys(CTRL, Key::O), Always, Pictures;
    OpenFolder, "open-folder", "Open a folder…", keys(CTRL_SHIFT, Key::O), Always, Pictures;
    Paste, "paste", "Paste a picture", keys(CTRL, Key::V), Always, Pictures;
    Restore, "restore", "Restore", keys(CTRL, Key::R), Restorable, Restoring;
    RestoreAll, "restore-all", "Restore all", keys(CTRL_SHIFT, Key::R), AnyPicture, Restoring;
    Preview, "preview", "Preview what is visible", keys(CTRL, Key::E), Restorable, Restoring;
    Cancel, "cancel", "Cancel", keys(NONE, Key::Escape), Busy, Restoring;
    Save, "save", "Save as…", keys(CTRL, Key::S), Restored, Pictures;
    SaveAll, "save-all", "Save all restored…", keys(CTRL_SHIFT, Key::S), AnyRestored, Pictures;
    RemoveSelected, "remove", "Remove from the list", keys(NONE, Key::Delete), AnyPicture, Pictures;
    SelectAll, "select-all", "Select all", keys(CTRL, Key::A), AnyPicture, Pictures;
    Previous, "previous", "Previous picture", keys(NONE, Key::PageUp), AnyPicture, Pictures;
    Next, "next", "Next picture", keys(NONE, Key::PageDown), AnyPicture, Pictures;
    MoveEarlier, "move-earlier", "Move earlier in the list", keys(ALT, Key::PageUp), AnyPicture, Pictures;
    MoveLater, "move-later", "Move later in the list", keys(ALT, Key::PageDown), AnyPicture, Pictures;
    ViewSplit, "view-split", "Split", keys(NONE, Key::S), Shown, View;
    ViewSideBySide, "view-side-by-side", "Side by side", keys(NONE, Key::D), Shown, View;
    ViewFlip, "view-flip", "Flip", keys(NONE, Key::F), Shown, View;
    ViewDifference, "view-difference", "Difference", keys(NONE, Key::H), Shown, View;
    ZoomFit, "zoom-fit", "Fit", keys(NONE, Key::Num0), Shown, View;
    Zoom100, "zoom-100", "100 %", keys(NONE, Key::Num1), Shown, View;
    Zoom200, "zoom-200", "200 %", keys(NONE, Key::Num2), Shown, View;
    ToggleStrip, "toggle-strip", "Show or hide the film strip", keys(NONE, Key::T), Always, View;
    TogglePanel, "toggle-panel", "Show or hide the panel", keys(NONE, Key::P), Always, View;
    AddToCompare, "add-to-compare", "Add pictures to compare…", None, Shown, Compare;
    ChooseReference, "choose-reference", "Choose a reference…", None, Shown, Compare;
    BatchFolder, "batch-folder", "Choose a folder to restore…", keys(CTRL_SHIFT, Key::B), Always, Batch;
    BatchOutput, "batch-output", "Choose where results go…", None, Always, Batch;
    BatchStart, "batch-start", "Start the batch", keys(CTRL, Key::Enter), BatchReady, Batch;
    BatchPause, "batch-pause", "Pause or go on", keys(CTRL_SHIFT, Key::P), BatchRunning, Batch;
    BatchStop, "batch-stop", "Stop the batch", None, BatchRunning, Batch;
    GoPhotos, "go-photos", "Photos", keys(ALT, Key::Num1), Always, View;
    GoCompare, "go-compare", "Compare", keys(ALT, Key::Num2), Always, View;
    GoBatch, "go-batch", "Batch", keys(ALT, Key::Num3), Always, View;
    GoSettings, "go-settings", "Settings", keys(CTRL, Key::Comma), Always, Program;
    CopyDiagnostics, "copy-diagnostics", "Copy diagnostics", None, Always, Program;
    ToggleTheme, "toggle-theme", "Dark or light", keys(CTRL_SHIFT, Key::L), Always, Program;
    InterfaceLarger, "interface-larger", "Larger interface", keys(CTRL, Key::Plus), Always, Program;
    InterfaceSmaller, "interface-smaller", "Smaller interface", keys(CTRL, Key::Minus), Always, Program;
    InterfaceNormal, "interface-normal", "Normal interface size", keys(CTRL, Key::Num0), Always, Program;
    Palette, "palette", "All commands", keys(CTRL, Key::K), Always, Program;
    Help, "help", "Help and shortcuts", keys(NONE, Key::F1), Always, Program;
    Quit, "quit", "Quit", keys(CTRL, Key::Q), Always, Program;
}

/// Commands with keys, those with the most modifiers first: Ctrl+X would also answer to
/// Ctrl+Shift+X, and X to Alt+X.
pub fn by_keys() -> &'static [(KeyboardShortcut, Command)] {
    static SORTED: OnceLock<Vec<(KeyboardShortcut, Command)>> = OnceLock::new();
    SORTED.get_or_init(|| {
        let mut all: Vec<_> = ALL
            .iter()
            .filter_map(|a| Some((a.shortcut?, a.command)))
            .collect();
        let count = |k: &KeyboardShortcut| {
            let m = k.modifiers;
            [m.alt, m.shift, m.command].iter().filter(|on| **on).count()
        };
        all.sort_by_key(|(keys, _)| std::cmp::Reverse(count(keys)));
        all
    })
}

impl Command {
    /// Its name.
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// Its keys as the user's system writes them.
    pub fn keys(self, ctx: &egui::Context) -> Option<String> {
        self.about().shortcut.map(|s| ctx.format_shortcut(&s))
    }

    /// Whether its keys are left to a text field or another widget that has the focus.
    pub fn yields_to_focus(self) -> bool {
        let keys = self.about().shortcut;
        keys.is_some_and(|k| {
            // Help and cancelling work everywhere.
            k.modifiers == NONE && ![Key::F1, Key::Escape].contains(&k.logical_key)
        }) || matches!(self, Self::SelectAll | Self::Paste)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_two_commands_share_keys_or_names() {
        for (i, a) in ALL.iter().enumerate() {
            for b in &ALL[i + 1..] {
                assert_ne!(a.id, b.id);
                assert_ne!(a.name, b.name);
                if let (Some(x), Some(y)) = (a.shortcut, b.shortcut) {
                    assert_ne!(x, y, "{} and {} have the same keys", a.id, b.id);
                }
            }
        }
    }

    #[test]
    fn no_command_takes_keys_that_text_fields_need() {
        for about in ALL {
            let Some(keys) = about.shortcut else { continue };
            let edits = [Key::C, Key::X, Key::Z].contains(&keys.logical_key);
            assert!(!(keys.modifiers == CTRL && edits), "{}", about.id);
        }
    }

    #[test]
    fn more_modifiers_are_asked_first() {
        let place = |c: Command| by_keys().iter().position(|(_, x)| *x == c);
        assert!(place(Command::OpenFolder) < place(Command::OpenFiles));
        assert!(place(Command::GoPhotos) < place(Command::Zoom100));
        assert!(place(Command::MoveLater) < place(Command::Next));
        assert!(place(Command::InterfaceNormal) < place(Command::ZoomFit));
    }

    #[test]
    fn names_are_in_sentence_case() {
        for about in ALL {
            let mut letters = about.name.chars();
            assert!(letters.next().is_some_and(|c| !c.is_lowercase()));
            assert!(!letters.any(char::is_uppercase), "{}", about.name);
            assert!(!about.name.contains("..."));
        }
    }
}
