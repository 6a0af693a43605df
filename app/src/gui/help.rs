//! Help: every command with its keys, and how the picture is handled.

use egui::{Frame, Grid, Id, Margin, Modal, RichText, ScrollArea, Ui};

use super::command::{self, Group};
use super::theme::strong;
use super::tokens::{palette, space, text};
use super::widgets;
use super::window::Window;

/// What the pointer does.
const POINTER: [(&str, &str); 5] = [
    ("Compare before and after", "drag the divider"),
    ("Zoom to the pointer", "scroll"),
    ("Move the picture", "drag it"),
    ("See the original", "hold \\"),
    ("Between fit and 100 %", "double-click"),
];

impl Window {
    pub(super) fn show_help(&mut self) {
        if !self.help {
            return;
        }
        let ctx = self.ctx.clone();
        let shade = super::tokens::of(ctx.theme() == egui::Theme::Dark).shade;
        let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(22));
        let modal = Modal::new(Id::unique("help"))
            .frame(frame)
            .backdrop_color(shade);
        let modal = modal.show(&ctx, |ui| self.help_text(ui));
        if modal.inner || modal.should_close() {
            self.help = false;
        }
    }

    /// Returns whether it is to be closed.
    fn help_text(&self, ui: &mut Ui) -> bool {
        ui.set_width(520.0);
        let height = ui.ctx().content_rect().height();
        ui.label(RichText::new("Help").font(strong(text::DISPLAY)));
        let rule =
            "Drop photos on the window, press Restore, look, save. Originals are never changed.";
        widgets::explain(ui, rule);
        ui.add_space(space::NEAR);
        ScrollArea::vertical()
            .max_height(height - 220.0)
            .show(ui, |ui| {
                ui.set_width(ui.available_width());
                group(
                    ui,
                    "Pointer",
                    POINTER.iter().map(|(a, b)| (*a, (*b).to_owned())),
                );
                for of in Group::ALL {
                    let commands = command::ALL.iter().filter(|a| a.group == of);
                    let keys = |a: &command::About| a.command.keys(&self.ctx).unwrap_or_default();
                    group(ui, of.title(), commands.map(|a| (a.name, keys(a))));
                }
            });
        ui.add_space(space::NEAR);
        ui.button("Close").clicked()
    }
}

fn group<'a>(ui: &mut Ui, title: &str, rows: impl Iterator<Item = (&'a str, String)>) {
    ui.add_space(space::NEAR);
    widgets::title(ui, title);
    Grid::new(title)
        .num_columns(2)
        .min_col_width(250.0)
        .spacing([space::NEAR, 0.0])
        .show(ui, |ui| {
            ui.spacing_mut().interact_size.y = 24.0;
            for (name, keys) in rows {
                ui.label(name);
                ui.label(RichText::new(keys).color(palette(ui).weak));
                ui.end_row();
            }
        });
}
