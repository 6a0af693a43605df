//! One engine, a few batches and single jobs on it, and what may happen to them.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::WgpuBackend;
use super::super::context::Context;
use super::super::faults::Fault;
use super::Tally;
use super::curve::Watch;
use super::files::{self, Fate, Source};
use crate::checkpoint::Checkpoint;
use crate::image::{Limits, Picture, SaveOptions};
use crate::restore::batch::{
    BatchRequest, BatchRun, Decision, Destination, Entry, Existing, FileState, Work, plan_batch,
    settings_of,
};
use crate::restore::{self, Device, Engine, Event, Job, JobHandle, Options, Region, Restorer};

const FAULTS: [Fault; 6] = [
    Fault::Full,
    Fault::Lost,
    Fault::Refused,
    Fault::Dropped,
    Fault::Hung,
    Fault::Unwritten,
];

/// More than any picture here has; damage to a header must not make hours of work.
const MOST_PIXELS: u64 = 60_000;

/// Mean difference that faults must not exceed: eight bits, lossy formats, tiles of other sizes.
const OFF: f32 = 0.02;

/// Ids of single jobs; those of batches are smaller.
const SINGLES: u64 = 1 << 40;

pub(super) struct Round<'a> {
    rng: ChaCha8Rng,
    number: u64,
    graphics: bool,
    models: &'a [Arc<Checkpoint>],
    watch: &'a Watch,
    tally: &'a mut Tally,
    next_id: u64,
    next_single: u64,
    /// Single jobs that have not ended, and whether they were cancelled.
    singles: HashMap<u64, (JobHandle, bool)>,
    /// The fault that may strike.
    planned: Option<Fault>,
    lost: bool,
    /// Nothing is begun afterwards, and what runs is cancelled.
    end: Instant,
}

impl<'a> Round<'a> {
    pub fn new(
        number: u64,
        models: &'a [Arc<Checkpoint>],
        watch: &'a Watch,
        tally: &'a mut Tally,
        end: Instant,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        Self {
            graphics: rng.random_bool(0.65),
            rng,
            number,
            models,
            watch,
            tally,
            next_id: 1,
            next_single: SINGLES,
            singles: HashMap::new(),
            planned: None,
            lost: false,
            end,
        }
    }

    /// Whether it wants a graphics device.
    pub fn on_graphics(&self) -> bool {
        self.graphics
    }

    /// Runs it; answers whether the device is still there.
    pub fn run(mut self, context: Option<&Arc<Context>>) -> bool {
        let device = match context {
            Some(context) => Device::with(Arc::new(WgpuBackend {
                context: context.clone(),
                verdicts: Vec::new(),
            })),
            None => Device::cpu(),
        };
        let (engine, events) = Engine::start_with(move || Ok(device), || ());
        for _ in 0..self.rng.random_range(1..=3) {
            self.folder(&engine, &events, context);
            if Instant::now() >= self.end {
                break;
            }
        }
        self.strike(context, None);
        // Dropped at work now and then: it must end soon all the same.
        if self.rng.random_bool(0.2) {
            self.single(&engine);
        }
        drop(engine);
        self.watch.beat();
        !self.lost
    }

    /// A folder restored by one call, or by a second where the first was cut off.
    fn folder(
        &mut self,
        engine: &Engine,
        events: &Receiver<Event>,
        context: Option<&Arc<Context>>,
    ) {
        let desk = tempfile::tempdir().unwrap();
        let count = self.rng.random_range(2..14);
        let mut sources = files::make(&desk.path().join("in"), count, &mut self.rng);
        let work = self.work();
        let request = BatchRequest {
            inputs: vec![desk.path().join("in")],
            destination: Destination::At(desk.path().join("out")),
            recursive: true,
            format: files::format(&mut self.rng),
            existing: match self.rng.random_bool(0.5) {
                true => Existing::Refuse,
                false => Existing::Update,
            },
            settings: Some(settings_of(&work.model, &work.options, &work.save)),
            ..BatchRequest::default()
        };
        let mut done = HashSet::new();
        for call in 0..2 {
            let plan = plan_batch(&request).unwrap();
            let here = sources.iter().filter(|s| s.path.exists()).count();
            assert_eq!(plan.entries.len(), here, "all are planned");
            for entry in &plan.entries {
                // By a second call only what the first did not do.
                let skipped = matches!(entry.decision, Decision::Skip(_));
                let known = done.contains(&entry.item.output);
                assert_eq!(skipped, known, "{entry:?}");
            }
            let mut run = BatchRun::new(plan, work.clone(), self.next_id);
            self.next_id += run.entries().len() as u64;
            let cancelled = self.drive(&mut run, engine, events, context, &mut sources);
            self.account(&mut run, &work, &sources, cancelled, &mut done);
            self.tally.batches += 1;
            let left = names(&desk.path().join("out"));
            assert!(!left.iter().any(|n| n.ends_with(".tmp")), "{left:?}");
            // What was taken away or is damaged may look made, or not.
            sources.retain(|s| s.bytes.is_some());
            if call == 1 || !self.rng.random_bool(0.4) || Instant::now() >= self.end {
                break;
            }
            for gone in names(&desk.path().join("in")) {
                let known = sources.iter().any(|s| s.path.ends_with(&gone));
                if !known {
                    std::fs::remove_file(desk.path().join("in").join(gone)).unwrap();
                }
            }
            if sources.is_empty() {
                break;
            }
        }
    }

    /// Any model and any options.
    fn work(&mut self) -> Work {
        let rng = &mut self.rng;
        let model = self.models[rng.random_range(0..self.models.len())].clone();
        let limit = match rng.random_bool(0.1) {
            true => 2000,
            false => MOST_PIXELS,
        };
        Work {
            model,
            options: Options {
                tile: [0, 0, 32, 48, 100][rng.random_range(0..5)],
                strength: [1.0, 1.0, 0.5, 0.0][rng.random_range(0..4)],
                noise: rng.random_bool(0.3).then(|| rng.random_range(0.0..0.3)),
                memory: [1 << 30, 8 << 20][usize::from(rng.random_bool(0.3))],
                ensemble: rng.random_bool(0.08),
                keep_flat: true,
                limits: Limits { max_pixels: limit },
            },
            save: SaveOptions {
                format: None,
                quality: rng.random_range(50..=100),
                strip_gps: rng.random_bool(0.5),
            },
        }
    }

    /// Runs a batch to its end; answers whether it was cancelled.
    fn drive(
        &mut self,
        run: &mut BatchRun,
        engine: &Engine,
        events: &Receiver<Event>,
        context: Option<&Arc<Context>>,
        sources: &mut [Source],
    ) -> bool {
        let mut cancelled = false;
        run.feed(engine);
        let fault = self.fault();
        self.strike(context, fault);
        while !run.is_over() || !self.singles.is_empty() {
            match events.recv_timeout(Duration::from_millis(50)) {
                Ok(Event::NoDevice { message }) => panic!("{message}"),
                Ok(event) => {
                    self.watch.beat();
                    if run.take(&event).is_none() {
                        self.take_single(&event);
                    }
                }
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => panic!("the engine thread has ended"),
            }
            if run.is_over() {
                continue;
            }
            let late = Instant::now() >= self.end;
            match self.rng.random_range(0..300) {
                n if !cancelled && (late || n == 19) => {
                    run.cancel();
                    cancelled = true;
                    self.tally.cancels += 1;
                }
                0..10 => {
                    let fault = self.fault();
                    self.strike(context, fault);
                }
                10..14 => self.single(engine),
                14..17 => self.take_away(sources),
                17..19 => {
                    engine.set_paused(true);
                    run.set_paused(true);
                    std::thread::sleep(Duration::from_millis(self.rng.random_range(0..20)));
                    run.set_paused(false);
                    engine.set_paused(false);
                }
                _ => (),
            }
            run.feed(engine);
        }
        self.strike(context, None);
        cancelled
    }

    fn fault(&mut self) -> Option<Fault> {
        let any = FAULTS[self.rng.random_range(0..FAULTS.len())];
        self.rng.random_bool(0.6).then_some(any)
    }

    /// Counts the fault that was planned if it has struck, and plans another.
    fn strike(&mut self, context: Option<&Arc<Context>>, next: Option<Fault>) {
        let Some(context) = context else {
            return;
        };
        if let Some(fault) = self.planned.take().filter(|_| context.planned.end()) {
            *self.tally.faults.entry(format!("{fault:?}")).or_default() += 1;
            self.lost |= fault == Fault::Lost;
        }
        if let Some(fault) = next {
            let most = [3, 20, 80][self.rng.random_range(0..3)];
            let before = self.rng.random_range(0..most);
            let lasting = fault == Fault::Full && self.rng.random_bool(0.5);
            context.planned.choose(fault, before, lasting);
            self.planned = Some(fault);
        }
    }

    /// A part of a picture in memory, as the window asks for it.
    fn single(&mut self, engine: &Engine) {
        let picture = files::picture(&mut self.rng);
        let (width, height) = (picture.width(), picture.height());
        let region = self.rng.random_bool(0.6).then(|| Region {
            x: self.rng.random_range(0..width),
            y: self.rng.random_range(0..height),
            width: self.rng.random_range(1..=width),
            height: self.rng.random_range(1..=height),
        });
        let work = self.work();
        self.next_single += 1;
        let handle = engine.submit(Job {
            id: self.next_single,
            source: restore::Source::Picture(Arc::new(picture)),
            model: work.model,
            options: work.options,
            region,
            output: None,
        });
        let cancelled = self.rng.random_bool(0.3);
        if cancelled {
            handle.cancel();
        }
        self.singles.insert(self.next_single, (handle, cancelled));
    }

    fn take_single(&mut self, event: &Event) {
        let (id, end) = match event {
            Event::Finished { id, .. } => (id, "finished"),
            Event::Cancelled { id } => (id, "cancelled"),
            Event::Failed { id, message } => panic!("job {id}: {message}"),
            _ => return,
        };
        let (_, cancelled) = self.singles.remove(id).expect("a job ends once");
        assert!(cancelled || end == "finished", "nobody cancelled {id}");
        *self.tally.singles.entry(end).or_default() += 1;
        self.watch.ended(1);
    }

    /// A file goes, or becomes something else.
    fn take_away(&mut self, sources: &mut [Source]) {
        let source = &mut sources[self.rng.random_range(0..sources.len())];
        if source.bytes.take().is_some() {
            match self.rng.random_bool(0.5) {
                true => std::fs::remove_file(&source.path).unwrap(),
                false => std::fs::write(&source.path, "another program's").unwrap(),
            }
            source.fate = Fate::Either;
            self.tally.vanished += 1;
        }
    }

    /// Every file has ended as it must, and nothing else is there.
    fn account(
        &mut self,
        run: &mut BatchRun,
        work: &Work,
        sources: &[Source],
        cancelled: bool,
        done: &mut HashSet<std::path::PathBuf>,
    ) {
        assert!(run.trouble().is_none(), "{:?}", run.trouble());
        assert_eq!(run.rows().len(), run.entries().len(), "a row for each");
        assert_eq!(run.summary().left, 0);
        for source in sources {
            if let Some(bytes) = &source.bytes {
                assert!(
                    std::fs::read(&source.path).unwrap() == *bytes,
                    "a source changed"
                );
            }
        }
        let fates: HashMap<&Path, Fate> =
            sources.iter().map(|s| (s.path.as_path(), s.fate)).collect();
        let entries: Vec<(Entry, FileState)> = run
            .entries()
            .iter()
            .cloned()
            .zip(run.states().iter().cloned())
            .collect();
        for (entry, state) in entries {
            let (input, output) = (&entry.item.input, &entry.item.output);
            let at = format!("round {}, {}: {state:?}", self.number, input.display());
            let fate = match fates[input.as_path()] {
                Fate::Good(w, h) if (w * h) as u64 > work.options.limits.max_pixels => Fate::Bad,
                other => other,
            };
            let end = match &state {
                FileState::Done { notes, .. } => {
                    assert_ne!(fate, Fate::Bad, "{at}");
                    self.noted(notes);
                    let picture = Picture::open(output).expect("what is done is whole");
                    if let Fate::Good(width, height) = fate {
                        let scale = work.model.config.scale;
                        let size = (picture.width(), picture.height());
                        assert_eq!(size, (width * scale, height * scale), "{at}");
                        if self.rng.random_bool(0.2) {
                            self.compare(&picture, input, output, work, &at);
                        }
                    }
                    done.insert(output.clone());
                    "done"
                }
                FileState::Failed(reason) => {
                    let name = input.file_stem().unwrap().to_str().unwrap();
                    assert!(reason.contains(name), "{at}");
                    // Of good pictures only those that the disk does not hold.
                    let full = reason.contains("File too large");
                    assert!(full || !matches!(fate, Fate::Good(..)), "{at}");
                    assert!(!output.exists(), "{at}");
                    match full {
                        true => "failed, no room on the disk",
                        false => "failed, no picture",
                    }
                }
                FileState::Cancelled => {
                    assert!(cancelled && !output.exists(), "{at}");
                    "cancelled"
                }
                FileState::Skipped(_) => {
                    assert!(done.contains(output) && output.exists(), "{at}");
                    "skipped"
                }
                FileState::Waiting | FileState::Running { .. } => panic!("{at}"),
            };
            *self.tally.files.entry(end).or_default() += 1;
            self.watch.ended(1);
        }
    }

    fn noted(&mut self, notes: &[String]) {
        for known in ["restored on the processor", "smaller tiles"] {
            if notes.iter().any(|n| n.starts_with(known)) {
                *self.tally.notes.entry(known).or_default() += 1;
            }
        }
    }

    /// The result is what a processor without faults makes.
    fn compare(&mut self, picture: &Picture, input: &Path, output: &Path, work: &Work, at: &str) {
        let mut restorer = Restorer::new(Arc::new(Device::cpu()), work.model.clone()).unwrap();
        let source = Picture::open(input).unwrap();
        let mut go_on = |_, _| ControlFlow::Continue(());
        let right = restorer
            .restore(&source, &work.options, &mut go_on)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(output.file_name().unwrap());
        // It may be a few bytes too long.
        if right.picture.save(&path, &work.save).is_err() {
            return;
        }
        let right = Picture::open(&path).unwrap();
        let pairs = picture.samples().iter().zip(right.samples());
        let off: f32 = pairs.map(|(a, b)| (a - b).abs()).sum();
        let mean = off / right.samples().len() as f32;
        assert!(mean < OFF, "{mean} off: {at}");
        self.tally.compared += 1;
    }
}

/// Paths below a folder.
fn names(folder: &Path) -> Vec<String> {
    let all = walkdir::WalkDir::new(folder).into_iter().flatten();
    all.filter(|e| e.file_type().is_file())
        .map(|e| {
            e.path()
                .strip_prefix(folder)
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}
