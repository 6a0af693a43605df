//! The protocols of `serpent eval`: how pictures are degraded and how results are compared.

use clap::ValueEnum;
use serde::Serialize;
use serpent_engine::checkpoint::{Checkpoint, Task};
use serpent_engine::metrics::Protocol;
use serpent_engine::train::degrade::Degradation;

/// What can be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EvalTask {
    /// White Gaussian noise
    Denoise,
    /// Gaussian blur, 61 taps, with noise of 0.05 (12.75 of 255)
    Deblur,
    /// Antialiased bicubic shrinking by the model's scale
    SuperResolve,
    /// JPEG compression
    Jpeg,
}

impl EvalTask {
    /// What a model was trained to undo.
    pub fn of(model: &Checkpoint) -> Self {
        match model.task {
            Task::Denoise | Task::Mixed => Self::Denoise,
            Task::Deblur => Self::Deblur,
            Task::SuperResolve => Self::SuperResolve,
            Task::Jpeg => Self::Jpeg,
        }
    }

    /// The levels the field publishes.
    pub fn levels(self, model: &Checkpoint) -> Vec<f32> {
        match self {
            Self::Denoise => vec![15.0, 25.0, 50.0],
            Self::Deblur => vec![3.0],
            Self::SuperResolve => vec![model.config.scale as f32],
            Self::Jpeg => vec![10.0, 20.0, 30.0, 40.0],
        }
    }

    /// From a clean picture to the model's input.
    pub fn degradations(self, level: f32) -> Vec<Degradation> {
        let noise = |sigma: f32| Degradation::Noise {
            sigma: sigma.into(),
            clip: false,
        };
        match self {
            Self::Denoise => vec![noise(level)],
            Self::Deblur => {
                let blur = Degradation::GaussianBlur {
                    sigma: level.into(),
                    taps: 61,
                };
                vec![blur, noise(12.75)]
            }
            Self::SuperResolve => vec![Degradation::Downscale {
                factor: level as usize,
            }],
            Self::Jpeg => vec![Degradation::jpeg(level.into())],
        }
    }

    /// How results are compared.
    pub fn protocol(self, level: f32) -> Protocol {
        match self {
            Self::SuperResolve => Protocol::Luma {
                border: level as usize,
            },
            _ => Protocol::Rgb8,
        }
    }
}
