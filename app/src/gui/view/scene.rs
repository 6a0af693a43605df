//! What a view shows, and how.

use super::paint::Over;
use super::picture_view::PictureView;
use super::readout::Under;

/// How before and after are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Before to the left of a divider, after to the right.
    #[default]
    Split,
    /// Both whole, with one zoom and place.
    SideBySide,
    /// After, and before while a key is held.
    Flip,
    /// How far they differ, as a heat map.
    Difference,
}

impl Mode {
    /// Every mode, in the order of the bar.
    pub const ALL: [Self; 4] = [Self::Split, Self::SideBySide, Self::Flip, Self::Difference];

    /// The mode's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Split => "Split",
            Self::SideBySide => "Side by side",
            Self::Flip => "Flip",
            Self::Difference => "Difference",
        }
    }
}

/// Which samples are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The picture in colour.
    #[default]
    All,
    /// Red, as grey.
    Red,
    /// Green, as grey.
    Green,
    /// Blue, as grey.
    Blue,
}

impl Channel {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::All, Self::Red, Self::Green, Self::Blue];

    /// The choice's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "All channels",
            Self::Red => "Red",
            Self::Green => "Green",
            Self::Blue => "Blue",
        }
    }
}

/// A result for part of a picture, shown before the whole is restored.
#[derive(Clone, Copy)]
pub struct Preview<'a> {
    /// The part's pixels; larger than the part after super-resolution.
    pub view: &'a PictureView,
    /// Left, top, right and bottom of the part in pixels of the first picture.
    pub place: [usize; 4],
}

/// What is shown.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The original.
    pub before: &'a PictureView,
    /// The result, if there is one: of the original's size or larger.
    pub after: Option<&'a PictureView>,
    /// A newer result for a part, over both.
    pub preview: Option<Preview<'a>>,
    /// Share of the result, 0 to 1: 0 is the original.
    pub strength: f32,
    /// What the two are called.
    pub names: [&'a str; 2],
}

impl<'a> Scene<'a> {
    /// A picture without a result.
    pub fn new(before: &'a PictureView) -> Self {
        Self {
            before,
            after: None,
            preview: None,
            strength: 1.0,
            names: ["Before", "After"],
        }
    }

    /// The results over the original, each at `strength`.
    pub(super) fn over(&self, strength: f32) -> Vec<Over<'a>> {
        let [width, height] = self.before.size();
        let after = self.after.map(|view| Over {
            view,
            place: [0.0, 0.0, width, height],
            share: strength,
        });
        let preview = self.preview.map(|preview| Over {
            view: preview.view,
            place: preview.place.map(|v| v as f64),
            share: strength,
        });
        after.into_iter().chain(preview).collect()
    }

    /// Whether there is anything to compare with.
    pub(super) fn has_result(&self) -> bool {
        self.after.is_some() || self.preview.is_some()
    }

    /// Whether everything in view is there at its full sharpness.
    pub fn is_settled(&self) -> bool {
        self.before.is_settled()
            && self.after.is_none_or(PictureView::is_settled)
            && self.preview.is_none_or(|p| p.view.is_settled())
    }
}

/// What a frame showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Left, top, right and bottom of what is visible, in pixels of the original; all equal when
    /// nothing is.
    pub region: [usize; 4],
    /// Screen pixels a pixel of the original.
    pub zoom: f64,
    /// The pixels under the pointer.
    pub under: Option<Under>,
}
