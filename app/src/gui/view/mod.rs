//! Looking at pictures and comparing them.
//!
//! A [`PictureView`] is a picture with what the GPU holds of it; [`Viewer`] shows one before and
//! after in several ways, [`CompareGrid`] any number of results of one picture.

mod bar;
mod camera;
mod candidate;
mod fill;
mod gpu;
mod grid;
mod keys;
mod levels;
mod loader;
mod metrics;
mod overlay;
mod paint;
mod picture_view;
mod readout;
mod scene;
mod steer;
mod viewer;

pub use camera::Camera;
pub use candidate::Candidate;
pub use fill::fill;
pub use gpu::Gpu;
pub use grid::CompareGrid;
pub use keys::{GRID_KEYS, KEYS};
pub use metrics::Measured;
pub use picture_view::PictureView;
pub use readout::Under;
pub use scene::{Channel, Mode, Preview, Scene, Seen};
pub use viewer::Viewer;
