//! What the user should know: one line at the bottom, or a card that stays until dismissed.

use egui::{CornerRadius, Frame, Margin, RichText, Stroke, Ui, vec2};

use super::tokens::{palette, size};
use super::widgets;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Went well, or goes on otherwise than asked.
    Plain,
    /// Should be known.
    Warning,
    /// Did not work.
    Problem,
}

/// A card at the top of the page.
#[derive(Clone, Debug)]
pub struct Notice {
    weight: Weight,
    text: String,
}

/// Cards kept; older ones go.
const MOST: usize = 3;

/// What is being told.
#[derive(Debug, Default)]
pub struct Notices {
    cards: Vec<Notice>,
    /// The line at the bottom.
    pub line: String,
}

impl Notices {
    /// One line at the bottom, until the next.
    pub fn say(&mut self, text: impl Into<String>) {
        self.line = text.into();
    }

    /// A card; the same text is told once.
    pub fn tell(&mut self, weight: Weight, text: impl Into<String>) {
        let text = text.into();
        self.cards.retain(|c| c.text != text);
        self.cards.push(Notice { weight, text });
        if self.cards.len() > MOST {
            self.cards.remove(0);
        }
    }

    /// Something did not work.
    pub fn problem(&mut self, text: impl Into<String>) {
        self.tell(Weight::Problem, text);
    }

    /// Whether any card is shown.
    pub fn any(&self) -> bool {
        !self.cards.is_empty()
    }

    /// Draws the cards.
    pub fn show(&mut self, ui: &mut Ui) {
        let p = palette(ui);
        ui.spacing_mut().item_spacing.y = super::tokens::space::TIGHT;
        let mut gone = None;
        for (i, card) in self.cards.iter().enumerate().rev() {
            let ink = match card.weight {
                Weight::Plain => p.success,
                Weight::Warning => p.warning,
                Weight::Problem => p.danger,
            };
            Frame::new()
                .fill(p.raised)
                .stroke(Stroke::new(1.0, ink.gamma_multiply(0.6)))
                .corner_radius(CornerRadius::same(size::RADIUS))
                .inner_margin(Margin::symmetric(10, 4))
                .show(ui, |ui| {
                    ui.horizontal(|ui| {
                        let room = ui.available_width() - 34.0;
                        let text = egui::Label::new(RichText::new(&card.text).color(ink));
                        ui.allocate_ui(vec2(room, 0.0), |ui| {
                            ui.set_width(room);
                            ui.add(text.wrap());
                        });
                        if widgets::close(ui, "Dismiss").clicked() {
                            gone = Some(i);
                        }
                    });
                });
        }
        if let Some(i) = gone {
            self.cards.remove(i);
        }
    }
}
