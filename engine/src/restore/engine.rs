//! The engine thread: jobs in, events out.
//!
//! The thread owns the device and the models on it, so that neither a window
//! nor a command line ever waits for a driver. Jobs run one after another in
//! the order they were submitted; a cancelled one ends within one tile.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use super::RestoreError;
use super::device::{Device, DeviceSetup};
use super::restorer::{Options, Restored, Restorer};
use crate::backend::BackendError;
use crate::checkpoint::Checkpoint;
use crate::image::{Picture, SaveOptions};

/// Models kept on the device at once.
const MODELS_KEPT: usize = 2;

/// Where a job's picture comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, opened on the engine thread.
    File(PathBuf),
    /// A picture in memory.
    Picture(Arc<Picture>),
}

/// One picture to restore.
#[derive(Clone, Debug)]
pub struct Job {
    /// Chosen by the caller; events carry it.
    pub id: u64,
    /// The picture.
    pub source: Source,
    /// The model; jobs with the same `Arc` share what is on the device.
    pub model: Arc<Checkpoint>,
    /// How to restore.
    pub options: Options,
    /// Where to save the result, if anywhere; missing folders are made.
    pub output: Option<(PathBuf, SaveOptions)>,
}

/// What the engine tells.
#[derive(Clone, Debug)]
pub enum Event {
    /// The device is open; comes once, before any job starts.
    Ready {
        /// Name of the device.
        device: String,
        /// Why a graphics device is not used, if one failed to open.
        trouble: Option<String>,
    },
    /// The device did not open; every job will fail.
    NoDevice {
        /// What was wrong and what to do.
        message: String,
    },
    /// A job's turn has come.
    Started {
        /// The job.
        id: u64,
    },
    /// A tile is done; comes first with 0 done.
    Progress {
        /// The job.
        id: u64,
        /// Tiles done.
        done: usize,
        /// Tiles of the picture.
        total: usize,
    },
    /// The picture is restored and, if so asked, saved.
    Finished {
        /// The job.
        id: u64,
        /// The result.
        picture: Arc<Picture>,
        /// Wall time from the start of the job, opening and saving included.
        seconds: f64,
        /// Device it was made on.
        device: String,
        /// What the user should know, such as a fallback and its reason.
        notes: Vec<String>,
    },
    /// The job failed; the others go on.
    Failed {
        /// The job.
        id: u64,
        /// File, problem and remedy.
        message: String,
    },
    /// The job was cancelled; nothing was saved.
    Cancelled {
        /// The job.
        id: u64,
    },
}

/// Cancels one job.
#[derive(Clone, Debug)]
pub struct JobHandle {
    /// The job.
    pub id: u64,
    cancelled: Arc<AtomicBool>,
}

impl JobHandle {
    /// Asks the job to end; answered by [`Event::Cancelled`] within one tile, unless it is done first.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

/// The engine thread. Dropping it cancels what runs and waits for the thread to end.
pub struct Engine {
    jobs: Option<Sender<(Job, Arc<AtomicBool>)>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the thread, which opens the device. `wake` is called after every event, so that
    /// a window can ask to be redrawn.
    pub fn start(setup: DeviceSetup, wake: impl Fn() + Send + 'static) -> (Self, Receiver<Event>) {
        Self::start_with(move || Device::open(&setup), wake)
    }

    /// As [`Engine::start`], with a device that `open` makes on the thread.
    pub fn start_with(
        open: impl FnOnce() -> Result<Device, BackendError> + Send + 'static,
        wake: impl Fn() + Send + 'static,
    ) -> (Self, Receiver<Event>) {
        let (jobs, job_queue) = channel();
        let (events, event_queue) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let tell = Tell {
            events,
            wake: Box::new(wake),
        };
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || run(open, &job_queue, &stop, &tell)
        });
        let engine = Self {
            jobs: Some(jobs),
            stop,
            thread: Some(thread),
        };
        (engine, event_queue)
    }

    /// Queues a job.
    pub fn submit(&self, job: Job) -> JobHandle {
        let handle = JobHandle {
            id: job.id,
            cancelled: Arc::new(AtomicBool::new(false)),
        };
        if let Some(jobs) = &self.jobs {
            // The thread ends only after `jobs` is gone.
            let _ = jobs.send((job, handle.cancelled.clone()));
        }
        handle
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The way out of the thread.
struct Tell {
    events: Sender<Event>,
    wake: Box<dyn Fn() + Send>,
}

impl Tell {
    fn say(&self, event: Event) {
        // Nobody listening is no reason to leave a job half done.
        let _ = self.events.send(event);
        (self.wake)();
    }
}

/// The thread's life.
fn run(
    open: impl FnOnce() -> Result<Device, BackendError>,
    jobs: &Receiver<(Job, Arc<AtomicBool>)>,
    stop: &AtomicBool,
    tell: &Tell,
) {
    let device = match open() {
        Ok(device) => device,
        Err(error) => {
            let message = error.to_string();
            tell.say(Event::NoDevice {
                message: message.clone(),
            });
            for (job, _) in jobs {
                let message = message.clone();
                tell.say(Event::Failed {
                    id: job.id,
                    message,
                });
            }
            return;
        }
    };
    tell.say(Event::Ready {
        device: device.name().to_owned(),
        trouble: device.trouble().map(str::to_owned),
    });
    let mut models = Models {
        device: Arc::new(device),
        ready: Vec::new(),
    };
    for (job, cancelled) in jobs {
        let id = job.id;
        let stopped = || stop.load(Ordering::Relaxed) || cancelled.load(Ordering::Relaxed);
        let work = || process(&job, &mut models, &stopped, tell);
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(event)) => tell.say(event),
            Ok(Err(RestoreError::Cancelled)) => tell.say(Event::Cancelled { id }),
            Ok(Err(error)) => tell.say(Event::Failed {
                id,
                message: message(&job, &error),
            }),
            Err(_) => {
                // Whatever was half done on the device is not used again.
                models.ready.clear();
                tell.say(Event::Failed {
                    id,
                    message: format!(
                        "{}: an error in this program; please report it with the picture",
                        name(&job)
                    ),
                });
            }
        }
    }
}

/// Opens, restores and saves one picture.
fn process(
    job: &Job,
    models: &mut Models,
    stopped: &dyn Fn() -> bool,
    tell: &Tell,
) -> Result<Event, RestoreError> {
    let id = job.id;
    let go_on = || {
        if stopped() {
            Err(RestoreError::Cancelled)
        } else {
            Ok(())
        }
    };
    go_on()?;
    let start = Instant::now();
    tell.say(Event::Started { id });
    tracing::debug!(job = id, "started");
    let picture = match &job.source {
        Source::File(path) => Arc::new(Picture::open(path)?),
        Source::Picture(picture) => picture.clone(),
    };
    let opened = start.elapsed();
    let mut monitor = |done, total| {
        tell.say(Event::Progress { id, done, total });
        if stopped() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let restorer = models.get(&job.model)?;
    let Restored {
        picture,
        device,
        notes,
    } = restorer.restore(&picture, &job.options, &mut monitor)?;
    let restored = start.elapsed();
    go_on()?;
    if let Some((path, options)) = &job.output {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| RestoreError::Folder {
                path: folder.to_owned(),
                source,
            })?;
        }
        picture.save(path, options)?;
    }
    let done = start.elapsed();
    tracing::debug!(
        job = id,
        device,
        "opened in {opened:.1?}, restored in {:.1?}, saved in {:.1?}",
        restored - opened,
        done - restored
    );
    Ok(Event::Finished {
        id,
        picture: Arc::new(picture),
        seconds: done.as_secs_f64(),
        device,
        notes,
    })
}

/// The models on the device, the one used last first.
struct Models {
    device: Arc<Device>,
    ready: Vec<Restorer>,
}

impl Models {
    fn get(&mut self, model: &Arc<Checkpoint>) -> Result<&mut Restorer, RestoreError> {
        let known = self.ready.iter().position(|r| r.runs(model));
        let restorer = match known {
            Some(i) => self.ready.remove(i),
            None => {
                self.ready.truncate(MODELS_KEPT - 1);
                Restorer::new(self.device.clone(), model.clone())?
            }
        };
        self.ready.insert(0, restorer);
        Ok(&mut self.ready[0])
    }
}

/// The picture's file, for messages.
fn name(job: &Job) -> String {
    match (&job.source, &job.output) {
        (Source::File(path), _) | (_, Some((path, _))) => path.display().to_string(),
        _ => "the picture".to_owned(),
    }
}

/// Image errors name their file themselves; others get the picture's.
fn message(job: &Job, error: &RestoreError) -> String {
    match error {
        RestoreError::Image(_) | RestoreError::Folder { .. } => error.to_string(),
        other => format!("{}: {other}", name(job)),
    }
}
