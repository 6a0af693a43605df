//! The pixels under the pointer, in the files' own numbers.

use egui::{Align2, Rect, Ui};
use serpent_engine::image::{BitDepth, Picture};

use super::overlay::{MARGIN, plate};
use super::scene::Scene;

/// A pixel's samples as the file holds them: 0 to 255 or 0 to 65535, one or three, then opacity
/// if there is any.
pub type Samples = Vec<u32>;

/// What lies under the pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Under {
    /// Column and row in the original.
    pub at: [usize; 2],
    /// The original's pixel.
    pub before: Samples,
    /// The result's pixel at the same place, at full strength.
    pub after: Option<Samples>,
}

/// What lies at a place of the original; `None` outside of it.
pub(super) fn under(scene: &Scene<'_>, at: [f64; 2]) -> Option<Under> {
    let size = scene.before.size();
    if (0..2).any(|i| at[i] < 0.0 || at[i] >= size[i]) {
        return None;
    }
    let preview = scene.preview.and_then(|preview| {
        let [left, top, right, bottom] = preview.place.map(|v| v as f64);
        let within = [
            (at[0] - left) / (right - left),
            (at[1] - top) / (bottom - top),
        ];
        sample(preview.view.picture(), within)
    });
    let fraction = [at[0] / size[0], at[1] / size[1]];
    let after = || sample(scene.after?.picture(), fraction);
    Some(Under {
        at: at.map(|v| v as usize),
        before: sample(scene.before.picture(), fraction)?,
        after: preview.or_else(after),
    })
}

/// The pixel at a fraction of the picture's sides.
fn sample(picture: &Picture, at: [f64; 2]) -> Option<Samples> {
    if at.iter().any(|v| !(0.0..1.0).contains(v)) {
        return None;
    }
    let x = (at[0] * picture.width() as f64) as usize;
    let y = (at[1] * picture.height() as f64) as usize;
    let index = y * picture.width() + x;
    let channels = picture.colour().channels();
    let peak = match picture.depth() {
        BitDepth::Eight => 255.0,
        BitDepth::Sixteen => 65535.0,
        // In thousandths of white, and beyond.
        BitDepth::Float => 1000.0,
    };
    let most = if peak == 1000.0 { f32::MAX } else { 1.0 };
    // The cast cuts off at both ends.
    let number = |v: f32| (v.min(most) * peak).round() as u32;
    let colours = picture
        .samples()
        .get(index * channels..(index + 1) * channels)?;
    let alpha = picture.alpha().and_then(|a| a.get(index));
    Some(colours.iter().chain(alpha).map(|&v| number(v)).collect())
}

/// Shows it at the bottom left of the view.
pub(super) fn show(ui: &mut Ui, view: Rect, under: &Under, names: [&str; 2]) {
    let mut text = format!(
        "{}, {}   {} {}",
        under.at[0],
        under.at[1],
        names[0],
        list(&under.before)
    );
    if let Some(after) = &under.after {
        text.push_str(&format!("   {} {}", names[1], list(after)));
    }
    let corner = view.left_bottom() + egui::vec2(MARGIN, -MARGIN);
    plate(ui, corner, Align2::LEFT_BOTTOM, &text, true);
}

fn list(samples: &Samples) -> String {
    let width = if samples.iter().any(|&s| s > 255) {
        5
    } else {
        3
    };
    let numbers: Vec<String> = samples.iter().map(|s| format!("{s:>width$}")).collect();
    numbers.join(" ")
}
