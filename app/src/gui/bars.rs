//! The bar at the top and the line at the bottom.

use egui::{Align, Layout, RichText, Ui, vec2};

use super::command::Command;
use super::theme::strong;
use super::tokens::{palette, size, space, text};
use super::widgets;
use super::window::{Page, Window};
use super::words;

impl Window {
    /// A button for a command: enabled when it makes sense, its keys as a tooltip.
    pub(super) fn button(&mut self, ui: &mut Ui, command: Command) -> egui::Response {
        let response = widgets::secondary(ui, self.can(command), command.name(), 0.0);
        self.finish_button(response, command)
    }

    /// As [`Window::button`], for the main action of a place.
    pub(super) fn primary(
        &mut self,
        ui: &mut Ui,
        command: Command,
        label: &str,
        width: f32,
    ) -> egui::Response {
        let response = widgets::primary(ui, self.can(command), label, width);
        self.finish_button(response, command)
    }

    fn finish_button(&mut self, response: egui::Response, command: Command) -> egui::Response {
        if response.clicked() {
            self.run(command);
        }
        match command.keys(&self.ctx) {
            Some(keys) => response.on_hover_text(keys),
            None => response,
        }
    }

    pub(super) fn top_bar(&mut self, ui: &mut Ui) {
        ui.horizontal_centered(|ui| {
            self.button(ui, Command::OpenFiles);
            ui.add_space(space::NEAR);
            let pages = [Page::Photos, Page::Compare, Page::Batch];
            let commands = [Command::GoPhotos, Command::GoCompare, Command::GoBatch];
            let all: Vec<(Page, &str)> = pages
                .iter()
                .zip(commands)
                .map(|(p, c)| (*p, c.name()))
                .collect();
            if let Some(page) = widgets::segmented(ui, self.page, &all) {
                self.page = page;
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let settings = ui.selectable_label(self.page == Page::Settings, "Settings");
                self.finish_button(settings, Command::GoSettings);
                let label = format!(
                    "{}   {}",
                    Command::Palette.name(),
                    Command::Palette.keys(&self.ctx).unwrap_or_default()
                );
                let weak = palette(ui).weak;
                if ui.button(RichText::new(label).color(weak)).clicked() {
                    self.run(Command::Palette);
                }
            });
        });
    }

    pub(super) fn status_bar(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.spacing_mut().interact_size.y = 20.0;
            let small = |t: &str| RichText::new(t).size(text::SMALL);
            let weak = palette(ui).weak;
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let batch = self.batch.run.as_ref().filter(|_| self.page == Page::Batch);
                let device = batch
                    .and_then(|run| run.seen().device.clone())
                    .or_else(|| self.device_name.clone())
                    .unwrap_or_else(|| "Device opens with the first restoration".to_owned());
                ui.label(small(&device).color(weak));
                if let Some((fraction, left)) = self.worker.total() {
                    ui.separator();
                    let left =
                        left.map_or_else(String::new, |l| format!(", {}", words::time_left(l)));
                    ui.label(small(&format!("{:.0} %{left}", fraction * 100.0)));
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    widgets::truncated(ui, small(&self.notices.line));
                });
            });
        });
    }

    /// The bar over the picture: what it is, how it is looked at.
    pub(super) fn view_bar(&mut self, ui: &mut Ui) {
        let row = vec2(ui.available_width(), size::CONTROL + 4.0);
        ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
            self.view_controls(ui);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let Some(entry) = self.queue.current() else {
                    return;
                };
                let name = RichText::new(&entry.name).font(strong(text::BODY));
                let room = ui.available_width();
                widgets::truncated(ui, name);
                if let Some(size) = entry.size.filter(|_| room > 240.0) {
                    widgets::explain(ui, words::size(size));
                }
            });
        });
    }
}
