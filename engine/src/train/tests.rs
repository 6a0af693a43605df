#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(super) fn config() -> super::TrainConfig {
    toml::from_str(
        r#"
        task = "denoise"
        steps = 30
        seed = 5
        output = "run"
        degradations = [{ kind = "noise", sigma = [0.0, 50.0] }]
        [network]
        channels = 4
        depths = [1, 1]
        states = 2
        [data]
        folders = ["photos"]
        crop = 16
        batch = 3
        threads = 2
        [intervals]
        log = 4
        validate = 10
        [validation]
        folder = "validation"
        crop = 32
        "#,
    )
    .unwrap()
}

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::degrade::{Degradation, Range};
use super::*;
use crate::backend::{
    Backend, BackendError, Executable, Model, StepReport, StepSettings, Trainer, TrainingState,
};
use crate::checkpoint::{Checkpoint, SavedTraining, Task};
use crate::graph::{Graph, TrainingGraph};

/// A device without a device: its "gradient" pulls every weight towards the mean of the
/// input, so that weights, moments and average depend on every batch and setting.
#[derive(Default)]
struct Fake {
    /// The step whose loss is NaN; 0: none.
    broken: AtomicU64,
}

struct FakeTrainer {
    state: TrainingState,
    reports: Vec<StepReport>,
    broken: u64,
}

impl Backend for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    fn load(&self, _: &[Vec<f32>]) -> Result<Box<dyn Model>, BackendError> {
        Ok(Box::new(Identity))
    }

    fn trainer(
        &self,
        graph: &TrainingGraph,
        decay: &[bool],
        state: &TrainingState,
    ) -> Result<Box<dyn Trainer>, BackendError> {
        assert_eq!(graph.gradients.len(), state.weights.len());
        assert_eq!(decay.len(), state.weights.len());
        Ok(Box::new(FakeTrainer {
            state: state.clone(),
            reports: Vec::new(),
            broken: self.broken.load(Ordering::Relaxed),
        }))
    }
}

impl Trainer for FakeTrainer {
    fn step(&mut self, inputs: &[&[f32]], s: &StepSettings) -> Result<(), BackendError> {
        let mean = |x: &[f32]| x.iter().sum::<f32>() / x.len() as f32;
        let pull = mean(inputs[0]) + mean(inputs[1]);
        let t = &mut self.state;
        let mut loss = 0.0;
        for (((w, m), v), a) in t
            .weights
            .iter_mut()
            .zip(&mut t.first)
            .zip(&mut t.second)
            .zip(&mut t.average)
        {
            let g = w[0] - pull;
            loss += g * g;
            m[0] = s.beta1 * m[0] + (1.0 - s.beta1) * g;
            v[0] = s.beta2 * v[0] + (1.0 - s.beta2) * g * g;
            w[0] -= s.learning_rate * m[0] / (v[0].sqrt() + s.epsilon);
            a[0] = s.ema_decay * a[0] + (1.0 - s.ema_decay) * w[0];
        }
        self.reports.push(StepReport {
            step: s.step,
            loss: if s.step == self.broken {
                f32::NAN
            } else {
                loss
            },
            gradient_norm: loss.sqrt(),
        });
        Ok(())
    }

    fn reports(&mut self) -> Result<Vec<StepReport>, BackendError> {
        Ok(std::mem::take(&mut self.reports))
    }

    fn state(&mut self) -> Result<TrainingState, BackendError> {
        Ok(self.state.clone())
    }

    fn memory_bytes(&self) -> u64 {
        123
    }
}

struct Identity;

impl Model for Identity {
    fn prepare(&self, _: &Graph) -> Result<Box<dyn Executable>, BackendError> {
        Ok(Box::new(Identity))
    }
}

impl Executable for Identity {
    fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, BackendError> {
        Ok(vec![inputs[0].to_vec()])
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}

/// A folder with a few small photographs, an unusable file, and a configuration for it.
fn scene() -> (tempfile::TempDir, TrainConfig) {
    let folder = tempfile::tempdir().unwrap();
    for (name, count) in [("photos", 3u32), ("validation", 2)] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        for i in 0..count {
            let picture = image::RgbImage::from_fn(40 + i, 37, |x, y| {
                image::Rgb([(x * 5 + i * 40) as u8, (y * 6) as u8, ((x * y) % 256) as u8])
            });
            picture
                .save(folder.path().join(format!("{name}/{i}.png")))
                .unwrap();
        }
    }
    std::fs::write(folder.path().join("photos/broken.jpg"), b"not a picture").unwrap();
    let mut config = config();
    config.folder = folder.path().to_owned();
    (folder, config)
}

fn train(
    config: &TrainConfig,
    resume: bool,
    backend: &Fake,
    mut on_event: impl FnMut(&Event, &AtomicBool),
) -> Result<Finished, TrainError> {
    let stop = AtomicBool::new(false);
    let options = Options {
        resume,
        time_limit: None,
    };
    run(config, &options, backend, &stop, &mut |e| {
        on_event(&e, &stop)
    })
}

/// The log without clocks.
fn losses(path: &Path) -> Vec<(u64, u32, u32, u32)> {
    let log = Log::open(path, u64::MAX).unwrap();
    let lines = log.lines.iter().filter_map(|line| match *line {
        LogLine::Step {
            step,
            loss,
            gradient_norm,
            learning_rate,
            ..
        } => Some((
            step,
            loss.to_bits(),
            gradient_norm.to_bits(),
            learning_rate.to_bits(),
        )),
        LogLine::Validation { .. } => None,
    });
    lines.collect()
}

#[test]
fn a_run_leaves_a_model_a_state_a_log_and_curves() {
    let (folder, config) = scene();
    let mut seen = Vec::new();
    let done = train(&config, false, &Fake::default(), |e, _| {
        seen.push(e.clone())
    })
    .unwrap();
    assert_eq!((done.stopped, done.step), (Stopped::Done, 30));
    let out = folder.path().join("run");
    assert_eq!(losses(&out.join("log.jsonl")).len(), 30);
    assert!(out.join("curves.png").exists());
    let model = Checkpoint::load(&done.model).unwrap();
    let state = SavedTraining::load(out.join("state.safetensors")).unwrap();
    assert_eq!((model.task, state.step), (Task::Denoise, 30));
    assert_eq!(model.recipe["steps_done"], 30);
    assert_eq!(model.recipe["photographs"], 3);
    assert_eq!(
        model.recipe["history"][0]["training"]["data"]["folders"][0],
        "photos"
    );
    // The identity returns the noisy picture: validation measures exactly that.
    let psnr = done.validation_psnr.unwrap();
    assert!((10.0..60.0).contains(&psnr), "{psnr}");
    let validated: Vec<u64> = seen
        .iter()
        .filter_map(|e| match e {
            Event::Validated {
                step,
                psnr,
                input_psnr,
            } => {
                assert!((psnr - input_psnr).abs() < 1e-9);
                Some(*step)
            }
            _ => None,
        })
        .collect();
    assert_eq!(validated, [10, 20, 30]);
    assert!(
        seen.iter()
            .any(|e| matches!(e, Event::Skipped { path, .. } if path.ends_with("broken.jpg")))
    );
    assert!(
        seen.iter()
            .any(|e| matches!(e, Event::Decoded { photographs: 3, .. }))
    );
    assert!(
        seen.iter()
            .any(|e| matches!(e, Event::Progress(p) if p.step == 30 && p.seconds_left == 0.0))
    );
}

#[test]
fn a_run_begins_with_a_models_weights() {
    let (folder, config) = scene();
    let first = train(&config, false, &Fake::default(), |_, _| {}).unwrap();
    let model = Checkpoint::load(&first.model).unwrap();
    let begin = |start: &str, settings: fn(&mut TrainConfig)| {
        let mut config = config.clone();
        config.output = "second".into();
        config.start = Some(start.into());
        config.steps = 1;
        settings(&mut config);
        let mut begun = None;
        let done = train(&config, false, &Fake::default(), |e, _| {
            if let Event::Begun { taken, of, .. } = e {
                begun = Some((*taken, *of));
            }
        });
        let _ = std::fs::remove_dir_all(folder.path().join("second"));
        done.map(|_| begun.unwrap())
    };
    let all = model.weights.len();
    let same = begin("run/model.safetensors", |_| {}).unwrap();
    assert_eq!(same, (all, all));
    // A deeper network takes what it shares and draws the rest.
    let (taken, of) = begin("run/model.safetensors", |c| {
        c.network.depths = Some(vec![1, 2]);
    })
    .unwrap();
    assert!(taken == all && of > all, "{taken} of {of}");
    let wider = begin("run/model.safetensors", |c| c.network.channels = Some(8));
    let missing = begin("nothing.safetensors", |_| {});
    assert!(matches!(wider, Err(TrainError::Start { .. })), "{wider:?}");
    assert!(matches!(missing, Err(TrainError::Checkpoint(_))));
}

#[test]
fn stopped_and_resumed_equals_uninterrupted() {
    let (folder, config) = scene();
    let mut whole = config.clone();
    whole.output = "whole".into();
    train(&whole, false, &Fake::default(), |_, _| {}).unwrap();

    let fake = Fake::default();
    for _ in 0..20 {
        let resume = folder.path().join("run").exists();
        let stopped = train(&config, resume, &fake, |e, stop| {
            if matches!(e, Event::Progress(p) if p.step % 8 == 0) {
                stop.store(true, Ordering::Relaxed);
            }
        });
        if stopped.unwrap().stopped == Stopped::Done {
            break;
        }
    }
    let path = |run: &str, file: &str| folder.path().join(run).join(file);
    let log = losses(&path("run", "log.jsonl"));
    assert_eq!(log.len(), 30);
    assert_eq!(log, losses(&path("whole", "log.jsonl")));
    let a = SavedTraining::load(path("run", "state.safetensors")).unwrap();
    let b = SavedTraining::load(path("whole", "state.safetensors")).unwrap();
    assert_eq!((a.step, &a.state), (b.step, &b.state));
    assert_eq!(
        a.recipe["history"],
        serde_json::json!([{
            "from_step": 0,
            "training": a.recipe["history"][0]["training"],
        }])
    );
}

#[test]
fn work_after_the_last_state_is_done_again_alike() {
    let (folder, config) = scene();
    train(&config, false, &Fake::default(), |_, _| {}).unwrap();
    let log = folder.path().join("run/log.jsonl");
    let state = folder.path().join("run/state.safetensors");
    let (whole, end) = (losses(&log), SavedTraining::load(&state).unwrap());
    // A kill leaves the log ahead of the state, and may damage what was being written.
    let previous = folder.path().join("run/state.previous.safetensors");
    assert_eq!(SavedTraining::load(&previous).unwrap().step, 0);
    std::fs::write(&state, b"damaged").unwrap();
    let mut fell_back = false;
    train(&config, true, &Fake::default(), |e, _| {
        fell_back |= matches!(e, Event::FellBack { .. });
    })
    .unwrap();
    assert!(fell_back);
    assert_eq!(losses(&log), whole);
    assert_eq!(SavedTraining::load(&state).unwrap().state, end.state);
}

#[test]
fn a_loss_that_is_not_finite_stops_with_the_last_good_state() {
    let (folder, mut config) = scene();
    config.intervals.checkpoint_minutes = 0.0;
    let fake = Fake {
        broken: AtomicU64::new(17),
    };
    let error = train(&config, false, &fake, |_, _| {}).unwrap_err();
    let message = error.to_string();
    assert!(
        matches!(
            error,
            TrainError::NotFinite {
                step: 17,
                kept_step: 16,
                ..
            }
        ),
        "{message}"
    );
    assert!(
        message.contains("learning_rate") && message.contains("--resume"),
        "{message}"
    );
    let state = SavedTraining::load(folder.path().join("run/state.safetensors")).unwrap();
    assert_eq!(state.step, 16);
    assert_eq!(losses(&folder.path().join("run/log.jsonl")).len(), 16);

    // A gentler configuration goes on from there and says so.
    config.optimiser.learning_rate = 1e-4;
    config.steps = 25;
    let done = train(&config, true, &Fake::default(), |_, _| {}).unwrap();
    assert_eq!(done.step, 25);
    let recipe = Checkpoint::load(done.model).unwrap().recipe;
    assert_eq!(recipe["history"][1]["from_step"], 16);
    assert_eq!(recipe["history"][1]["training"]["steps"], 25);
}

#[test]
fn the_time_limit_stops_with_everything_saved() {
    let (folder, mut config) = scene();
    config.steps = u64::MAX / 2;
    let options = Options {
        resume: false,
        time_limit: Some(Duration::from_millis(300)),
    };
    let stop = AtomicBool::new(false);
    let done = run(&config, &options, &Fake::default(), &stop, &mut |_| {}).unwrap();
    assert_eq!(done.stopped, Stopped::TimeLimit);
    let state = SavedTraining::load(folder.path().join("run/state.safetensors")).unwrap();
    assert_eq!(state.step, done.step);
    assert!(done.step > 0);
}

#[test]
fn mistaken_starts_are_refused() {
    let (folder, config) = scene();
    let fake = Fake::default();
    let error = train(&config, true, &fake, |_, _| {}).unwrap_err();
    assert!(matches!(error, TrainError::NothingToResume { .. }));
    train(&config, false, &fake, |_, _| {}).unwrap();
    let error = train(&config, false, &fake, |_, _| {}).unwrap_err();
    assert!(matches!(error, TrainError::Occupied { .. }));
    let mut other = config.clone();
    other.network.states = Some(3);
    let error = train(&other, true, &fake, |_, _| {}).unwrap_err();
    assert!(matches!(
        error,
        TrainError::Differs {
            what: "network",
            ..
        }
    ));

    let mut fresh = config.clone();
    fresh.output = "fresh".into();
    let with_folder = |f: &str| {
        let mut c = fresh.clone();
        c.data.folders = vec![f.into()];
        c
    };
    let message = train(&with_folder("no/such"), false, &fake, |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("no/such"), "{message}");
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let message = train(&with_folder("empty"), false, &fake, |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("no usable photograph"), "{message}");
    let mut large = fresh.clone();
    large.data.crop = 64;
    let message = train(&large, false, &fake, |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("a crop needs 64"), "{message}");
    let mut enlarging = fresh;
    enlarging.network.scale = Some(2);
    let message = train(&enlarging, false, &fake, |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("network's scale of 2"), "{message}");
}

#[test]
fn photographs_are_learned_as_restoring_shows_them() {
    use crate::image::{Colour, Metadata, Picture, SaveOptions};
    let folder = tempfile::tempdir().unwrap();
    let samples: Vec<f32> = (0..24 * 24 * 3).map(|i| (i % 200) as f32 / 255.0).collect();
    let plain = Picture::new(24, 24, Colour::Rgb, samples).unwrap();
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let wide = plain.clone().with_metadata(Metadata {
        icc: Some(profile),
        ..Metadata::default()
    });
    for (name, picture) in [("a.png", &wide), ("b.png", &plain)] {
        let path = folder.path().join(name);
        picture.save(path, &SaveOptions::default()).unwrap();
    }
    let photos = Photos::load(&[folder.path().to_owned()], 16)
        .unwrap()
        .photos;
    assert_eq!(photos[1].rgb, plain.to_rgb().to_bytes());
    assert_eq!(photos[0].rgb, wide.in_srgb().to_rgb().to_bytes());
    let pairs = photos[0].rgb.iter().zip(&photos[1].rgb);
    let far = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(far > 10, "Display P3 is another space: {far}");
}

#[test]
fn batches_are_a_function_of_the_step_and_crops_are_turned() {
    let (folder, mut config) = scene();
    config.degradations.clear();
    let photos = Photos::load(&[folder.path().join("photos")], 16).unwrap();
    assert_eq!(photos.skipped.len(), 1);
    let photos = Arc::new(photos);
    let sampler = Sampler::new(&config, photos.clone());
    let batch = sampler.batch(7).unwrap();
    assert_eq!(batch.input.len(), 3 * 16 * 16 * 3);
    assert_eq!(batch.input, batch.target, "no degradation");
    assert_eq!(
        batch,
        Sampler::new(&config, photos.clone()).batch(7).unwrap()
    );
    assert_ne!(batch, sampler.batch(8).unwrap());
    config.seed += 1;
    assert_ne!(
        batch,
        Sampler::new(&config, photos.clone()).batch(7).unwrap()
    );

    // Every crop is a turned square of a photograph: red grows along one axis, green along the other.
    let mut turns = std::collections::HashSet::new();
    for step in 0..60 {
        let crop = &sampler.batch(step).unwrap().target[..16 * 16 * 3];
        let at = |y: usize, x: usize, c: usize| crop[(y * 16 + x) * 3 + c];
        let down = [at(15, 0, 0) - at(0, 0, 0), at(15, 0, 1) - at(0, 0, 1)];
        let right = [at(0, 15, 0) - at(0, 0, 0), at(0, 15, 1) - at(0, 0, 1)];
        let transposed = right[0].abs() < down[0].abs();
        let (red, green) = if transposed {
            (down[0], right[1])
        } else {
            (right[0], down[1])
        };
        turns.insert((transposed, red > 0.0, green > 0.0));
    }
    assert_eq!(turns.len(), 8);
}

/// The level of the noise reaches the network as its fourth channel.
#[test]
fn the_noise_map_tells_the_level() {
    let (folder, mut config) = scene();
    config.network.noise_map = Some(true);
    config.degradations = toml::from_str::<TrainConfig>(
        "task = \"denoise\"\nsteps = 1\noutput = \"o\"\ndegradations = [{ kind = \"noise\", sigma = [25.5, 25.5] }]\n[data]\nfolders = [\"p\"]",
    )
    .unwrap()
    .degradations;
    let photos = Photos::load(&[folder.path().join("photos")], 16).unwrap();
    let batch = Sampler::new(&config, Arc::new(photos)).batch(1).unwrap();
    assert_eq!(batch.input.len(), 3 * 16 * 16 * 4);
    let mut squares = 0.0;
    for (input, target) in batch
        .input
        .as_chunks::<4>()
        .0
        .iter()
        .zip(batch.target.as_chunks::<3>().0)
    {
        assert!((input[3] - 0.1).abs() < 1e-6);
        squares += (0..3).map(|c| (input[c] - target[c]).powi(2)).sum::<f32>();
    }
    let sigma = (squares / batch.target.len() as f32).sqrt();
    assert!((sigma - 0.1).abs() < 0.005, "{sigma}");
}

/// With a margin, a blur sees the photograph beyond the crop: away from the photograph's own
/// edges it is the whole photograph's blur, cut.
#[test]
fn a_margin_keeps_mirrors_out_of_blurs() {
    let (folder, mut config) = scene();
    config.degradations = vec![Degradation::GaussianBlur {
        sigma: Range::new(2.0, 2.0),
        taps: 13,
    }];
    // A ramp: blurred, it stays what it is, unless its edges are mirrored.
    let ramp = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([4 * x as u8, 4 * y as u8, 9]));
    let only = folder.path().join("ramp");
    std::fs::create_dir(&only).unwrap();
    ramp.save(only.join("ramp.png")).unwrap();
    let worst = |margin: usize| {
        config.data.margin = margin;
        let photos = Photos::load(std::slice::from_ref(&only), 16 + 2 * margin).unwrap();
        let batch = Sampler::new(&config, Arc::new(photos)).batch(1).unwrap();
        assert_eq!(batch.input.len(), 3 * 16 * 16 * 3);
        let pairs = batch.input.iter().zip(&batch.target);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let mut worst = worst;
    assert!(worst(6) < 1e-5);
    assert!(worst(0) > 1e-3);
}

#[test]
fn some_crops_are_flat_when_asked() {
    let (folder, mut config) = scene();
    config.degradations.clear();
    let photos = Arc::new(Photos::load(&[folder.path().join("photos")], 16).unwrap());
    let without = Sampler::new(&config, photos.clone());
    config.data.flat = 0.5;
    let sampler = Sampler::new(&config, photos);
    let (mut flat, mut ramps, mut photographs) = (0, 0, 0);
    for step in 0..40 {
        for crop in sampler.batch(step).unwrap().target.chunks(16 * 16 * 3) {
            assert!(crop.iter().all(|v| (0.0..=1.0).contains(v)));
            let same = crop.chunks(3).all(|p| p == &crop[..3]);
            // A ramp has no second difference along a row.
            let bend = crop.chunks(16 * 3).flat_map(|row| {
                (3..15 * 3).map(|i| (row[i - 3] - 2.0 * row[i] + row[i + 3]).abs())
            });
            let straight = bend.fold(0.0, f32::max) < 1e-5;
            match (same, straight) {
                (true, _) => flat += 1,
                (false, true) => ramps += 1,
                (false, false) => photographs += 1,
            }
        }
    }
    assert!(
        flat > 15 && ramps > 15 && photographs > 30,
        "{flat} {ramps} {photographs}"
    );
    // The photographs are those there would be anyway.
    let crops = |sampler: &Sampler| -> Vec<Vec<f32>> {
        let batches = (0..40).map(|step| sampler.batch(step).unwrap().target);
        let each = batches.flat_map(|t| {
            t.chunks(16 * 16 * 3)
                .map(<[f32]>::to_vec)
                .collect::<Vec<_>>()
        });
        each.collect()
    };
    let pairs = crops(&sampler).into_iter().zip(crops(&without));
    assert_eq!(pairs.filter(|(a, b)| a == b).count(), photographs);
}

/// Speed of the data pipeline on one core, printed; a bound that only a mistake misses.
#[test]
fn one_core_makes_enough_crops() {
    let (folder, mut config) = scene();
    let picture = image::RgbImage::from_fn(600, 400, |x, y| image::Rgb([x as u8, y as u8, 7]));
    picture
        .save(folder.path().join("photos/large.png"))
        .unwrap();
    config.data.crop = 128;
    config.data.batch = 16;
    let photos = Photos::load(&[folder.path().join("photos")], 128).unwrap();
    let sampler = Sampler::new(&config, Arc::new(photos));
    let begun = std::time::Instant::now();
    for step in 0..5 {
        sampler.batch(step).unwrap();
    }
    let speed = 80.0 / begun.elapsed().as_secs_f64();
    println!("{speed:.0} crops of 128² a second on one core");
    assert!(speed > 20.0, "{speed}");
}
