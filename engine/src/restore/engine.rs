//! The engine thread: jobs in, events out.
//!
//! The thread owns the device and the models on it, so that neither a window
//! nor a command line ever waits for a driver. Jobs are restored one after another
//! in the order they were submitted, while the next are opened and the ones before
//! saved ([`super::stages`]); their ends are told in that order. A cancelled one ends
//! within one tile.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::device::{Device, DeviceSetup};
use super::pause::Pause;
use super::region::Region;
use super::restorer::Options;
use super::stages;
use crate::backend::BackendError;
use crate::checkpoint::Checkpoint;
use crate::image::{Picture, SaveOptions};

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
    /// The part of the picture to restore, the result being of its size (times the model's
    /// scale); the whole when absent.
    pub region: Option<Region>,
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
    /// A job's turn on the device has come.
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
        /// Pixels of the picture, or of the region.
        pixels: u64,
    },
    /// The picture is restored and, if so asked, saved.
    Finished {
        /// The job.
        id: u64,
        /// The result.
        picture: Arc<Picture>,
        /// Opening, restoring and saving; not the waiting in between.
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
    pause: Arc<Pause>,
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
        let pause = Arc::new(Pause::default());
        let tell = Tell {
            events,
            wake: Mutex::new(Box::new(wake)),
        };
        let thread = crate::priority::spawn({
            let (stop, pause) = (stop.clone(), pause.clone());
            move || stages::run(open, job_queue, &stop, &pause, &tell)
        });
        let engine = Self {
            jobs: Some(jobs),
            stop,
            pause,
            thread: Some(thread),
        };
        (engine, event_queue)
    }

    /// Holds the thread still after the tile it is at, or lets it go on. A cancel is heard
    /// during a pause, and what is restored is still saved.
    pub fn set_paused(&self, paused: bool) {
        self.pause.set(paused);
    }

    /// Whether the thread is held still.
    pub fn is_paused(&self) -> bool {
        self.pause.is_on()
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

/// The way out of the threads.
pub(super) struct Tell {
    events: Sender<Event>,
    wake: Mutex<Box<dyn Fn() + Send>>,
}

impl Tell {
    pub(super) fn say(&self, event: Event) {
        // Nobody listening is no reason to leave a job half done.
        let _ = self.events.send(event);
        (self.wake.lock().unwrap_or_else(PoisonError::into_inner))();
    }
}
