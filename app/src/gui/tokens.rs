//! Design tokens: every colour, distance and text size of the window, once.

use egui::Color32;

/// Distances in points.
pub mod space {
    /// Between things that belong together.
    pub const TIGHT: f32 = 4.0;
    /// Between neighbours.
    pub const NEAR: f32 = 8.0;
    /// Around groups.
    pub const WIDE: f32 = 16.0;
    /// Between groups that have nothing to do with each other.
    pub const FAR: f32 = 24.0;
}

/// Sizes in points.
pub mod size {
    /// Height of buttons, fields and rows.
    pub const CONTROL: f32 = 30.0;
    /// Height of the bar at the top.
    pub const TOP_BAR: f32 = 52.0;
    /// Width of the panel at the right.
    pub const SIDE_PANEL: f32 = 300.0;
    /// Corner radius of controls.
    pub const RADIUS: u8 = 6;
    /// Corner radius of cards and windows.
    pub const RADIUS_LARGE: u8 = 10;
    /// Widest column of a page that is read.
    pub const PAGE: f32 = 760.0;
    /// A thumbnail's picture.
    pub const THUMBNAIL: [f32; 2] = [104.0, 70.0];
}

/// Text sizes in points.
pub mod text {
    /// Captions and details.
    pub const SMALL: f32 = 12.0;
    /// Everything else.
    pub const BODY: f32 = 13.5;
    /// Titles of groups.
    pub const TITLE: f32 = 15.0;
    /// The one line of an empty page.
    pub const DISPLAY: f32 = 24.0;
}

/// The colours of one theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Bars and panels.
    pub panel: Color32,
    /// Cards and fields on a panel.
    pub raised: Color32,
    /// A control at rest.
    pub control: Color32,
    /// A control under the pointer.
    pub hover: Color32,
    /// A control held down.
    pub pressed: Color32,
    /// Lines between areas.
    pub line: Color32,
    /// What is read.
    pub text: Color32,
    /// What explains.
    pub weak: Color32,
    /// The one accent: the main action, the selection, progress.
    pub accent: Color32,
    /// The accent under the pointer.
    pub accent_hover: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// Background of what is selected.
    pub selected: Color32,
    /// Failures.
    pub danger: Color32,
    /// What should be known.
    pub warning: Color32,
    /// What went well.
    pub success: Color32,
    /// Behind pictures: neutral, since colour around a picture changes how it looks.
    pub backdrop: Color32,
    /// Behind dialogs.
    pub shade: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// The dark theme.
pub const DARK: Palette = Palette {
    panel: rgb(0x1d1f21),
    raised: rgb(0x26292c),
    control: rgb(0x303438),
    hover: rgb(0x3a3f44),
    pressed: rgb(0x2a2d31),
    line: rgb(0x33373b),
    text: rgb(0xe6e8ea),
    weak: rgb(0x9ba2a9),
    accent: rgb(0x2fa27c),
    accent_hover: rgb(0x39b48b),
    on_accent: rgb(0x06150f),
    selected: rgb(0x24443a),
    danger: rgb(0xf0716a),
    warning: rgb(0xe3b341),
    success: rgb(0x57c59a),
    backdrop: rgb(0x161616),
    shade: Color32::from_black_alpha(140),
};

/// The light theme.
pub const LIGHT: Palette = Palette {
    panel: rgb(0xf6f7f7),
    raised: rgb(0xffffff),
    control: rgb(0xe7e9ea),
    hover: rgb(0xdcdfe1),
    pressed: rgb(0xd0d4d7),
    line: rgb(0xd9dcde),
    text: rgb(0x1c2023),
    weak: rgb(0x5d656c),
    accent: rgb(0x12795a),
    accent_hover: rgb(0x0e6a4e),
    on_accent: rgb(0xffffff),
    selected: rgb(0xcfe8de),
    danger: rgb(0xb3261e),
    warning: rgb(0x8a5d00),
    success: rgb(0x12795a),
    backdrop: rgb(0xc8c8c8),
    shade: Color32::from_black_alpha(80),
};

/// The colours of the theme in force.
pub fn palette(ui: &egui::Ui) -> &'static Palette {
    of(ui.visuals().dark_mode)
}

/// The colours of the dark or the light theme.
pub fn of(dark: bool) -> &'static Palette {
    if dark { &DARK } else { &LIGHT }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast as WCAG 2 defines it.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let luminance = |c: Color32| {
            let [r, g, b, _] = egui::Rgba::from(c).to_array();
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn text_is_readable_everywhere() {
        for p in [DARK, LIGHT] {
            for ground in [p.panel, p.raised, p.control, p.hover, p.selected] {
                assert!(contrast(p.text, ground) >= 7.0, "{ground:?}");
            }
            for ground in [p.panel, p.raised] {
                for ink in [p.weak, p.danger, p.warning, p.success] {
                    assert!(contrast(ink, ground) >= 4.5, "{ink:?} on {ground:?}");
                }
            }
            assert!(contrast(p.on_accent, p.accent) >= 4.5);
            assert!(contrast(p.on_accent, p.accent_hover) >= 4.5);
            assert_eq!(p.backdrop.r(), p.backdrop.g());
            assert_eq!(p.backdrop.g(), p.backdrop.b());
        }
    }
}
