//! From pictures, a place and a look to one paint callback.

use eframe::egui_wgpu::{self, CallbackTrait, wgpu};
use egui::{PaintCallbackInfo, Rect, Ui, pos2};

use super::camera::Ground;
use super::gpu::{Filtering, Gpu, Instance, Look};
use super::picture_view::{Patch, PictureView};

/// A picture over part of the first one's ground.
#[derive(Clone, Copy)]
pub(super) struct Over<'a> {
    pub view: &'a PictureView,
    /// Left, top, right, bottom in pixels of the first picture.
    pub place: [f64; 4],
    /// Its share, 0 to 1.
    pub share: f32,
}

/// A part of the view and what it shows.
pub(super) struct Pane<'a> {
    /// Left, top, right, bottom in screen pixels of the viewport.
    pub clip: [f64; 4],
    pub ground: Ground,
    pub first: &'a PictureView,
    /// Later ones lie over earlier ones.
    pub over: Vec<Over<'a>>,
    /// Differences as a heat map instead of the mix.
    pub difference: bool,
}

/// A viewport on whole screen pixels within what is visible of `rect`, and where `rect`'s top
/// left corner lies in it, in screen pixels.
pub(super) struct Viewport {
    /// In points.
    pub rect: Rect,
    /// Width and height in screen pixels.
    pub size: [f64; 2],
    /// Of the whole rectangle, in screen pixels.
    pub whole: [f64; 2],
    /// From the viewport's corner to the whole rectangle's.
    pub offset: [f64; 2],
    /// Screen pixels a point.
    pub per_point: f64,
}

impl Viewport {
    pub fn new(ui: &Ui, rect: Rect) -> Self {
        let per_point = ui.ctx().pixels_per_point();
        let snap = |v: f32| (v * per_point).round();
        let visible = rect
            .intersect(ui.clip_rect())
            .intersect(ui.ctx().content_rect());
        let (min, max) = (visible.min, visible.max);
        let min = pos2(snap(min.x), snap(min.y));
        let max = pos2(snap(max.x).max(min.x), snap(max.y).max(min.y));
        let corner = pos2(snap(rect.left()), snap(rect.top()));
        let size = max - min;
        Self {
            rect: Rect::from_min_max(
                pos2(min.x / per_point, min.y / per_point),
                pos2(max.x / per_point, max.y / per_point),
            ),
            size: [size.x, size.y].map(f64::from),
            whole: [
                f64::from(snap(rect.right()) - corner.x),
                f64::from(snap(rect.bottom()) - corner.y),
            ],
            offset: [f64::from(corner.x - min.x), f64::from(corner.y - min.y)],
            per_point: f64::from(per_point),
        }
    }

    /// A point of the window in screen pixels of the viewport.
    pub fn pixel(&self, p: egui::Pos2) -> [f64; 2] {
        let from = p - self.rect.min;
        [from.x, from.y].map(|v| f64::from(v) * self.per_point)
    }

    /// The other way round.
    pub fn point(&self, pixel: [f64; 2]) -> egui::Pos2 {
        let [x, y] = pixel.map(|v| (v / self.per_point) as f32);
        self.rect.min + egui::vec2(x, y)
    }
}

impl Ground {
    /// The whole picture's rectangle in the window.
    pub fn on_screen(self, viewport: &Viewport, picture: [f64; 2]) -> Rect {
        let far = [0, 1].map(|i| self.origin[i] + picture[i] * self.scale);
        Rect::from_min_max(viewport.point(self.origin), viewport.point(far))
    }
}

/// How differences and channels are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tone {
    pub gain: f32,
    /// 0 all, 1 red, 2 green, 3 blue.
    pub channel: u32,
}

/// Draws `panes` into the viewport.
pub(super) fn paint(ui: &Ui, gpu: &Gpu, viewport: &Viewport, tone: Tone, panes: &[Pane<'_>]) {
    if viewport.size[0] < 1.0 || viewport.size[1] < 1.0 {
        return;
    }
    let mut instances = Vec::new();
    let mut tiles = Vec::new();
    for pane in panes {
        pane.draw(viewport.size, |instance, first, second| {
            instances.push(instance);
            tiles.push((first, second));
        });
    }
    if instances.is_empty() {
        return;
    }
    let paper = if ui.visuals().dark_mode {
        [0.24, 0.30]
    } else {
        [0.78, 0.86]
    };
    let look = gpu.look(Look {
        viewport: viewport.size.map(|v| v as f32),
        gain: tone.gain,
        channel: tone.channel,
        paper,
        linear: 0,
        padding: 0,
    });
    let callback = Callback {
        gpu: gpu.clone(),
        filterings: instances.iter().map(|i| Filtering::at(i.mix[2])).collect(),
        instances: gpu.vertices(&instances),
        look,
        tiles,
    };
    ui.painter().add(egui_wgpu::Callback::new_paint_callback(
        viewport.rect,
        callback,
    ));
}

struct Callback {
    gpu: Gpu,
    instances: wgpu::Buffer,
    look: wgpu::BindGroup,
    tiles: Vec<(wgpu::BindGroup, Option<wgpu::BindGroup>)>,
    /// Of each rectangle's first tile.
    filterings: Vec<Filtering>,
}

impl CallbackTrait for Callback {
    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _resources: &egui_wgpu::CallbackResources,
    ) {
        pass.set_bind_group(0, &self.look, &[]);
        pass.set_vertex_buffer(0, self.instances.slice(..));
        let all = self.tiles.iter().zip(&self.filterings);
        for (i, ((first, second), filtering)) in (0u32..).zip(all) {
            pass.set_pipeline(match second {
                Some(_) => self.gpu.pair(),
                None => self.gpu.single(*filtering),
            });
            pass.set_bind_group(1, first, &[]);
            pass.set_bind_group(2, second.as_ref().unwrap_or(self.gpu.nothing()), &[]);
            pass.draw(0..4, i..i + 1);
        }
    }
}

impl Pane<'_> {
    /// Gives every rectangle with its tiles to `add`, lower ones first.
    fn draw(
        &self,
        viewport: [f64; 2],
        mut add: impl FnMut(Instance, wgpu::BindGroup, Option<wgpu::BindGroup>),
    ) {
        let [width, height] = self.first.size();
        let clip = intersect(self.clip, [0.0, 0.0, viewport[0], viewport[1]]);
        let min = self.ground.to_picture([clip[0], clip[1]]);
        let max = self.ground.to_picture([clip[2], clip[3]]);
        let seen = intersect([min[0], min[1], max[0], max[1]], [0.0, 0.0, width, height]);
        if is_empty(seen) {
            return;
        }
        let first = self.first.cover(seen, self.ground.scale);
        let covers = |o: &Over<'_>| contains(o.place, seen) && !o.view.is_blank();
        if !self.difference && !self.over.iter().any(covers) {
            for patch in &first {
                let mut instance = self.instance(patch.area, clip, 0.0);
                self.texels(&mut instance, patch, None);
                add(instance, patch.tile.clone(), None);
            }
        }
        for over in &self.over {
            self.draw_over(over, seen, clip, &first, &mut add);
        }
    }

    fn draw_over(
        &self,
        over: &Over<'_>,
        seen: [f64; 4],
        clip: [f64; 4],
        first: &[Patch],
        add: &mut impl FnMut(Instance, wgpu::BindGroup, Option<wgpu::BindGroup>),
    ) {
        let seen = intersect(seen, over.place);
        if is_empty(seen) {
            return;
        }
        // After super-resolution the picture has more pixels on the same ground.
        let stretch = Stretch::new(over);
        let second = over
            .view
            .cover(stretch.to_own(seen), self.ground.scale / stretch.ratio[0]);
        for b in &second {
            let ground = stretch.to_first(b.area);
            if over.share >= 1.0 && !self.difference {
                // Nothing of what is below is seen.
                let area = intersect(ground, over.place);
                let mut instance = self.instance(area, clip, 1.0);
                self.own_texels(&mut instance, b, &stretch);
                add(instance, b.tile.clone(), None);
                continue;
            }
            for a in first {
                let area = intersect(intersect(a.area, ground), over.place);
                if is_empty(area) {
                    continue;
                }
                let mut instance = self.instance(area, clip, over.share);
                self.texels(&mut instance, a, Some((b, &stretch)));
                add(instance, a.tile.clone(), Some(b.tile.clone()));
            }
        }
    }

    /// A rectangle of the picture on the screen, cut to the pane.
    fn instance(&self, area: [f64; 4], clip: [f64; 4], share: f32) -> Instance {
        let Ground { origin, scale } = self.ground;
        let screen = std::array::from_fn(|i| origin[i % 2] + scale * area[i]);
        Instance {
            rectangle: intersect(screen, clip).map(|v| v as f32),
            mix: [share, f32::from(u8::from(self.difference)), 1.0, 1.0],
            ..Default::default()
        }
    }

    /// As [`Pane::texels`], of a picture over the first one that stands alone.
    fn own_texels(&self, instance: &mut Instance, b: &Patch, stretch: &Stretch) {
        self.texels(instance, b, Some((b, stretch)));
        (instance.first, instance.mix[2]) = (instance.second, instance.mix[3]);
    }

    /// The texels at the rectangle's edges.
    fn texels(&self, instance: &mut Instance, a: &Patch, b: Option<(&Patch, &Stretch)>) {
        let Ground { origin, scale } = self.ground;
        let place: [f64; 4] =
            std::array::from_fn(|i| (f64::from(instance.rectangle[i]) - origin[i % 2]) / scale);
        let texel = |patch: &Patch, pixel: f64, i: usize| {
            (pixel / f64::from(1u32 << patch.level) + patch.origin[i % 2]) as f32
        };
        let size = |patch: &Patch, scale: f64| (scale * f64::from(1u32 << patch.level)) as f32;
        instance.first = std::array::from_fn(|i| texel(a, place[i], i));
        instance.mix[2] = size(a, scale);
        if let Some((b, stretch)) = b {
            let own = stretch.to_own(place);
            instance.second = std::array::from_fn(|i| texel(b, own[i], i));
            instance.mix[3] = size(b, scale / stretch.ratio[0]);
        }
    }
}

/// Between the pixels of the first picture and those of one over it.
struct Stretch {
    corner: [f64; 2],
    /// Own pixels for one of the first picture's.
    ratio: [f64; 2],
}

impl Stretch {
    fn new(over: &Over<'_>) -> Self {
        let size = over.view.size();
        let [left, top, right, bottom] = over.place;
        Self {
            corner: [left, top],
            ratio: [size[0] / (right - left), size[1] / (bottom - top)],
        }
    }

    fn to_own(&self, area: [f64; 4]) -> [f64; 4] {
        std::array::from_fn(|i| (area[i] - self.corner[i % 2]) * self.ratio[i % 2])
    }

    fn to_first(&self, area: [f64; 4]) -> [f64; 4] {
        std::array::from_fn(|i| self.corner[i % 2] + area[i] / self.ratio[i % 2])
    }
}

fn intersect(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
    [
        a[0].max(b[0]),
        a[1].max(b[1]),
        a[2].min(b[2]),
        a[3].min(b[3]),
    ]
}

fn is_empty(a: [f64; 4]) -> bool {
    a[0] >= a[2] || a[1] >= a[3]
}

fn contains(outer: [f64; 4], inner: [f64; 4]) -> bool {
    intersect(outer, inner) == inner
}
