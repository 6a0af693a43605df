#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! The restorer's and the engine thread's behaviour on devices that fail on demand.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use super::*;
use crate::backend::{Backend, BackendError, Executable, Model, Trainer, TrainingState};
use crate::checkpoint::{Checkpoint, Task};
use crate::graph::{Graph, TrainingGraph};
use crate::image::{BitDepth, Colour, Metadata, Picture};
use crate::network::{Network, NetworkConfig, Preset, initial_weights};

mod fidelity;

/// What a fake device does with a tile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Behaviour {
    /// Changes nothing.
    Keep,
    /// Adds 0.1 to every sample.
    Brighten,
    /// Allows tiles of at most so many pixels.
    Small(usize),
    Lost,
    Refused,
    NotANumber,
    Blank,
    /// Leaves some rows of the result unwritten.
    Holes,
    Hung,
    Dropped,
    /// Has no room for the weights.
    Full,
    Panic,
}

struct Fake {
    name: &'static str,
    behaviour: Behaviour,
    /// Tiles run.
    runs: Arc<AtomicUsize>,
    /// Sizes prepared.
    prepared: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Fake {
    fn new(name: &'static str, behaviour: Behaviour) -> Arc<Self> {
        Arc::new(Self {
            name,
            behaviour,
            runs: Arc::default(),
            prepared: Arc::default(),
        })
    }

    fn clone_parts(&self) -> Self {
        Self {
            name: self.name,
            behaviour: self.behaviour,
            runs: self.runs.clone(),
            prepared: self.prepared.clone(),
        }
    }
}

impl Backend for Fake {
    fn name(&self) -> &str {
        self.name
    }
    fn load(&self, _: &[Vec<f32>]) -> Result<Box<dyn Model>, BackendError> {
        match self.behaviour {
            Behaviour::Full => Err(BackendError::OutOfMemory {
                what: "weights".into(),
                needed: 1,
                available: 0,
                device: self.name.into(),
            }),
            _ => Ok(Box::new(FakeModel(self.clone_parts()))),
        }
    }
    fn trainer(
        &self,
        _: &TrainingGraph,
        _: &[bool],
        _: &TrainingState,
    ) -> Result<Box<dyn Trainer>, BackendError> {
        Err(BackendError::NoDevice {
            wanted: "a trainer".into(),
        })
    }
}

struct FakeModel(Fake);

impl Model for FakeModel {
    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Executable>, BackendError> {
        let dims = graph.dims(graph.inputs[0]).to_vec();
        let (height, width) = (dims[1], dims[2]);
        if let Behaviour::Small(limit) = self.0.behaviour
            && height * width > limit
        {
            return Err(BackendError::OutOfMemory {
                what: "a tile".into(),
                needed: (height * width) as u64,
                available: limit as u64,
                device: self.0.name.into(),
            });
        }
        self.0.prepared.lock().unwrap().push((height, width));
        let scale = graph.dims(graph.outputs[0])[1] / height;
        Ok(Box::new(FakeExecutable {
            device: self.0.clone_parts(),
            dims,
            scale,
        }))
    }
}

struct FakeExecutable {
    device: Fake,
    dims: Vec<usize>,
    scale: usize,
}

impl Executable for FakeExecutable {
    fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, BackendError> {
        self.device.runs.fetch_add(1, Ordering::Relaxed);
        let device = self.device.name.to_owned();
        let (height, width, channels) = (self.dims[1], self.dims[2], self.dims[3]);
        let r = self.scale;
        let more = if self.device.behaviour == Behaviour::Keep {
            0.0
        } else {
            0.1
        };
        let mut out = Vec::new();
        for y in 0..height * r {
            for x in 0..width * r {
                let pixel = &inputs[0][(y / r * width + x / r) * channels..][..3];
                out.extend(pixel.iter().map(|v| v + more));
            }
        }
        match self.device.behaviour {
            Behaviour::Keep | Behaviour::Brighten | Behaviour::Small(_) => Ok(vec![out]),
            Behaviour::Lost => Err(BackendError::Lost {
                device,
                reason: "unplugged".into(),
            }),
            Behaviour::Refused => Err(BackendError::Refused {
                device,
                what: "scan".into(),
                reason: "no".into(),
            }),
            Behaviour::NotANumber => {
                out[7] = f32::NAN;
                Ok(vec![out])
            }
            Behaviour::Blank => Ok(vec![vec![0.0; out.len()]]),
            Behaviour::Holes => {
                let row = 3 * width * r;
                out[5 * row..7 * row].fill(0.0);
                Ok(vec![out])
            }
            Behaviour::Hung => Err(BackendError::TimedOut {
                device,
                seconds: 60,
            }),
            Behaviour::Dropped => Err(BackendError::Dropped {
                device,
                missing: 1,
                of: 3,
            }),
            Behaviour::Full => unreachable!("there are no weights"),
            Behaviour::Panic => panic!("on purpose"),
        }
    }
    fn memory_bytes(&self) -> u64 {
        0
    }
}

fn config(change: impl Fn(&mut NetworkConfig)) -> NetworkConfig {
    let mut config = Preset::Tiny.config();
    config.channels = 4;
    config.depths = vec![1, 1];
    config.states = 2;
    change(&mut config);
    config
}

pub(super) fn checkpoint(change: impl Fn(&mut NetworkConfig)) -> Arc<Checkpoint> {
    let config = config(change);
    let size = config.size_multiple();
    let network = Network::build(&config, 1, size, size).unwrap();
    Arc::new(Checkpoint {
        weights: initial_weights(&network.parameters, 1),
        config,
        task: Task::Denoise,
        recipe: serde_json::Value::Null,
        overlap: None,
    })
}

pub(super) fn picture(width: usize, height: usize) -> Picture {
    let samples = (0..width * height * 3)
        .map(|i| 0.2 + 0.5 * (i as f32 * 0.618).fract())
        .collect();
    Picture::new(width, height, Colour::Rgb, samples).unwrap()
}

fn go_on(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn restorer(gpu: &Arc<Fake>, cpu: &Arc<Fake>) -> Restorer {
    let device = Device::new(Some(gpu.clone()), cpu.clone());
    Restorer::new(Arc::new(device), checkpoint(|_| ())).unwrap()
}

fn brightened(picture: &Picture, restored: &Picture) -> bool {
    let pairs = picture.samples().iter().zip(restored.samples());
    picture.samples().len() == restored.samples().len()
        && pairs.into_iter().all(|(a, b)| (a + 0.1 - b).abs() < 1e-6)
}

#[test]
fn failures_move_the_picture_to_the_processor_and_say_why() {
    // Behaviour, a word of the reason, whether the device is still tried for the next picture.
    let table = [
        (Behaviour::Lost, "unplugged", false),
        (Behaviour::Refused, "refused scan", false),
        (Behaviour::NotANumber, "not finite", true),
        (Behaviour::Blank, "black", true),
        (Behaviour::Holes, "unwritten", false),
        (Behaviour::Hung, "did not answer", false),
        (Behaviour::Dropped, "dropped 1 of 3", false),
        (Behaviour::Small(100), "100", true),
        (Behaviour::Full, "weights", true),
    ];
    for (behaviour, reason, trusted) in table {
        let gpu = Fake::new("gpu", behaviour);
        let cpu = Fake::new("cpu", Behaviour::Brighten);
        let mut restorer = restorer(&gpu, &cpu);
        for _ in 0..2 {
            let p = picture(70, 80);
            let done = restorer
                .restore(&p, &Options::default(), &mut go_on)
                .unwrap();
            assert!(brightened(&p, &done.picture), "{behaviour:?}");
            assert_eq!(done.device, "cpu");
            assert!(
                done.notes.iter().any(|n| n.contains(reason)),
                "{behaviour:?}: {:?}",
                done.notes
            );
        }
        let runs = gpu.runs.load(Ordering::Relaxed);
        if let Behaviour::Small(_) | Behaviour::Full = behaviour {
            assert_eq!(runs, 0);
        } else {
            assert_eq!(runs, if trusted { 2 } else { 1 }, "{behaviour:?}");
        }
    }
}

#[test]
fn short_memory_halves_the_tiles_once() {
    let gpu = Fake::new("gpu", Behaviour::Small(12_000));
    let cpu = Fake::new("cpu", Behaviour::Brighten);
    let mut restorer = restorer(&gpu, &cpu);
    let p = picture(300, 200);
    for round in 0..2 {
        let done = restorer
            .restore(&p, &Options::default(), &mut go_on)
            .unwrap();
        assert!(brightened(&p, &done.picture));
        assert_eq!(done.device, "gpu");
        // 60 800 pixels, then half, a quarter, an eighth; the second picture starts there.
        assert_eq!(
            done.notes.len(),
            if round == 0 { 1 } else { 0 },
            "{:?}",
            done.notes
        );
    }
    let prepared = gpu.prepared.lock().unwrap();
    assert_eq!(
        prepared.len(),
        1,
        "one size for both pictures: {prepared:?}"
    );
}

#[test]
fn the_processor_takes_tiles_unless_told_otherwise() {
    let p = picture(900, 800);
    for (tile, count) in [(0, 2), (4000, 1)] {
        let cpu = Fake::new("cpu", Behaviour::Brighten);
        let device = Arc::new(Device::new(None, cpu.clone()));
        let mut restorer = Restorer::new(device, checkpoint(|_| ())).unwrap();
        let options = Options {
            tile,
            ..Options::default()
        };
        let done = restorer.restore(&p, &options, &mut go_on).unwrap();
        assert!(brightened(&p, &done.picture));
        assert!(cpu.runs.load(Ordering::Relaxed) >= count);
        assert_eq!(cpu.runs.load(Ordering::Relaxed) == 1, count == 1);
    }
}

#[test]
fn failures_of_both_devices_are_errors() {
    for behaviour in [Behaviour::NotANumber, Behaviour::Blank, Behaviour::Holes] {
        let gpu = Fake::new("gpu", behaviour);
        let cpu = Fake::new("cpu", behaviour);
        let result = restorer(&gpu, &cpu).restore(&picture(9, 9), &Options::default(), &mut go_on);
        assert!(matches!(
            result,
            Err(RestoreError::NotFinite { .. }
                | RestoreError::Blank { .. }
                | RestoreError::Holes { .. })
        ));
    }
    let black = Picture::new(8, 8, Colour::Grey, vec![0.0; 64]).unwrap();
    let blank = Fake::new("gpu", Behaviour::Blank);
    let result = restorer(&blank, &blank).restore(&black, &Options::default(), &mut go_on);
    assert!(result.is_ok(), "a black picture may stay black");
}

#[test]
fn kind_alpha_depth_and_metadata_are_kept() {
    let cpu = Fake::new("cpu", Behaviour::Brighten);
    let device = Arc::new(Device::new(None, cpu));
    let metadata = Metadata {
        icc: Some(vec![1, 2, 3]),
        ..Metadata::default()
    };
    let alpha: Vec<f32> = (0..5 * 7).map(|i| i as f32 / 35.0).collect();
    let grey = Picture::new(5, 7, Colour::Grey, vec![0.4; 35])
        .unwrap()
        .with_alpha(Some(alpha.clone()))
        .unwrap()
        .with_depth(BitDepth::Sixteen)
        .with_metadata(metadata.clone());
    // It is flat, and would stay as it is.
    let options = Options {
        keep_flat: false,
        ..Options::default()
    };
    for scale in [1, 2] {
        let model = checkpoint(|c| c.scale = scale);
        let mut restorer = Restorer::new(device.clone(), model).unwrap();
        let done = restorer.restore(&grey, &options, &mut go_on);
        let done = done.unwrap().picture;
        assert_eq!((done.width(), done.height()), (5 * scale, 7 * scale));
        assert_eq!(done.colour(), Colour::Grey);
        assert_eq!(done.depth(), BitDepth::Sixteen);
        assert_eq!(done.metadata(), &metadata);
        assert!(done.samples().iter().all(|v| (v - 0.5).abs() < 1e-6));
        let new = done.alpha().unwrap();
        assert_eq!(new.len(), 35 * scale * scale);
        if scale == 1 {
            assert_eq!(new, alpha);
        }
    }
}

#[test]
fn strength_mixes_with_the_input() {
    let cpu = Fake::new("cpu", Behaviour::Brighten);
    let device = Arc::new(Device::new(None, cpu));
    let mut restorer = Restorer::new(device, checkpoint(|_| ())).unwrap();
    let p = picture(11, 13);
    for strength in [0.0, 0.25, 1.0] {
        let options = Options {
            strength,
            ..Options::default()
        };
        let done = restorer.restore(&p, &options, &mut go_on).unwrap().picture;
        for (a, b) in p.samples().iter().zip(done.samples()) {
            assert!((a + 0.1 * strength - b).abs() < 1e-6);
        }
    }
    let options = Options {
        strength: 1.5,
        ..Options::default()
    };
    assert!(matches!(
        restorer.restore(&p, &options, &mut go_on),
        Err(RestoreError::Option { .. })
    ));
}

#[test]
fn a_model_that_wants_the_noise_level_gets_it() {
    let cpu = Fake::new("cpu", Behaviour::Brighten);
    let device = Arc::new(Device::new(None, cpu));
    let mut restorer = Restorer::new(device, checkpoint(|c| c.noise_map = true)).unwrap();
    let p = picture(20, 21);
    for noise in [None, Some(0.1)] {
        let options = Options {
            noise,
            ..Options::default()
        };
        let done = restorer.restore(&p, &options, &mut go_on).unwrap();
        assert!(brightened(&p, &done.picture));
    }
}

fn job(id: u64, model: &Arc<Checkpoint>, tile: usize) -> Job {
    Job {
        id,
        source: Source::Picture(Arc::new(picture(200, 40))),
        model: model.clone(),
        options: Options {
            tile,
            ..Options::default()
        },
        region: None,
        output: None,
    }
}

fn engine(behaviour: Behaviour) -> (Engine, Receiver<Event>) {
    Engine::start_with(
        move || Ok(Device::new(None, Fake::new("cpu", behaviour))),
        || (),
    )
}

#[test]
fn a_job_gives_its_events_in_order() {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = woken.clone();
    let (engine, events) = Engine::start_with(
        || Ok(Device::new(None, Fake::new("cpu", Behaviour::Brighten))),
        move || {
            count.fetch_add(1, Ordering::Relaxed);
        },
    );
    engine.submit(job(7, &checkpoint(|_| ()), 64));
    let mut seen = Vec::new();
    loop {
        let event = events.recv().unwrap();
        seen.push(match &event {
            Event::Ready { .. } => "ready".to_owned(),
            Event::Started { id: 7 } => "started".to_owned(),
            Event::Progress {
                id: 7,
                done,
                total,
                pixels: 8000,
            } => format!("{done}/{total}"),
            Event::Finished { id: 7, picture, .. } => {
                assert_eq!((picture.width(), picture.height()), (200, 40));
                "finished".to_owned()
            }
            other => panic!("{other:?}"),
        });
        if matches!(event, Event::Finished { .. }) {
            break;
        }
    }
    drop(engine);
    assert_eq!(woken.load(Ordering::Relaxed), seen.len());
    let expected = [
        "ready", "started", "0/4", "1/4", "2/4", "3/4", "4/4", "finished",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn cancel_ends_a_job_within_one_tile_and_the_next_goes_on() {
    let (engine, events) = engine(Behaviour::Brighten);
    let model = checkpoint(|_| ());
    let long = Job {
        source: Source::Picture(Arc::new(picture(2000, 2000))),
        ..job(1, &model, 16)
    };
    let first = engine.submit(long);
    engine.submit(job(2, &model, 0));
    let mut after = 0;
    let mut cancelled = false;
    for event in events {
        match event {
            Event::Progress { id: 1, done, .. } => {
                if done == 3 {
                    first.cancel();
                }
                after += usize::from(done > 3);
            }
            Event::Cancelled { id } => {
                assert_eq!(id, 1);
                cancelled = true;
            }
            Event::Finished { id, .. } => {
                assert_eq!(id, 2);
                break;
            }
            _ => (),
        }
    }
    assert!(cancelled);
    // Tiles take microseconds here: a few may end before the flag is seen, thousands may not.
    assert!(after < 1000, "{after} tiles after the cancel");
}

#[test]
fn a_panic_fails_its_job_only() {
    let (engine, events) = engine(Behaviour::Panic);
    engine.submit(job(1, &checkpoint(|_| ()), 0));
    engine.submit(job(2, &checkpoint(|_| ()), 0));
    let failed: Vec<u64> = events
        .iter()
        .filter_map(|e| match e {
            Event::Failed { id, .. } => Some(id),
            _ => None,
        })
        .take(2)
        .collect();
    assert_eq!(failed, [1, 2]);
}

#[test]
fn a_device_that_does_not_open_fails_every_job_with_the_reason() {
    let (engine, events) = Engine::start_with(
        || {
            Err(BackendError::NoDevice {
                wanted: "voodoo".into(),
            })
        },
        || (),
    );
    engine.submit(job(1, &checkpoint(|_| ()), 0));
    let messages: Vec<String> = events
        .iter()
        .filter_map(|e| match e {
            Event::NoDevice { message } | Event::Failed { message, .. } => Some(message),
            _ => None,
        })
        .take(2)
        .collect();
    assert!(
        messages.iter().all(|m| m.contains("voodoo")),
        "{messages:?}"
    );
}
