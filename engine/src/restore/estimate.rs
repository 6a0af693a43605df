//! What restoring a picture will take, told from its size alone.

use super::ensemble::TURNS;
use super::memory::bytes_per_pixel;
use super::restorer::{Options, Place, largest_tile, needs, plan};
use super::tiles::Needs;
use crate::checkpoint::Checkpoint;
use crate::network::NetworkError;

/// Tiles of a picture and their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Number of tiles.
    pub tiles: usize,
    /// How often each is restored: once, or once for every turn of the picture.
    pub turns: usize,
    /// Columns of a tile in pixels.
    pub tile_width: usize,
    /// Rows of a tile in pixels.
    pub tile_height: usize,
    /// Bytes of the intermediates of a tile. A device that keeps them in 16 bits takes less.
    pub bytes: u64,
}

/// Tells what a model will take on a kind of device that does not run out of memory.
#[derive(Clone, Copy, Debug)]
pub struct Estimator {
    bytes_per_pixel: u64,
    needs: Needs,
    place: Place,
}

impl Estimator {
    /// For this model, on the processor or on a graphics device.
    ///
    /// # Errors
    /// [`NetworkError`] when the configuration is out of range.
    pub fn new(model: &Checkpoint, processor: bool) -> Result<Self, NetworkError> {
        Ok(Self {
            bytes_per_pixel: bytes_per_pixel(&model.config, None)?.max(1),
            needs: needs(model),
            place: match processor {
                true => Place::Processor,
                false => Place::Accelerator,
            },
        })
    }

    /// For a picture of this size.
    pub fn of(&self, width: usize, height: usize, options: &Options) -> Estimate {
        let pixels = largest_tile(options, self.bytes_per_pixel, self.place, self.needs);
        let plan = plan(width, height, options.tile, pixels, self.needs);
        let (tile_height, tile_width) = plan.tile_size();
        Estimate {
            tiles: plan.len(),
            turns: match options.ensemble {
                true => usize::from(TURNS),
                false => 1,
            },
            tile_width,
            tile_height,
            bytes: (tile_height * tile_width) as u64 * self.bytes_per_pixel,
        }
    }
}
