//! A batch at work, on a thread of its own with an engine of its own, on the device that single
//! pictures use too: the window sees where each file stands, pauses and stops it, and never waits
//! for it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use egui::Context;
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::image::SaveOptions;
use serpent_engine::priority;
use serpent_engine::restore::batch::{
    BatchError, BatchPlan, BatchRequest, BatchRun, Decision, Destination, Entry, FileState, Labels,
    Progress, Report, ReportError, Row, Summary, Template, WatchFolder, Work, plan_batch_telling,
    settings_of,
};
use serpent_engine::restore::{DeviceSetup, Engine, Event, ModelLibrary, Options};

use super::settings::BatchSettings;
use super::shared_device::SharedDevice;

/// How often folders are looked at for new pictures.
const WATCH: Duration = Duration::from_secs(1);
/// How often a search for pictures shows how far it is.
const WAKE: Duration = Duration::from_millis(50);
/// How often the thread looks for a pause or a stop.
const TICK: Duration = Duration::from_millis(100);

/// What is to be done, as the page says.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Folders and files.
    pub inputs: Vec<PathBuf>,
    /// How.
    pub settings: BatchSettings,
    /// The model's name.
    pub model: String,
    /// MiB for intermediates.
    pub memory_mib: u64,
    /// Whether results leave out where the photos were taken.
    pub strip_gps: bool,
}

impl Wish {
    /// What is to be restored where.
    ///
    /// # Errors
    /// What is wrong with the names of the results.
    fn request(&self, model: &Checkpoint) -> Result<BatchRequest, String> {
        let template: Template = self
            .settings
            .template
            .parse()
            .map_err(|e| format!("Name of results: {e}"))?;
        Ok(BatchRequest {
            inputs: self.inputs.clone(),
            destination: match &self.settings.output {
                Some(folder) if !self.settings.beside => Destination::At(folder.clone()),
                _ => Destination::Beside,
            },
            template: Some(template),
            labels: Labels {
                model: self.model.clone(),
                scale: model.config.scale,
                strength: self.settings.strength,
            },
            recursive: self.settings.recursive,
            format: self.settings.format(),
            existing: self.settings.existing,
            settings: Some(settings_of(model, &self.options(), &self.save())),
            only: None,
            shard: None,
        })
    }

    fn options(&self) -> Options {
        Options {
            strength: self.settings.strength,
            ensemble: self.settings.ensemble,
            memory: self.memory_mib << 20,
            ..Options::default()
        }
    }

    fn save(&self) -> SaveOptions {
        SaveOptions {
            format: None,
            quality: self.settings.quality,
            strip_gps: self.strip_gps,
        }
    }

    /// Folder of the report.
    fn home(&self) -> PathBuf {
        let output = self.settings.output.clone();
        let output = output.filter(|_| !self.settings.beside);
        output.unwrap_or_else(|| match self.inputs.first() {
            Some(first) if first.is_dir() => first.clone(),
            first => first
                .and_then(|f| f.parent())
                .unwrap_or(Path::new("."))
                .to_owned(),
        })
    }
}

/// A file of the batch as the page lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// The original.
    pub input: PathBuf,
    /// The result.
    pub output: PathBuf,
    /// Where it stands.
    pub state: FileState,
}

/// How many pictures a search has found so far. Searching a large folder, or one on a slow disk,
/// takes its time, and the window shows this meanwhile.
#[derive(Debug, Default)]
pub struct Tally(AtomicUsize);

impl Tally {
    /// Pictures so far.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Listens to a search and wakes the window, not at every picture.
    fn listen(&self, ctx: &Context) -> impl FnMut(usize) {
        let mut woken: Option<Instant> = None;
        move |count| {
            self.0.store(count, Ordering::Relaxed);
            if woken.is_none_or(|at| at.elapsed() >= WAKE) {
                woken = Some(Instant::now());
                ctx.request_repaint();
            }
        }
    }
}

/// What the page sees.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// All files, those found later at the end.
    pub files: Vec<File>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// Files by state.
    pub summary: Summary,
    /// Device in use.
    pub device: Option<String>,
    /// What should be known.
    pub trouble: Vec<String>,
    /// Why nothing was done at all.
    pub problem: Option<String>,
    /// Looks for pictures.
    pub searching: bool,
    /// Waits for new pictures.
    pub watching: bool,
    /// The report, once written.
    pub report: Option<PathBuf>,
    /// The end.
    pub over: bool,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    found: Tally,
    stop: AtomicBool,
    pause: AtomicBool,
    watch: AtomicBool,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The window's end of it. Dropping it stops the batch and waits until it has.
pub struct Batch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Batch {
    /// Starts it.
    pub fn start(
        wish: Wish,
        watch: bool,
        device: (SharedDevice, DeviceSetup),
        library: ModelLibrary,
        ctx: Context,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        shared.watch.store(watch, Ordering::Relaxed);
        let own = shared.clone();
        let thread = priority::spawn(move || {
            let wake = ctx.clone();
            if let Err(problem) = run(&wish, device, &library, &own, ctx) {
                own.seen().problem = Some(problem);
            }
            own.seen().over = true;
            wake.request_repaint();
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// What there is to see, held still meanwhile.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen()
    }

    /// How many pictures were found so far.
    pub fn found(&self) -> usize {
        self.shared.found.count()
    }

    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        !self.seen().over
    }

    /// Whether it is held still.
    pub fn is_paused(&self) -> bool {
        self.shared.pause.load(Ordering::Relaxed)
    }

    /// Holds it still after the tile it is at, or lets it go on.
    pub fn set_paused(&self, paused: bool) {
        self.shared.pause.store(paused, Ordering::Relaxed);
    }

    /// Ends it within one tile; what is done is kept, and a next batch goes on from there.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // A panic there has nothing to say here.
            let _ = thread.join();
        }
    }
}

/// What would be done, without doing it. `found` tells meanwhile how far it is, and `ctx` is woken
/// to show it.
///
/// # Errors
/// Problem and remedy.
pub fn plan(
    wish: &Wish,
    library: &ModelLibrary,
    found: &Tally,
    ctx: &Context,
) -> Result<Vec<File>, String> {
    let (_, model) = library.load(Some(&wish.model)).map_err(|e| e.to_string())?;
    let request = wish.request(&model)?;
    let plan = plan_batch_telling(&request, &mut found.listen(ctx));
    Ok(files(&plan.map_err(|e| e.to_string())?))
}

/// The plan's files before anything is done.
fn files(plan: &BatchPlan) -> Vec<File> {
    let state = |decision: &Decision| match decision {
        Decision::Restore => FileState::Waiting,
        Decision::Skip(reason) => FileState::Skipped(reason),
        Decision::Refuse(message) => FileState::Failed(message.clone()),
    };
    let file = |e: &Entry| File {
        input: e.item.input.clone(),
        output: e.item.output.clone(),
        state: state(&e.decision),
    };
    plan.entries.iter().map(file).collect()
}

/// The thread's life.
fn run(
    wish: &Wish,
    (device, setup): (SharedDevice, DeviceSetup),
    library: &ModelLibrary,
    shared: &Shared,
    ctx: Context,
) -> Result<(), String> {
    let (_, model) = library.load(Some(&wish.model)).map_err(|e| e.to_string())?;
    let mut request = wish.request(&model)?;
    let work = Work {
        model: Arc::new(model),
        options: wish.options(),
        save: wish.save(),
    };
    let (engine, events) = device.start_engine(setup, ctx.clone());
    let mut reports = Reports::begin(wish);
    let mut watch = WatchFolder::new(wish.inputs.clone(), wish.settings.recursive);
    let mut next_id = 0;
    loop {
        shared.seen().searching = true;
        let plan = plan_batch_telling(&request, &mut shared.found.listen(&ctx));
        shared.seen().searching = false;
        let plan = match plan {
            Ok(plan) => plan,
            // A folder that is watched may be empty for now.
            Err(BatchError::NoPictures { .. }) if shared.watch.load(Ordering::Relaxed) => {
                BatchPlan::default()
            }
            Err(error) => return Err(error.to_string()),
        };
        for entry in &plan.entries {
            watch.known(&entry.item.input);
            watch.ignore(&entry.item.output);
        }
        let first = {
            let mut seen = shared.seen();
            let first = seen.files.len();
            seen.files.extend(files(&plan));
            first
        };
        let count = plan.entries.len() as u64;
        let mut batch = BatchRun::new(plan, work.clone(), next_id);
        next_id += count;
        work_through(&mut batch, first, &engine, &events, shared, &mut reports)?;
        if shared.is_stopped() || !shared.watch.load(Ordering::Relaxed) {
            break;
        }
        shared.seen().watching = true;
        ctx.request_repaint();
        let Some(new) = wait_for_new(&mut watch, shared) else {
            break;
        };
        shared.seen().watching = false;
        request.only = Some(new);
    }
    let mut seen = shared.seen();
    seen.watching = false;
    let summary = seen.summary;
    match reports.finish(&summary) {
        Ok(path) => seen.report = path,
        Err(problem) => seen.trouble.push(problem),
    }
    Ok(())
}

/// Until the folder has something new, or the watch ends.
fn wait_for_new(watch: &mut WatchFolder, shared: &Shared) -> Option<HashSet<PathBuf>> {
    let mut looked = Instant::now();
    while !shared.is_stopped() && shared.watch.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
        if looked.elapsed() >= WATCH {
            looked = Instant::now();
            let new = watch.poll(looked);
            if !new.is_empty() {
                return Some(new.into_iter().collect());
            }
        }
    }
    None
}

/// One plan from its first file to its last.
fn work_through(
    batch: &mut BatchRun,
    first: usize,
    engine: &Engine,
    events: &Receiver<Event>,
    shared: &Shared,
    reports: &mut Reports,
) -> Result<(), String> {
    let (mut paused, mut stopped) = (false, false);
    // Files of earlier plans of this watch count as well.
    let before = shared.seen().summary;
    loop {
        if shared.is_stopped() && !stopped {
            stopped = true;
            batch.cancel();
            engine.set_paused(false);
        }
        let pause = shared.pause.load(Ordering::Relaxed) && !stopped;
        if pause != paused {
            paused = pause;
            engine.set_paused(pause);
            batch.set_paused(pause);
        }
        batch.feed(engine);
        let mut changed: Vec<usize> = Vec::new();
        match events.recv_timeout(TICK) {
            Err(RecvTimeoutError::Disconnected) => {
                return Err("the engine thread ended; please report it".to_owned());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(event) => {
                for event in std::iter::once(event).chain(events.try_iter()) {
                    changed.extend(batch.take(&event));
                    device_news(&event, shared);
                }
            }
        }
        let rows = batch.rows();
        let mut seen = shared.seen();
        let all = stopped || batch.is_over();
        let range: Vec<usize> = if all {
            (0..batch.states().len()).collect()
        } else {
            changed
        };
        for index in range {
            if let Some(file) = seen.files.get_mut(first + index) {
                file.state.clone_from(&batch.states()[index]);
            }
        }
        seen.progress = Some(batch.progress());
        seen.summary = sum(before, batch.summary());
        if let Some(trouble) = batch.trouble().or(reports.add(&rows).as_deref())
            && !seen.trouble.iter().any(|t| t == trouble)
        {
            seen.trouble.push(trouble.to_owned());
        }
        drop(seen);
        if batch.is_over() {
            return Ok(());
        }
    }
}

fn sum(a: Summary, b: Summary) -> Summary {
    Summary {
        done: a.done + b.done,
        skipped: a.skipped + b.skipped,
        failed: a.failed + b.failed,
        cancelled: a.cancelled + b.cancelled,
        left: b.left,
    }
}

fn device_news(event: &Event, shared: &Shared) {
    let mut seen = shared.seen();
    match event {
        Event::Ready { device, trouble } => {
            seen.device = Some(device.clone());
            if let Some(reason) = trouble {
                seen.trouble
                    .push(format!("Restoring on the processor: {reason}"));
            }
        }
        Event::NoDevice { message } => seen.problem = Some(message.clone()),
        Event::Finished { device, .. } => seen.device = Some(device.clone()),
        _ => {}
    }
}

/// The reports with the results: a table for people and one for programs.
struct Reports {
    all: Vec<(PathBuf, Report)>,
    home: PathBuf,
    wanted: bool,
}

impl Reports {
    fn begin(wish: &Wish) -> Self {
        Self {
            all: Vec::new(),
            home: wish.home(),
            wanted: wish.settings.report,
        }
    }

    /// Adds rows; the reports begin with the first. Answers what went wrong.
    fn add(&mut self, rows: &[Row]) -> Option<String> {
        if !self.wanted || rows.is_empty() {
            return None;
        }
        let write = |reports: &mut Self| -> Result<(), ReportError> {
            if reports.all.is_empty() {
                for name in ["serpent-report.csv", "serpent-report.json"] {
                    let path = reports.home.join(name);
                    let report = Report::create(&path)?;
                    reports.all.push((path, report));
                }
            }
            reports.all.iter_mut().try_for_each(|(_, r)| r.add(rows))
        };
        let problem = write(self).err()?;
        // Told once; the batch goes on without, and what is there takes no whole report's place.
        self.wanted = false;
        self.all.clear();
        Some(problem.to_string())
    }

    /// Puts them into their places; answers where the first is.
    fn finish(self, summary: &Summary) -> Result<Option<PathBuf>, String> {
        let first = self.all.first().map(|(path, _)| path.clone());
        for (_, report) in self.all {
            report.finish(summary).map_err(|e| e.to_string())?;
        }
        Ok(first)
    }
}
