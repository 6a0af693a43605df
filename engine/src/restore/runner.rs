//! One model on one device: runs the tiles of a plan.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::RestoreError;
use super::belief::{Tile, check};
use super::memory::bytes_per_pixel;
use super::tiles::{Blender, TilePlan};
use crate::backend::{Backend, Executable, Model};
use crate::graph::fuse;
use crate::network::{Network, NetworkConfig};

/// Prepared sizes kept: the pictures of a folder are mostly of one size, upright and lying.
const KEPT: usize = 2;

/// Told about every tile; answers whether to go on.
pub type Monitor<'a> = dyn FnMut(usize, usize) -> ControlFlow<()> + 'a;

/// A picture as the network sees it.
pub(super) struct Input<'a> {
    /// `[height, width, 3]`.
    pub samples: &'a [f32],
    /// σ, for networks that are told.
    pub noise: Option<f32>,
}

/// Weights on a device, with what is prepared for the sizes used last.
pub(super) struct Runner {
    device: String,
    model: Box<dyn Model>,
    prepared: Vec<((usize, usize), Box<dyn Executable>)>,
    /// Bytes of intermediates for each pixel of a tile.
    pub bytes_per_pixel: u64,
    /// Largest tile the device has not refused for want of memory, in pixels.
    pub limit: usize,
}

impl Runner {
    /// Uploads the weights.
    pub fn new(
        backend: &Arc<dyn Backend>,
        config: &NetworkConfig,
        weights: &[Vec<f32>],
    ) -> Result<Self, RestoreError> {
        Ok(Self {
            bytes_per_pixel: bytes_per_pixel(config, Some(backend.as_ref()))?.max(1),
            device: backend.name().to_owned(),
            model: backend.load(weights)?,
            prepared: Vec::new(),
            limit: usize::MAX,
        })
    }

    /// Runs every tile of `plan` and blends the results: `[r·height, r·width, 3]`.
    ///
    /// `monitor` is called before the first tile and after each.
    pub fn run(
        &mut self,
        config: &NetworkConfig,
        plan: &TilePlan,
        input: &Input<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<f32>, RestoreError> {
        let total = plan.len();
        go_on(monitor(0, total))?;
        let device = self.device.clone();
        let executable = self.prepare(config, plan.tile_size())?;
        // Made when the device has its first tile: memory for a whole picture takes a while.
        let blender = RefCell::new(None);
        let room = || Blender::new(plan, config.scale);
        let mut next = 0..total;
        let mut fill = |tile: &mut Vec<f32>| {
            if next.start > 0 {
                blender.borrow_mut().get_or_insert_with(room);
            }
            let index = next.next();
            index.inspect(|&i| plan.extract(input.samples, input.noise, i, tile));
            index.is_some()
        };
        let (mut finished, mut verdict) = (0, Ok(()));
        let mut take_in = |tile: &[f32], result: &[f32]| {
            let tile = Tile {
                samples: tile,
                width: plan.tile_size().1,
                channels: config.input_channels(),
            };
            check(&device, &tile, result, config.scale)?;
            blender.borrow_mut().get_or_insert_with(room).add(result);
            finished += 1;
            go_on(monitor(finished, total))
        };
        executable.run_each(&mut fill, &mut |tile, result| {
            verdict = take_in(tile, result);
            match verdict {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        verdict?;
        Ok(blender.into_inner().unwrap_or_else(room).finish())
    }

    /// Gives the memory of all prepared sizes back; false when there was none.
    pub fn forget(&mut self) -> bool {
        let any = !self.prepared.is_empty();
        self.prepared.clear();
        any
    }

    fn prepare(
        &mut self,
        config: &NetworkConfig,
        (height, width): (usize, usize),
    ) -> Result<&mut dyn Executable, RestoreError> {
        let known = self
            .prepared
            .iter()
            .position(|(size, _)| *size == (height, width));
        let entry = match known {
            Some(i) => self.prepared.remove(i),
            None => {
                self.prepared.truncate(KEPT - 1);
                let graph = fuse(Network::build(config, 1, height, width)?.graph);
                ((height, width), self.model.prepare(&graph)?)
            }
        };
        self.prepared.insert(0, entry);
        Ok(self.prepared[0].1.as_mut())
    }
}

fn go_on(flow: ControlFlow<()>) -> Result<(), RestoreError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(RestoreError::Cancelled),
    }
}
