//! A picture for display: its tiles on the GPU, fetched as they come into view.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use eframe::egui_wgpu::wgpu;
use serpent_engine::image::{ColourTransform, Picture};

use super::gpu::Gpu;
use super::levels::{Grid, Key, Levels};
use super::loader::Loader;

/// GPU memory a picture's tiles may take; those out of view longest go first. A picture of
/// 36 megapixels stays whole.
const BUDGET: u64 = 384 << 20;
/// How long a frame may spend on uploading a picture's tiles.
const UPLOAD_TIME: Duration = Duration::from_millis(5);

/// A tile on the GPU.
#[derive(Clone)]
struct Tile {
    group: wgpu::BindGroup,
    exact: bool,
    bytes: u64,
    /// The frame that drew it last.
    used: u64,
}

/// A rectangle of the picture with the tile that shows it.
#[derive(Clone)]
pub(super) struct Patch {
    /// Left, top, right, bottom in picture pixels.
    pub area: [f64; 4],
    pub tile: wgpu::BindGroup,
    /// The tile's level: a texel is 2^level pixels wide.
    pub level: u32,
    /// Texel of the tile's texture at the picture's left and top edge; left of the texture
    /// itself for all but the first tiles.
    pub origin: [f64; 2],
}

#[derive(Default)]
struct Resident {
    tiles: HashMap<Key, Tile>,
    bytes: u64,
    /// Tiles wanted in the frame `frame`.
    wants: Vec<Key>,
    frame: u64,
    /// Tiles uploaded so far.
    uploads: u64,
}

/// A picture with what the GPU holds of it: sRGB after its colour profile, 16 bits where it has
/// them, of any size. Zooming and panning upload a tile once, and only tiles that come into view.
pub struct PictureView {
    gpu: Gpu,
    picture: Arc<Picture>,
    grid: Grid,
    problem: Option<String>,
    loader: Loader,
    resident: Mutex<Resident>,
}

impl PictureView {
    /// Starts preparing `picture`; the first pixels are there a few frames later.
    pub fn new(gpu: &Gpu, picture: Arc<Picture>) -> Self {
        let colour = ColourTransform::of(&picture);
        let shown_as = |p| format!("{p}; colours are shown as sRGB");
        let problem = colour.problem().map(shown_as);
        let levels = Levels::new(picture.clone(), colour);
        Self {
            gpu: gpu.clone(),
            picture,
            grid: levels.grid(),
            problem,
            loader: Loader::start(levels, gpu.ctx().clone()),
            resident: Mutex::default(),
        }
    }

    /// The picture itself.
    pub fn picture(&self) -> &Arc<Picture> {
        &self.picture
    }

    /// The device it is on.
    pub(super) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [f64; 2] {
        [f64::from(self.grid.width), f64::from(self.grid.height)]
    }

    /// Why the picture's colour profile is not followed, when it is not.
    pub fn profile_problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Whether nothing of it can be drawn yet.
    pub fn is_blank(&self) -> bool {
        self.with(|r| r.tiles.is_empty())
    }

    /// Whether everything that was in view at last is there at its full sharpness.
    pub fn is_settled(&self) -> bool {
        self.with(|r| self.collect(r));
        !self.is_blank() && self.loader.is_idle()
    }

    /// Bytes of GPU memory its tiles take.
    pub fn gpu_bytes(&self) -> u64 {
        self.with(|r| r.bytes)
    }

    /// Tiles uploaded since it was made: drawing again what was drawn before uploads nothing.
    pub fn uploads(&self) -> u64 {
        self.with(|r| r.uploads)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Resident) -> T) -> T {
        f(&mut self.resident.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What there is to draw the pixels `area` (left, top, right, bottom) at `scale` screen
    /// pixels a pixel. What is missing is wanted from now on, and a coarser tile stands for it.
    pub(super) fn cover(&self, area: [f64; 4], scale: f64) -> Vec<Patch> {
        let frame = self.gpu.ctx().cumulative_frame_nr();
        self.with(|resident| {
            self.collect(resident);
            if resident.frame != frame {
                resident.frame = frame;
                resident.wants.clear();
            }
            let keys = self.keys(area, scale);
            let patches = keys
                .iter()
                .filter_map(|&key| self.patch(resident, key, frame))
                .collect();
            self.loader.want(resident.wants.clone());
            self.evict(resident, frame);
            patches
        })
    }

    /// The tiles under `area`, those in the middle first.
    fn keys(&self, area: [f64; 4], scale: f64) -> Vec<Key> {
        let level = ((1.0 / scale).log2().floor().max(0.0) as u32).min(self.grid.top());
        let side = f64::from(self.grid.side(level)) * f64::from(1u32 << level);
        let range = |from: f64, to: f64, size: u32| {
            let (from, to) = (from.max(0.0), to.min(f64::from(size)));
            if from < to {
                (from / side).floor() as u32..(to / side).ceil() as u32
            } else {
                0..0
            }
        };
        let columns = range(area[0], area[2], self.grid.width);
        let rows = range(area[1], area[3], self.grid.height);
        let mut keys: Vec<Key> = rows
            .flat_map(|y| columns.clone().map(move |x| Key { level, x, y }))
            .collect();
        let middle = [
            (area[0] + area[2]) / 2.0 / side,
            (area[1] + area[3]) / 2.0 / side,
        ];
        keys.sort_by_key(|k| {
            let (x, y) = (
                f64::from(k.x) + 0.5 - middle[0],
                f64::from(k.y) + 0.5 - middle[1],
            );
            (1024.0 * (x * x + y * y)) as u64
        });
        keys
    }

    /// The tile or the nearest coarser one there is, cut to the tile's place.
    fn patch(&self, resident: &mut Resident, key: Key, frame: u64) -> Option<Patch> {
        let missing = resident.tiles.get(&key).is_none_or(|t| !t.exact);
        if missing && !resident.wants.contains(&key) {
            resident.wants.push(key);
        }
        let mut found = Some(key);
        let (found, tile) = loop {
            let at = found?;
            match resident.tiles.get_mut(&at) {
                Some(tile) => break (at, tile),
                None => found = self.grid.parent(at),
            }
        };
        tile.used = frame;
        let pixels = f64::from(1u32 << key.level);
        let [left, top, right, bottom] = self.grid.bounds(key).map(|v| f64::from(v) * pixels);
        let [width, height] = self.size();
        let [x, y, ..] = self.grid.bounds(found);
        Some(Patch {
            area: [left, top, right.min(width), bottom.min(height)],
            tile: tile.group.clone(),
            level: found.level,
            origin: [1.0 - f64::from(x), 1.0 - f64::from(y)],
        })
    }

    /// Uploads what is finished, for a few thousandths of a second.
    fn collect(&self, resident: &mut Resident) {
        let start = Instant::now();
        while start.elapsed() < UPLOAD_TIME {
            let Some(made) = self.loader.take() else {
                return;
            };
            let texels = made.texels;
            let bytes = 8 * u64::from(texels.width) * u64::from(texels.height);
            let tile = Tile {
                group: self.gpu.upload(texels.width, texels.height, &texels.data),
                exact: made.exact,
                bytes,
                used: resident.frame,
            };
            resident.uploads += 1;
            resident.bytes += bytes;
            if let Some(old) = resident.tiles.insert(made.key, tile) {
                resident.bytes -= old.bytes;
            }
        }
        self.gpu.ctx().request_repaint();
    }

    /// Lets go of what is out of view longest, beyond the budget.
    fn evict(&self, resident: &mut Resident, frame: u64) {
        while resident.bytes > BUDGET {
            let top = self.grid.top();
            let oldest = resident
                .tiles
                .iter()
                .filter(|(k, t)| t.used < frame && k.level != top)
                .min_by_key(|(_, t)| t.used)
                .map(|(&k, _)| k);
            let Some(tile) = oldest.and_then(|k| resident.tiles.remove(&k)) else {
                return;
            };
            resident.bytes -= tile.bytes;
        }
    }
}
