//! Three stages for the jobs of the engine thread: opening, restoring, saving.
//!
//! The engine thread restores. Pictures are opened ahead of it and saved behind it by threads
//! that live for one picture each; channels of fixed length bound how many there are, and so
//! the memory. Every stage takes the jobs in the order they were submitted.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use super::RestoreError;
use super::device::Device;
use super::engine::{Event, Job, Source, Tell};
use super::pause::Pause;
use super::restorer::{Restored, Restorer};
use crate::backend::BackendError;
use crate::checkpoint::Checkpoint;
use crate::image::{Format, Picture};
use crate::priority::step_back;

/// Models kept on the device at once.
const MODELS_KEPT: usize = 2;

/// Most pictures opened ahead, and most being saved.
const MOST_AHEAD: usize = 3;

/// Cores for each picture opened ahead.
const CORES_EACH: usize = 4;

/// Pictures opened ahead, and as many being saved: one, more where there are cores for it.
fn ahead() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / CORES_EACH).clamp(1, MOST_AHEAD)
}

/// A job with what may end it early.
struct Task<'a> {
    job: Job,
    cancelled: Arc<AtomicBool>,
    stop: &'a AtomicBool,
}

impl Task<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.cancelled.load(Ordering::Relaxed)
    }

    fn go_on(&self) -> Result<(), RestoreError> {
        match self.stopped() {
            true => Err(RestoreError::Cancelled),
            false => Ok(()),
        }
    }
}

/// Why a job has no result.
enum Failure {
    Error(RestoreError),
    /// The device did not open.
    NoDevice(String),
    /// A stage ended in a panic.
    Panic,
}

/// What a stage made of a job, and the time spent on the job so far.
type Staged<T> = (Result<T, Failure>, Duration);

/// A job whose stage is at work on a thread of its own.
type Handed<'scope, 'a, T> = (Arc<Task<'a>>, ScopedJoinHandle<'scope, Staged<T>>);

/// Waits for the stage.
fn wait<T>(thread: ScopedJoinHandle<'_, Staged<T>>) -> Staged<T> {
    let panicked = |_| (Err(Failure::Panic), Duration::ZERO);
    thread.join().unwrap_or_else(panicked)
}

/// The engine thread's life: opens the device, then takes jobs until there are no more.
pub(super) fn run(
    open: impl FnOnce() -> Result<Device, BackendError>,
    jobs: Receiver<(Job, Arc<AtomicBool>)>,
    stop: &AtomicBool,
    pause: &Pause,
    tell: &Tell,
) {
    // Nothing is opened for a device that is not there.
    let no_device = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        // What waits in a channel is ahead, and so is the one that waits for its room there.
        let (to_device, opened) = sync_channel::<Handed<'_, '_, Arc<Picture>>>(ahead() - 1);
        let (to_end, saved) = sync_channel::<Handed<'_, '_, Restored>>(ahead() - 1);
        scope.spawn(move || {
            for (job, cancelled) in jobs {
                let task = Arc::new(Task {
                    job,
                    cancelled,
                    stop,
                });
                let own = task.clone();
                let thread = scope.spawn(move || open_picture(&own, no_device));
                if to_device.send((task, thread)).is_err() {
                    break;
                }
            }
        });
        scope.spawn(move || {
            for (task, thread) in saved {
                let (result, spent) = wait(thread);
                tell.say(end(&task.job, result, spent));
            }
        });
        let mut models = match open() {
            Ok(device) => {
                tell.say(Event::Ready {
                    device: device.name().to_owned(),
                    trouble: device.trouble().map(str::to_owned),
                });
                Ok(Models {
                    device: Arc::new(device),
                    ready: Vec::new(),
                })
            }
            Err(error) => {
                no_device.store(true, Ordering::Relaxed);
                let message = error.to_string();
                tell.say(Event::NoDevice {
                    message: message.clone(),
                });
                Err(message)
            }
        };
        for (task, thread) in opened {
            let (picture, spent) = wait(thread);
            let (restored, spent) = match &mut models {
                Ok(models) => restore(&task, picture, spent, models, pause, tell),
                Err(message) => (Err(Failure::NoDevice(message.clone())), spent),
            };
            let own = task.clone();
            let thread = scope.spawn(move || save(&own, restored, spent));
            if to_end.send((task, thread)).is_err() {
                break;
            }
        }
    });
}

/// First stage: the picture in memory.
fn open_picture(task: &Task<'_>, no_device: &AtomicBool) -> Staged<Arc<Picture>> {
    step_back();
    let start = Instant::now();
    let work = || {
        task.go_on()?;
        Ok(match &task.job.source {
            Source::File(_) if no_device.load(Ordering::Relaxed) => {
                return Err(RestoreError::Cancelled);
            }
            Source::File(path) => Arc::new(Picture::open_with(path, &task.job.options.limits)?),
            Source::Picture(picture) => picture.clone(),
        })
    };
    (work().map_err(Failure::Error), start.elapsed())
}

/// Second stage, on the engine thread: the picture through the network.
fn restore(
    task: &Task<'_>,
    picture: Result<Arc<Picture>, Failure>,
    spent: Duration,
    models: &mut Models,
    pause: &Pause,
    tell: &Tell,
) -> Staged<Restored> {
    let id = task.job.id;
    pause.wait(|| task.stopped());
    let start = Instant::now();
    let mut held = Duration::ZERO;
    let mut monitor = |done, total, pixels| {
        tell.say(Event::Progress {
            id,
            done,
            total,
            pixels,
        });
        held += pause.wait(|| task.stopped());
        match task.stopped() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let work = || {
        task.go_on()?;
        tell.say(Event::Started { id });
        tracing::debug!(job = id, "started");
        let picture = match picture {
            Ok(picture) => picture,
            Err(failure) => return Ok(Err(failure)),
        };
        let restorer = models.get(&task.job.model)?;
        let options = &task.job.options;
        let restored = match task.job.region {
            Some(region) => {
                let pixels = region.within(picture.width(), picture.height())?.pixels();
                let mut monitor = |done, total| monitor(done, total, pixels);
                restorer.restore_region(&picture, &region, options, &mut monitor)?
            }
            None => {
                let pixels = picture.width() as u64 * picture.height() as u64;
                let mut monitor = |done, total| monitor(done, total, pixels);
                restorer.restore(&picture, options, &mut monitor)?
            }
        };
        // The last moment: what is restored from here on is saved.
        task.go_on()?;
        Ok::<_, RestoreError>(Ok(restored))
    };
    let result = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Err(Failure::Error(error)),
        Err(_) => {
            // Whatever was half done on the device is not used again.
            models.ready.clear();
            Err(Failure::Panic)
        }
    };
    let took = start.elapsed().saturating_sub(held);
    tracing::debug!(job = id, "opened in {spent:.1?}, restored in {took:.1?}");
    (result, spent + took)
}

/// Third stage: the result on disk, if it is to be there.
fn save(task: &Task<'_>, restored: Result<Restored, Failure>, spent: Duration) -> Staged<Restored> {
    step_back();
    let start = Instant::now();
    let work = |mut restored: Restored| {
        if let Some((path, options)) = &task.job.output {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|source| RestoreError::Folder {
                    path: folder.to_owned(),
                    source,
                })?;
            }
            restored.picture.save(path, options)?;
            if let Some(format) = options.format.or_else(|| Format::from_path(path)) {
                restored.notes.extend(restored.picture.losses(format));
            }
        }
        Ok(restored)
    };
    let result = restored.and_then(|r| work(r).map_err(Failure::Error));
    let took = start.elapsed();
    tracing::debug!(job = task.job.id, "saved in {took:.1?}");
    (result, spent + took)
}

/// The job's last event.
fn end(job: &Job, result: Result<Restored, Failure>, spent: Duration) -> Event {
    let id = job.id;
    match result {
        Ok(Restored {
            picture,
            device,
            notes,
        }) => Event::Finished {
            id,
            picture: Arc::new(picture),
            seconds: spent.as_secs_f64(),
            device,
            notes,
        },
        Err(Failure::Error(RestoreError::Cancelled)) => Event::Cancelled { id },
        Err(Failure::Error(error)) => Event::Failed {
            id,
            message: message(job, &error),
        },
        Err(Failure::NoDevice(message)) => Event::Failed { id, message },
        Err(Failure::Panic) => Event::Failed {
            id,
            message: format!(
                "{}: an error in this program; please report it with the picture",
                name(job)
            ),
        },
    }
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
