//! The protocols of `serpent eval`: how pictures are degraded and how results are compared.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serpent_engine::checkpoint::{Checkpoint, Task};
use serpent_engine::metrics::Protocol;
use serpent_engine::train::degrade::{Chroma, Degradation, Sensor};

/// What can be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EvalTask {
    /// White Gaussian noise
    Denoise,
    /// Gaussian blur, 61 taps, with noise of 0.05 (12.75 of 255)
    Deblur,
    /// Out of focus: a disc, with noise of 5 of 255
    Defocus,
    /// Camera shake: the path of a hand, with noise of 5 of 255
    Motion,
    /// Antialiased bicubic shrinking by the model's scale, rounded to 8 bits
    SuperResolve,
    /// JPEG compression, colour at half the resolution
    Jpeg,
    /// A camera's noise and JPEG of quality 85
    Photo,
}

impl EvalTask {
    /// What a model was trained to undo. Of blurs, its recipe tells which.
    pub fn of(model: &Checkpoint) -> Self {
        match model.task {
            Task::Deblur if model.recipe.to_string().contains("defocus") => Self::Defocus,
            Task::Denoise => Self::Denoise,
            Task::Mixed => Self::Photo,
            Task::Deblur => Self::Deblur,
            Task::SuperResolve => Self::SuperResolve,
            Task::Jpeg => Self::Jpeg,
        }
    }

    /// All that a model of this task is measured on.
    pub fn all_of(model: &Checkpoint) -> Vec<Self> {
        match Self::of(model) {
            Self::Deblur | Self::Defocus => vec![Self::Deblur, Self::Defocus, Self::Motion],
            task => vec![task],
        }
    }

    /// The levels the field publishes, or that stand for the range.
    pub fn levels(self, model: &Checkpoint) -> Vec<f32> {
        match self {
            Self::Denoise => vec![15.0, 25.0, 50.0],
            Self::Deblur => vec![0.5, 1.0, 1.5, 2.0, 2.5, 3.0],
            Self::Defocus => vec![2.0, 4.0],
            Self::Motion => vec![8.0, 16.0],
            Self::SuperResolve => vec![model.config.scale as f32],
            Self::Jpeg => vec![10.0, 20.0, 30.0, 40.0],
            Self::Photo => vec![1.0, 4.0, 16.0],
        }
    }

    /// From a clean picture to the model's input.
    pub fn degradations(self, level: f32) -> Vec<Degradation> {
        let noise = |sigma: f32| Degradation::Noise {
            sigma: sigma.into(),
            clip: false,
        };
        let jpeg = |quality: f32| Degradation::Jpeg {
            quality: quality.into(),
            // What libjpeg and OpenCV do unless told otherwise; grey pictures have no colour to lose.
            chroma: Chroma::Half,
            shift: false,
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
            Self::Defocus => {
                let radius = level.into();
                vec![Degradation::Defocus { radius }, noise(5.0)]
            }
            Self::Motion => {
                let length = level.into();
                vec![Degradation::Motion { length }, noise(5.0)]
            }
            Self::SuperResolve => {
                let factor = level as usize;
                // The field's small pictures are files of 8 bits.
                vec![Degradation::Downscale { factor }, Degradation::Round]
            }
            Self::Jpeg => vec![jpeg(level)],
            Self::Photo => {
                let sensor = Sensor {
                    shot: (level / 1000.0).into(),
                    balance: 1.8.into(),
                    matrix: 0.3.into(),
                };
                vec![Degradation::Sensor(sensor), jpeg(85.0)]
            }
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

    /// How a level is written.
    pub fn level(self, level: f32) -> String {
        match self {
            Self::Denoise | Self::Deblur => format!("σ {level}"),
            Self::Defocus => format!("radius {level}"),
            Self::Motion => format!("length {level}"),
            Self::SuperResolve => format!("×{level}"),
            Self::Jpeg => format!("quality {level}"),
            Self::Photo => format!("shot {}", level / 1000.0),
        }
    }

    /// What a picture is before anything is done to it.
    pub fn untreated(self) -> &'static str {
        match self {
            Self::Denoise | Self::Photo => "noisy",
            Self::Deblur | Self::Defocus | Self::Motion => "blurred",
            Self::SuperResolve => "bicubic",
            Self::Jpeg => "JPEG",
        }
    }
}
