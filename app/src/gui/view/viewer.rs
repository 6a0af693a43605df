//! One picture before and after restoring.

use egui::{Color32, Rect, Response, Sense, Ui, pos2, vec2};

use super::camera::{Camera, Ground};
use super::paint::{Over, Pane, Tone, Viewport, paint};
use super::picture_view::PictureView;
use super::readout::{self, Under};
use super::{keys, overlay};

/// Points between the two pictures side by side.
const GAP: f32 = 2.0;

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
    fn over(&self, strength: f32) -> Vec<Over<'a>> {
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

    fn has_result(&self) -> bool {
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

/// Shows a [`Scene`]. It outlives the pictures, so that zoom, place and mode stay.
pub struct Viewer {
    /// Zoom and place.
    pub camera: Camera,
    /// How the two are shown.
    pub mode: Mode,
    /// Which samples are shown.
    pub channel: Channel,
    /// What differences are multiplied by, 1 to 64.
    pub gain: f32,
    /// The divider, as a fraction of the view's width.
    pub divider: f32,
    /// Shows the original as long as it is set; holding the key does the same.
    pub show_original: bool,
    pub(super) peeking: bool,
    /// What keys asked for, carried out where the view's size is known.
    pub(super) wish: Option<Wish>,
    /// Size of the view and of the picture in the last frame, in screen pixels.
    frame: ([f64; 2], [f64; 2]),
}

/// A change of zoom or place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wish {
    Zoom(f64),
    Times(f64),
    Pan([f64; 2]),
}

impl Default for Viewer {
    fn default() -> Self {
        Self {
            camera: Camera::default(),
            mode: Mode::default(),
            channel: Channel::default(),
            gain: 8.0,
            divider: 0.5,
            show_original: false,
            peeking: false,
            wish: None,
            frame: ([1.0; 2], [1.0; 2]),
        }
    }
}

impl Viewer {
    /// Fits the picture to the view.
    pub fn fit(&mut self) {
        self.camera.fit();
    }

    /// Shows `zoom` screen pixels a picture pixel, the view's middle staying where it is.
    pub fn zoom_to(&mut self, zoom: f64) {
        self.wish = Some(Wish::Zoom(zoom));
    }

    /// Zooms in by a factor; below 1 out.
    pub fn zoom_by(&mut self, factor: f64) {
        self.wish = Some(Wish::Times(factor));
    }

    /// The zoom in force, in screen pixels a picture pixel.
    pub fn zoom(&self) -> f64 {
        self.camera.scale(self.frame.0, self.frame.1)
    }

    /// Moves the divider by a fraction of the view's width.
    pub fn move_divider(&mut self, by: f32) {
        self.divider = (self.divider + by).clamp(0.0, 1.0);
    }

    /// Draws the scene into all the room there is and follows pointer and keys.
    pub fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>) -> Seen {
        let (view, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
        let label = if scene.has_result() {
            format!("Picture, {}", self.mode.name().to_lowercase())
        } else {
            "Picture".to_owned()
        };
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &label));
        ui.painter().rect_filled(view, 0.0, backdrop(ui));

        let viewport = Viewport::new(ui, view);
        keys::follow(self, ui, &response, scene);
        let panes = self.panes(view, scene);
        let pane_size = Viewport::new(ui, panes[0]).whole;
        let size = scene.before.size();
        self.frame = (pane_size, size);
        self.follow_pointer(ui, &response, &panes, &viewport);

        let grounds: Vec<Ground> = panes
            .iter()
            .map(|&pane| {
                let corner = viewport.pixel(pane.min).map(f64::round);
                let ground = self.camera.ground(pane_size, size);
                let origin = [0, 1].map(|i| ground.origin[i] + corner[i]);
                Ground { origin, ..ground }
            })
            .collect();
        let drawn = self.drawn(scene, &viewport, &panes, &grounds);
        let tone = Tone {
            gain: self.gain,
            channel: self.channel as u32,
        };
        for ground in &grounds {
            overlay::placeholder(ui, &viewport, *ground, scene.before);
        }
        paint(ui, scene.before.gpu(), &viewport, tone, &drawn);
        self.decorate(ui, scene, view, &panes);

        let pointer = response.hover_pos();
        let under = panes.iter().zip(&grounds).find_map(|(pane, ground)| {
            let p = pointer.filter(|p| pane.contains(*p))?;
            readout::under(scene, ground.to_picture(viewport.pixel(p)))
        });
        if let Some(under) = &under {
            readout::show(ui, view, under, scene.names);
        }
        Seen {
            region: region(&viewport, &panes, grounds[0], size),
            zoom: grounds[0].scale,
            under,
        }
    }

    /// Whether two pictures stand side by side.
    fn is_side_by_side(&self, scene: &Scene<'_>) -> bool {
        self.mode == Mode::SideBySide && scene.has_result() && !self.is_original_shown()
    }

    fn is_original_shown(&self) -> bool {
        self.show_original || self.peeking
    }

    /// The view's parts: one, or two side by side.
    fn panes(&self, view: Rect, scene: &Scene<'_>) -> Vec<Rect> {
        if !self.is_side_by_side(scene) {
            return vec![view];
        }
        let width = ((view.width() - GAP) / 2.0).max(1.0);
        let size = vec2(width, view.height());
        vec![
            Rect::from_min_size(view.min, size),
            Rect::from_min_size(pos2(view.right() - width, view.top()), size),
        ]
    }

    /// What each part draws.
    fn drawn<'a>(
        &self,
        scene: &Scene<'a>,
        viewport: &Viewport,
        panes: &[Rect],
        grounds: &[Ground],
    ) -> Vec<Pane<'a>> {
        let clip = |rect: Rect| {
            let (min, max) = (viewport.pixel(rect.min), viewport.pixel(rect.max));
            [min[0], min[1], max[0], max[1]].map(f64::round)
        };
        let pane = |clip, ground, strength: Option<f32>| Pane {
            clip,
            ground,
            first: scene.before,
            over: strength.map_or(Vec::new(), |s| scene.over(s)),
            difference: false,
        };
        let strength = Some(scene.strength.clamp(0.0, 1.0));
        let (whole, ground) = (clip(panes[0]), grounds[0]);
        if self.is_original_shown() || !scene.has_result() {
            return vec![pane(whole, ground, None)];
        }
        match (self.mode, panes) {
            (Mode::Split, _) => {
                let [left, top, right, bottom] = whole;
                let x = (left + (right - left) * f64::from(self.divider)).round();
                vec![
                    pane([left, top, x, bottom], ground, None),
                    pane([x, top, right, bottom], ground, strength),
                ]
            }
            (Mode::SideBySide, &[first, second]) => vec![
                pane(clip(first), ground, None),
                pane(clip(second), grounds[1], strength),
            ],
            (Mode::Difference, _) => vec![Pane {
                difference: true,
                ..pane(whole, ground, strength)
            }],
            _ => vec![pane(whole, ground, strength)],
        }
    }

    fn follow_pointer(
        &mut self,
        ui: &Ui,
        response: &Response,
        panes: &[Rect],
        viewport: &Viewport,
    ) {
        let (size, picture) = self.frame;
        // Places within the pane under the pointer; without a pointer its middle.
        let local = |p: Option<egui::Pos2>| match p {
            None => size.map(|v| v / 2.0),
            Some(p) => {
                let pane = panes.iter().find(|r| r.contains(p)).unwrap_or(&panes[0]);
                let (p, corner) = (viewport.pixel(p), viewport.pixel(pane.min));
                [p[0] - corner[0], p[1] - corner[1]]
            }
        };
        match self.wish.take() {
            Some(Wish::Zoom(zoom)) => self.camera.zoom_around(local(None), zoom, size, picture),
            Some(Wish::Times(factor)) => {
                let zoom = self.zoom() * factor;
                self.camera.zoom_around(local(None), zoom, size, picture);
            }
            Some(Wish::Pan(by)) => self.camera.pan(by, size, picture),
            None => {}
        }
        if response.dragged() {
            let by = response.drag_delta();
            let by = [by.x, by.y].map(|v| f64::from(v) * viewport.per_point);
            self.camera.pan(by, size, picture);
            ui.ctx().set_cursor_icon(egui::CursorIcon::Grabbing);
        }
        let pointer = response.hover_pos();
        if response.double_clicked() {
            if self.camera.is_fit() {
                self.camera.zoom_around(local(pointer), 1.0, size, picture);
            } else {
                self.camera.fit();
            }
        }
        if response.contains_pointer() {
            let (scroll, pinch) = ui.input(|i| (i.smooth_scroll_delta().y, i.zoom_delta()));
            let factor = f64::from(pinch) * (f64::from(scroll) / 200.0).exp();
            if factor != 1.0 {
                let zoom = self.zoom() * factor;
                self.camera.zoom_around(local(pointer), zoom, size, picture);
            }
        }
    }

    /// Names, divider and scale over the pictures.
    fn decorate(&mut self, ui: &mut Ui, scene: &Scene<'_>, view: Rect, panes: &[Rect]) {
        let [before, after] = scene.names;
        if self.is_original_shown() {
            overlay::caption(ui, view.left_top(), before, overlay::Side::Right);
            return;
        }
        if !scene.has_result() {
            return;
        }
        match self.mode {
            Mode::Split => {
                overlay::divider(ui, view, &mut self.divider);
                let x = view.left() + view.width() * self.divider;
                let top = pos2(x, view.top());
                if x - view.left() > 90.0 {
                    overlay::caption(ui, top, before, overlay::Side::Left);
                }
                if view.right() - x > 90.0 {
                    overlay::caption(ui, top, after, overlay::Side::Right);
                }
            }
            Mode::SideBySide => {
                for (pane, name) in panes.iter().zip(scene.names) {
                    overlay::caption(ui, pane.left_top(), name, overlay::Side::Right);
                }
            }
            Mode::Flip => overlay::caption(ui, view.left_top(), after, overlay::Side::Right),
            Mode::Difference => overlay::legend(ui, view, self.gain),
        }
    }
}

/// What is visible in any part, in whole pixels of the original.
fn region(viewport: &Viewport, panes: &[Rect], ground: Ground, size: [f64; 2]) -> [usize; 4] {
    let (min, max) = (viewport.pixel(panes[0].min), viewport.pixel(panes[0].max));
    let (min, max) = (ground.to_picture(min), ground.to_picture(max));
    let inside = |v: f64, i: usize| v.clamp(0.0, size[i]) as usize;
    [
        inside(min[0].floor(), 0),
        inside(min[1].floor(), 1),
        inside(max[0].ceil(), 0),
        inside(max[1].ceil(), 1),
    ]
}

/// A neutral grey: colour around a picture changes how the picture looks.
pub(super) fn backdrop(ui: &Ui) -> Color32 {
    Color32::from_gray(if ui.visuals().dark_mode { 30 } else { 198 })
}
