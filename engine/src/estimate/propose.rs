//! From measurements to a model.

use serde::Serialize;

use super::Diagnosis;
use crate::checkpoint::Task;

/// Noise below this is not worth removing: σ of 255.
const NOISE: f32 = 4.0;

/// Coarse noise above this is a camera's: σ of 255. Texture looks like a little of it.
const COARSE_NOISE: f32 = 6.0;

/// And if it is so many times the fine noise; of white noise both are the same.
const COARSER: f32 = 1.35;

/// Noise from which a network for blur with much noise does better than one for lenses: σ of 255.
const LENS_NOISE: f32 = 9.0;

/// Noise above which edges tell nothing about blur: σ of 255.
const TOO_NOISY: f32 = 20.0;

/// Edges wider than this are blurred: pixels.
const BLUR: f32 = 1.2;

/// JPEG below this quality is seen.
const QUALITY: u8 = 80;

/// What a picture suffers from most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ailment {
    /// Nothing that shows.
    None,
    /// White noise.
    Noise,
    /// Blur.
    Blur,
    /// JPEG compression.
    Jpeg,
    /// A camera's noise, coarse, coloured or compressed.
    Camera,
}

impl Ailment {
    /// The task of a model that helps.
    pub fn task(self) -> Option<Task> {
        match self {
            Self::None => None,
            Self::Noise => Some(Task::Denoise),
            Self::Blur => Some(Task::Deblur),
            Self::Jpeg => Some(Task::Jpeg),
            Self::Camera => Some(Task::Mixed),
        }
    }
}

impl std::fmt::Display for Ailment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "nothing",
            Self::Noise => "noise",
            Self::Blur => "blur",
            Self::Jpeg => "JPEG",
            Self::Camera => "camera noise",
        })
    }
}

/// What to do about a picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// What it suffers from most.
    pub ailment: Ailment,
    /// The model's name; none where nothing is to be done or there is no model for it.
    pub model: Option<String>,
    /// How much of the restored picture to take, 0 to 1.
    pub strength: f32,
    /// σ of the noise, 0 to 1, for a model that wants to be told.
    pub noise: f32,
    /// The measurements behind it, for people.
    pub reason: String,
}

/// Chooses what to do from what was measured and from the models there are, each a name and its
/// task; of several models of a task the first whose name says `base`, or `lens` where there is
/// blur and little noise, else the first. Where there is none for camera noise, one for noise has to do.
pub fn propose(found: &Diagnosis, models: &[(String, Task)]) -> Proposal {
    let ailment = ailment(found);
    let of = |task: Task| {
        let fit: Vec<&String> = models
            .iter()
            .filter(|m| m.1 == task)
            .map(|m| &m.0)
            .collect();
        let hint = match task {
            Task::Deblur if found.noise * 255.0 < LENS_NOISE => "lens",
            _ => "base",
        };
        let hinted = fit.iter().find(|name| name.contains(hint));
        hinted.or(fit.first()).map(|name| (*name).clone())
    };
    // A denoiser for white noise that stands in must be told all of it.
    let noise = match ailment {
        Ailment::Camera => found.noise.max(found.coarse_noise),
        _ => found.noise,
    };
    let stand_in = || {
        (ailment == Ailment::Camera)
            .then(|| of(Task::Denoise))
            .flatten()
    };
    Proposal {
        ailment,
        model: ailment.task().and_then(of).or_else(stand_in),
        strength: 1.0,
        noise: noise.clamp(0.0, 1.0),
        reason: reason(found),
    }
}

fn ailment(found: &Diagnosis) -> Ailment {
    let (noise, coarse) = (found.noise * 255.0, found.coarse_noise * 255.0);
    // A network for blur expects some noise.
    if found.blur.is_some_and(|b| b > BLUR) && noise < TOO_NOISY {
        Ailment::Blur
    } else if coarse > COARSE_NOISE && coarse > COARSER * noise {
        Ailment::Camera
    } else if found.jpeg.is_some_and(|q| q < QUALITY) {
        Ailment::Jpeg
    } else if noise > NOISE {
        Ailment::Noise
    } else {
        Ailment::None
    }
}

fn reason(found: &Diagnosis) -> String {
    let mut parts = vec![format!(
        "noise σ {:.1} of 255, coarse {:.1}",
        found.noise * 255.0,
        found.coarse_noise * 255.0
    )];
    if let Some(blur) = found.blur {
        parts.push(format!("edges of {blur:.1} px"));
    }
    match found.jpeg {
        Some(quality) => parts.push(format!("JPEG quality {quality}")),
        None => parts.push("no trace of JPEG".to_owned()),
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(noise: f32, coarse: f32, blur: f32, jpeg: Option<u8>) -> Diagnosis {
        Diagnosis {
            noise: noise / 255.0,
            coarse_noise: coarse / 255.0,
            blur: Some(blur),
            jpeg,
            blocking: 1.0,
        }
    }

    #[test]
    fn each_ailment_gets_its_model() {
        let models: Vec<(String, Task)> = [
            ("deblur", Task::Deblur),
            ("denoise-tiny", Task::Denoise),
            ("denoise-base", Task::Denoise),
        ]
        .map(|(name, task)| (name.to_owned(), task))
        .to_vec();
        for (found, ailment, model) in [
            (found(1.0, 1.0, 0.6, None), Ailment::None, None),
            (found(1.0, 3.0, 0.6, Some(95)), Ailment::None, None),
            (
                found(25.0, 26.0, 0.6, None),
                Ailment::Noise,
                Some("denoise-base"),
            ),
            (
                found(12.0, 20.0, 0.6, None),
                Ailment::Camera,
                Some("denoise-base"),
            ),
            (
                found(2.0, 20.0, 0.6, Some(70)),
                Ailment::Camera,
                Some("denoise-base"),
            ),
            (found(12.75, 13.0, 2.4, None), Ailment::Blur, Some("deblur")),
            (found(2.0, 3.0, 0.7, Some(20)), Ailment::Jpeg, None),
        ] {
            let proposal = propose(&found, &models);
            assert_eq!(proposal.ailment, ailment, "{found:?}");
            assert_eq!(proposal.model.as_deref(), model, "{found:?}");
            let told = match ailment {
                Ailment::Camera => found.coarse_noise,
                _ => found.noise,
            };
            assert_eq!((proposal.noise, proposal.strength), (told, 1.0));
        }
        let camera = ("photo".to_owned(), Task::Mixed);
        let proposal = propose(&found(12.0, 20.0, 0.6, None), &[camera]);
        assert_eq!(proposal.model.as_deref(), Some("photo"));
        let sharpen = ["deblur", "deblur-lens"].map(|name| (name.to_owned(), Task::Deblur));
        for (noise, model) in [(3.0, "deblur-lens"), (12.75, "deblur")] {
            let proposal = propose(&found(noise, noise, 2.4, None), &sharpen);
            assert_eq!(proposal.model.as_deref(), Some(model));
        }
        let proposal = propose(&found(12.0, 20.0, 0.6, None), &models);
        assert!(
            proposal.reason.contains("12.0 of 255"),
            "{}",
            proposal.reason
        );
    }
}
