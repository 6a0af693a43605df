//! The film strip: every picture of the list with its name and state.

use egui::{
    Align2, Color32, CornerRadius, FontId, Painter, Rect, Response, ScrollArea, Sense, Stroke,
    StrokeKind, Ui, pos2, vec2,
};

use super::command::Command;
use super::queue::{Entry, Select, State};
use super::tokens::{Palette, palette, size, text};
use super::window::Window;
use super::words;

const CELL: egui::Vec2 = vec2(120.0, 110.0);
const GAP: f32 = 6.0;

impl Window {
    pub(super) fn strip(&mut self, ui: &mut Ui) {
        let count = self.queue.entries().len();
        let mut clicked: Option<(u64, Select)> = None;
        let mut moved: Option<(u64, usize)> = None;
        let mut command = None;
        let current = self.queue.current_id();
        ScrollArea::horizontal()
            .auto_shrink([false, true])
            .show_viewport(ui, |ui, view| {
                let pitch = CELL.x + GAP;
                let (ground, _) =
                    ui.allocate_exact_size(vec2(pitch * count as f32, CELL.y), Sense::hover());
                // Only what is in sight is drawn, and only for that are thumbnails made.
                let first = (view.left() / pitch).floor().max(0.0) as usize;
                let last = ((view.right() / pitch).ceil().max(0.0) as usize).min(count);
                for place in first..last {
                    let left = ground.left() + pitch * place as f32;
                    let rect = Rect::from_min_size(pos2(left, ground.top()), CELL);
                    let entry = &self.queue.entries()[place];
                    let id = entry.id;
                    let response =
                        ui.interact(rect, ui.scope_id().with(id), Sense::click_and_drag());
                    let thumb = self
                        .thumbs
                        .get(id, || Self::thumb_source(entry))
                        .map(|t| (t.id(), t.size_vec2()));
                    let look = Look {
                        selected: self.queue.is_selected(id),
                        current: current == Some(id),
                    };
                    draw(ui, &response, entry, thumb, look);
                    if response.clicked() {
                        let how = ui.input(|i| match (i.modifiers.command, i.modifiers.shift) {
                            (true, _) => Select::Toggle,
                            (_, true) => Select::Range,
                            _ => Select::One,
                        });
                        clicked = Some((id, how));
                    }
                    if let Some(dropped) = reorder(ui, &response, place) {
                        moved = Some(dropped);
                    }
                    if response.secondary_clicked() && !self.queue.is_selected(id) {
                        clicked = Some((id, Select::One));
                    }
                    response.context_menu(|ui| command = self.strip_menu(ui).or(command));
                    if current == Some(id) && self.on_screen != Some(id) {
                        ui.scroll_to_rect(rect, None);
                    }
                }
            });
        if let Some((id, how)) = clicked {
            self.queue.select(id, how);
        }
        if let Some((id, place)) = moved {
            self.queue.move_to(id, place);
        }
        if let Some(command) = command {
            self.run(command);
        }
    }

    fn strip_menu(&self, ui: &mut Ui) -> Option<Command> {
        let mut chosen = None;
        let commands = [
            Command::Restore,
            Command::RestoreAll,
            Command::Save,
            Command::SaveAll,
            Command::MoveEarlier,
            Command::MoveLater,
            Command::SelectAll,
            Command::RemoveSelected,
        ];
        for command in commands {
            let mut button = egui::Button::new(command.name());
            if let Some(keys) = command.keys(&self.ctx) {
                button = button.shortcut_text(keys);
            }
            if ui.add_enabled(self.can(command), button).clicked() {
                chosen = Some(command);
                ui.close();
            }
        }
        chosen
    }
}

/// A drag that ends over another cell puts the picture there.
fn reorder(ui: &Ui, response: &Response, place: usize) -> Option<(u64, usize)> {
    let p = palette(ui);
    let after = |at: egui::Pos2| usize::from(at.x > response.rect.center().x);
    if response.dnd_hover_payload::<u64>().is_some()
        && let Some(at) = ui.input(|i| i.pointer.interact_pos())
    {
        let x = match after(at) {
            0 => response.rect.left() - GAP / 2.0,
            _ => response.rect.right() + GAP / 2.0,
        };
        ui.painter()
            .vline(x, response.rect.y_range(), Stroke::new(2.0, p.accent));
    }
    let dropped = response.dnd_release_payload::<u64>()?;
    let at = ui.input(|i| i.pointer.interact_pos())?;
    Some((*dropped, place + after(at)))
}

struct Look {
    selected: bool,
    current: bool,
}

fn draw(
    ui: &Ui,
    response: &Response,
    entry: &Entry,
    thumb: Option<(egui::TextureId, egui::Vec2)>,
    look: Look,
) {
    let p = palette(ui);
    response.dnd_set_drag_payload(entry.id);
    let label = format!("{}, {}", entry.name, entry.state.word());
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::Button, true, look.selected, &label)
    });
    let rect = response.rect;
    let round = CornerRadius::same(size::RADIUS);
    let fill = match (look.selected, response.hovered()) {
        (true, _) => p.selected,
        (false, true) => p.hover,
        (false, false) => Color32::TRANSPARENT,
    };
    let painter = ui.painter();
    painter.rect_filled(rect, round, fill);
    if look.current || response.has_focus() {
        let line = Stroke::new(1.5, p.accent);
        painter.rect_stroke(rect, round, line, StrokeKind::Inside);
    }
    let [w, h] = size::THUMBNAIL;
    let room = Rect::from_min_size(rect.min + vec2((CELL.x - w) / 2.0, 8.0), vec2(w, h));
    match thumb {
        Some((texture, pixels)) => {
            let scale = (room.size() / pixels).min_elem().min(1.0);
            let shown = Rect::from_center_size(room.center(), pixels * scale);
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            painter.image(texture, shown, whole, Color32::WHITE);
        }
        None => {
            painter.rect_filled(room, CornerRadius::same(4), p.control);
        }
    }
    badge(painter, room, &entry.state, p);
    let font = FontId::proportional(text::SMALL);
    let name = painter.layout_job({
        let mut job = egui::text::LayoutJob::simple_singleline(entry.name.clone(), font, p.text);
        job.wrap = egui::text::TextWrapping::truncate_at_width(CELL.x - 14.0);
        job
    });
    let left = rect.center().x - name.size().x / 2.0;
    painter.galley(pos2(left, room.bottom() + 6.0), name, p.text);
    response.clone().on_hover_ui(|ui| {
        ui.label(&entry.name);
        let mut facts = Vec::new();
        facts.extend(entry.size.map(words::size));
        facts.extend(entry.bytes.map(words::bytes));
        facts.push(entry.state.word().to_owned());
        ui.label(egui::RichText::new(facts.join(" · ")).color(p.weak));
        if let State::Failed(reason) = &entry.state {
            ui.label(egui::RichText::new(reason).color(p.danger));
        }
    });
}

/// The state, in a corner of the thumbnail.
fn badge(painter: &Painter, room: Rect, state: &State, p: &Palette) {
    let at = room.right_bottom() + vec2(-11.0, -11.0);
    let disc = |colour| painter.circle(at, 8.5, colour, Stroke::new(1.5, p.panel));
    let line = Stroke::new(1.8, p.on_accent);
    match state {
        State::Ready => {}
        State::Waiting => {
            disc(p.control);
            for dx in [-3.5, 0.0, 3.5] {
                painter.circle_filled(at + vec2(dx, 0.0), 1.2, p.text);
            }
        }
        State::Restoring(fraction) => {
            let rail = Rect::from_min_max(
                pos2(room.left() + 4.0, room.bottom() - 8.0),
                pos2(room.right() - 4.0, room.bottom() - 4.0),
            );
            painter.rect_filled(rail.expand(1.0), CornerRadius::same(3), p.panel);
            let mut done = rail;
            done.set_width(rail.width() * fraction);
            painter.rect_filled(done, CornerRadius::same(2), p.accent);
        }
        State::Restored | State::Saved => {
            disc(p.accent);
            let tick = [vec2(-3.6, 0.2), vec2(-1.0, 2.8), vec2(3.6, -2.6)];
            let points = tick.iter().map(|&d| at + d).collect();
            painter.add(egui::Shape::line(points, line));
            if *state == State::Saved {
                let font = FontId::proportional(text::SMALL - 1.0);
                let place = pos2(at.x - 13.0, at.y);
                let saved = painter.layout_no_wrap("saved".into(), font, p.text);
                let ground = Align2::RIGHT_CENTER.anchor_size(place, saved.size());
                let round = CornerRadius::same(3);
                painter.rect_filled(ground.expand(2.0), round, p.panel);
                painter.galley(ground.min, saved, p.text);
            }
        }
        State::Failed(_) => {
            disc(p.danger);
            painter.line_segment([at + vec2(0.0, -4.0), at + vec2(0.0, 1.2)], line);
            painter.circle_filled(at + vec2(0.0, 4.2), 1.2, p.on_accent);
        }
    }
}
