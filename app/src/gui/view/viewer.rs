//! One picture before and after restoring.

use egui::{Color32, Rect, Sense, Ui, pos2, vec2};

use super::camera::{Camera, Ground};
use super::fill::fill;
use super::paint::{Pane, Tone, Viewport, paint};
use super::scene::{Channel, Mode, Scene, Seen};
use super::steer::{Sizes, Wish, steer};
use super::{keys, overlay, readout};

/// Points between the two pictures side by side.
const GAP: f32 = 2.0;

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
    /// The divider, as a fraction of what is shown of the picture's width.
    pub divider: f32,
    /// Shows the original as long as it is set; holding the key does the same.
    pub show_original: bool,
    pub(super) peeking: bool,
    /// What keys asked for, carried out where the view's size is known.
    pub(super) wish: Option<Wish>,
    /// The zoom that the bar told in this frame.
    pub(super) told: Option<f64>,
    /// Sizes in the last frame.
    sizes: Sizes,
    /// The part of the view with pixels in it in the last frame.
    shown: Rect,
}

impl Default for Viewer {
    fn default() -> Self {
        Self {
            camera: Camera::default(),
            mode: Mode::default(),
            channel: Channel::default(),
            gain: 4.0,
            divider: 0.5,
            show_original: false,
            peeking: false,
            wish: None,
            told: None,
            sizes: Sizes {
                viewport: [1.0; 2],
                picture: [1.0; 2],
            },
            shown: Rect::NOTHING,
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
        self.camera.scale(self.sizes.viewport, self.sizes.picture)
    }

    /// Moves the divider by a fraction of what is shown of the picture's width.
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
        fill(ui, Some(scene.before.gpu()), view, backdrop(ui));

        let viewport = Viewport::new(ui, view);
        keys::follow(self, ui, &response, scene);
        let panes = self.panes(view, scene);
        let pane_size = Viewport::new(ui, panes[0]).whole;
        let size = scene.before.size();
        let sizes = Sizes {
            viewport: pane_size,
            picture: size,
        };
        if self.sizes != sizes {
            self.camera.settle(pane_size, size);
            self.sizes = sizes;
        }
        let place = |p: egui::Pos2| {
            let pane = panes.iter().find(|r| r.contains(p)).unwrap_or(&panes[0]);
            let (p, corner) = (viewport.pixel(p), viewport.pixel(pane.min));
            [p[0] - corner[0], p[1] - corner[1]]
        };
        let wish = self.wish.take();
        steer(&mut self.camera, wish, ui, &response, sizes, place);

        let grounds: Vec<Ground> = panes
            .iter()
            .map(|&pane| {
                let corner = viewport.pixel(pane.min).map(f64::round);
                let ground = self.camera.ground(pane_size, size);
                let origin = [0, 1].map(|i| ground.origin[i] + corner[i]);
                Ground { origin, ..ground }
            })
            .collect();
        self.shown = grounds[0].on_screen(&viewport, size).intersect(panes[0]);
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
        if response.has_focus() {
            overlay::focus(ui, view);
        }
        if self.told.take().is_some_and(|told| told != self.zoom()) {
            ui.ctx().request_repaint();
        }

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

    /// Where the divider is: a fraction of what is shown of the picture.
    fn divider_x(&self) -> f32 {
        self.shown.left() + self.shown.width() * self.divider
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
                let x = viewport.pixel(pos2(self.divider_x(), 0.0))[0].round();
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

    /// Names, divider and scale over the pictures.
    fn decorate(&mut self, ui: &mut Ui, scene: &Scene<'_>, view: Rect, panes: &[Rect]) {
        let [before, after] = scene.names;
        let shown = self.shown;
        if self.is_original_shown() {
            overlay::caption(ui, shown, shown.left(), before, overlay::Side::Right);
            return;
        }
        if !scene.has_result() {
            return;
        }
        match self.mode {
            Mode::Split => {
                overlay::divider(ui, shown, &mut self.divider);
                let x = self.divider_x();
                overlay::caption(ui, shown, x, before, overlay::Side::Left);
                overlay::caption(ui, shown, x, after, overlay::Side::Right);
            }
            Mode::SideBySide => {
                for (pane, name) in panes.iter().zip(scene.names) {
                    let shown = shown.translate(pane.min - panes[0].min);
                    overlay::caption(ui, shown, shown.left(), name, overlay::Side::Right);
                }
            }
            Mode::Flip => overlay::caption(ui, shown, shown.left(), after, overlay::Side::Right),
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
