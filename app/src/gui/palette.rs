//! The palette: every command found by a few letters of its name.

use egui::{Align2, Id, Key, Modal, Modifiers, RichText, ScrollArea, TextEdit, Ui, vec2};

use super::command::{self, About, Command};
use super::tokens::{palette, size, space, text};
use super::window::Window;

/// What is being looked for.
#[derive(Debug, Default)]
pub struct Search {
    text: String,
    chosen: usize,
}

/// How well `name` answers to `text`: every word begins a word of the name (0), stands somewhere
/// in it (1), or its letters come in order (2).
fn rank(name: &str, text: &str) -> Option<usize> {
    let (name, text) = (name.to_lowercase(), text.trim().to_lowercase());
    let begins = |word: &str| name.split(' ').any(|w| w.starts_with(word));
    if text.split_whitespace().all(begins) {
        return Some(0);
    }
    if text.split_whitespace().all(|w| name.contains(w)) {
        return Some(1);
    }
    let mut letters = name.chars();
    let in_order = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .all(|c| letters.any(|l| l == c));
    in_order.then_some(2)
}

fn matches(text: &str) -> Vec<&'static About> {
    let mut found: Vec<(usize, &About)> = command::ALL
        .iter()
        .filter(|a| a.command != Command::Palette)
        .filter_map(|a| rank(a.name, text).map(|r| (r, a)))
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, a)| a).collect()
}

impl Window {
    pub(super) fn toggle_search(&mut self) {
        self.search = match self.search {
            Some(_) => None,
            None => Some(Search::default()),
        };
    }

    pub(super) fn show_search(&mut self) {
        let Some(mut search) = self.search.take() else {
            return;
        };
        let ctx = self.ctx.clone();
        let area =
            Modal::default_area(Id::unique("palette")).anchor(Align2::CENTER_TOP, vec2(0.0, 90.0));
        let modal = Modal::new(Id::unique("palette"))
            .area(area)
            .backdrop_color(super::tokens::of(ctx.theme() == egui::Theme::Dark).shade)
            .show(&ctx, |ui| self.search_box(ui, &mut search));
        match modal.inner {
            Some(command) => self.run(command),
            None if modal.should_close() => {}
            None => self.search = Some(search),
        }
    }

    /// The field and what it finds. Returns the command chosen.
    fn search_box(&self, ui: &mut Ui, search: &mut Search) -> Option<Command> {
        ui.set_width(460.0);
        let step = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        let (up, down, enter) = (step(Key::ArrowUp), step(Key::ArrowDown), step(Key::Enter));
        let field = TextEdit::singleline(&mut search.text)
            .hint_text("What do you want to do?")
            .desired_width(f32::INFINITY)
            .margin(vec2(10.0, 8.0));
        let response = ui.add(field);
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Name of a command")
        });
        response.request_focus();
        if response.changed() {
            search.chosen = 0;
        }
        let found = matches(&search.text);
        let last = found.len().saturating_sub(1);
        let move_by = isize::from(down) - isize::from(up);
        search.chosen = search.chosen.saturating_add_signed(move_by).min(last);
        ui.add_space(space::TIGHT);
        let mut run = None;
        ScrollArea::vertical().max_height(380.0).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            for (i, about) in found.iter().enumerate() {
                let on = i == search.chosen;
                let able = self.can(about.command);
                let mut button = egui::Button::selectable(on, about.name)
                    .min_size(vec2(ui.available_width(), size::CONTROL));
                let keys = about.command.keys(&self.ctx).unwrap_or_default();
                let weak = palette(ui).weak;
                button = button.right_text(RichText::new(keys).size(text::SMALL).color(weak));
                let row = ui.add_enabled(able, button);
                if on && move_by != 0 {
                    row.scroll_to_me(None);
                }
                if row.clicked() || (on && enter && able) {
                    run = Some(about.command);
                }
            }
            if found.is_empty() {
                super::widgets::explain(ui, "There is no such command");
            }
        });
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_letters_find_a_command() {
        let first = |text: &str| matches(text).first().map(|a| a.command);
        assert_eq!(first("difference"), Some(Command::ViewDifference));
        assert_eq!(first("sav as"), Some(Command::Save));
        assert_eq!(first("cpdg"), Some(Command::CopyDiagnostics));
        assert_eq!(first("zzzz"), None);
        assert_eq!(matches("").len(), command::ALL.len() - 1);
    }
}
