//! The look of the window: fonts and visuals made of the design tokens.

use std::sync::Arc;

use egui::epaint::Shadow;
use egui::style::{Selection, WidgetVisuals, Widgets};
use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Stroke,
    Style, TextStyle, Theme, ThemePreference, Visuals, vec2,
};
use serde::{Deserialize, Serialize};

use super::tokens::{self, Palette, size, space, text};

/// Which theme the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ThemeChoice {
    /// As the desktop has it.
    #[default]
    System,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

impl ThemeChoice {
    /// All of them with their names.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::System, "System"),
        (Self::Dark, "Dark"),
        (Self::Light, "Light"),
    ];

    /// Puts it in force.
    pub fn apply(self, ctx: &Context) {
        ctx.set_theme(match self {
            Self::System => ThemePreference::System,
            Self::Dark => ThemePreference::Dark,
            Self::Light => ThemePreference::Light,
        });
    }
}

/// The family of titles and of the main action.
pub fn strong_family() -> FontFamily {
    FontFamily::Name("strong".into())
}

/// The strong font at `points`.
pub fn strong(points: f32) -> FontId {
    FontId::new(points, strong_family())
}

/// Installs fonts and both themes.
pub fn install(ctx: &Context) {
    ctx.set_fonts(fonts());
    for (theme, palette) in [(Theme::Dark, &tokens::DARK), (Theme::Light, &tokens::LIGHT)] {
        ctx.style_mut_of(theme, |style| apply(style, theme, palette));
    }
    // The window has commands of its own for this, which are remembered.
    ctx.options_mut(|o| o.zoom_with_keyboard = false);
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let files: [(&str, &'static [u8]); 2] = [
        (
            "Inter",
            include_bytes!("../../../assets/fonts/Inter-Regular.otf"),
        ),
        (
            "Inter SemiBold",
            include_bytes!("../../../assets/fonts/Inter-SemiBold.otf"),
        ),
    ];
    for (name, bytes) in files {
        let data = Arc::new(FontData::from_static(bytes));
        fonts.font_data.insert(name.to_owned(), data);
    }
    let regular = fonts.families.entry(FontFamily::Proportional).or_default();
    // What Inter lacks, such as emoji in file names, comes from the fonts behind it.
    let behind = regular.clone();
    regular.insert(0, "Inter".to_owned());
    let strong = std::iter::once("Inter SemiBold".to_owned()).chain(behind);
    fonts.families.insert(strong_family(), strong.collect());
    fonts
}

fn apply(style: &mut Style, theme: Theme, p: &Palette) {
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(text::SMALL)),
        (TextStyle::Body, FontId::proportional(text::BODY)),
        (TextStyle::Button, FontId::proportional(text::BODY)),
        (TextStyle::Heading, strong(text::TITLE)),
        (TextStyle::Monospace, FontId::monospace(text::SMALL)),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(space::NEAR, space::NEAR);
    spacing.button_padding = vec2(12.0, 5.0);
    spacing.interact_size = vec2(size::CONTROL, size::CONTROL);
    spacing.menu_margin = Margin::same(6);
    spacing.window_margin = Margin::same(space::WIDE as i8);
    spacing.icon_width = 17.0;
    spacing.icon_width_inner = 9.0;
    spacing.icon_spacing = 8.0;
    // What explains a choice stands below its name.
    spacing.indent = 25.0;
    spacing.slider_rail_height = 4.0;
    spacing.tooltip_width = 320.0;
    spacing.combo_height = 420.0;
    style.visuals = visuals(theme, p);
    style.animation_time = 0.1;
}

fn visuals(theme: Theme, p: &Palette) -> Visuals {
    let base = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    let shadow = Shadow {
        offset: [0, 6],
        blur: 20,
        spread: 0,
        color: Color32::from_black_alpha(if base.dark_mode { 110 } else { 40 }),
    };
    Visuals {
        widgets: widgets(p),
        selection: Selection {
            bg_fill: p.selected,
            stroke: Stroke::new(1.0, p.text),
        },
        weak_text_color: Some(p.weak),
        hyperlink_color: p.accent,
        faint_bg_color: p.raised,
        extreme_bg_color: p.control,
        code_bg_color: p.control,
        warn_fg_color: p.warning,
        error_fg_color: p.danger,
        window_corner_radius: CornerRadius::same(size::RADIUS_LARGE),
        window_shadow: shadow,
        window_fill: p.raised,
        window_stroke: Stroke::new(1.0, p.line),
        menu_corner_radius: CornerRadius::same(size::RADIUS_LARGE),
        panel_fill: p.panel,
        popup_shadow: shadow,
        indent_has_left_vline: false,
        slider_trailing_fill: true,
        handle_shape: egui::style::HandleShape::Circle,
        ..base
    }
}

fn widgets(p: &Palette) -> Widgets {
    let widget = |fill: Color32, stroke: Stroke, ink: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: stroke,
        corner_radius: CornerRadius::same(size::RADIUS),
        fg_stroke: Stroke::new(1.0, ink),
        expansion: 0.0,
    };
    let focus = Stroke::new(1.5, p.accent);
    Widgets {
        noninteractive: widget(p.panel, Stroke::new(1.0, p.line), p.text),
        inactive: widget(p.control, Stroke::NONE, p.text),
        hovered: widget(p.hover, Stroke::NONE, p.text),
        // Focused by the keyboard as well: it must be seen where one is.
        active: widget(p.pressed, focus, p.text),
        open: widget(p.hover, Stroke::NONE, p.text),
    }
}
