#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! The stages overlap, in order and in bounded memory.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::tests::{checkpoint, picture};
use super::*;
use crate::backend::{Backend, BackendError, Executable, Model, Trainer, TrainingState};
use crate::checkpoint::Checkpoint;
use crate::graph::{Graph, TrainingGraph};
use crate::image::SaveOptions;

/// A device that waits for permission before each tile and gives it back as it is.
#[derive(Clone)]
struct Gate(Arc<Mutex<Receiver<()>>>);

impl Backend for Gate {
    fn name(&self) -> &str {
        "gate"
    }
    fn load(&self, _: &[Vec<f32>]) -> Result<Box<dyn Model>, BackendError> {
        Ok(Box::new(self.clone()))
    }
    fn trainer(
        &self,
        _: &TrainingGraph,
        _: &[bool],
        _: &TrainingState,
    ) -> Result<Box<dyn Trainer>, BackendError> {
        unreachable!("nothing is trained here")
    }
}

impl Model for Gate {
    fn prepare(&self, _: &Graph) -> Result<Box<dyn Executable>, BackendError> {
        Ok(Box::new(self.clone()))
    }
}

impl Executable for Gate {
    fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, BackendError> {
        self.0.lock().unwrap().recv().expect("the test lives");
        Ok(vec![inputs[0].to_vec()])
    }
    fn memory_bytes(&self) -> u64 {
        0
    }
}

/// An engine whose device waits for `()` before each tile.
fn gated() -> (Engine, Receiver<Event>, Sender<()>) {
    let (permit, gate) = channel();
    let device = Gate(Arc::new(Mutex::new(gate)));
    let open = move || Ok(Device::new(None, Arc::new(device)));
    let (engine, events) = Engine::start_with(open, || ());
    (engine, events, permit)
}

fn file_job(id: u64, model: &Arc<Checkpoint>, folder: &Path) -> Job {
    Job {
        id,
        source: Source::File(folder.join(format!("{id}.png"))),
        model: model.clone(),
        options: Options::default(),
        region: None,
        output: Some((folder.join(format!("out/{id}.png")), SaveOptions::default())),
    }
}

/// The next event that `wanted` takes, within ten seconds.
fn next<T>(events: &Receiver<Event>, wanted: impl Fn(&Event) -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let event = events.recv_timeout(left).expect("the event comes");
        if let Some(found) = wanted(&event) {
            return found;
        }
    }
}

#[test]
fn one_picture_is_saved_and_the_next_opened_while_another_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let model = checkpoint(|_| ());
    let count = 12;
    for id in 1..=count {
        let path = folder.path().join(format!("{id}.png"));
        picture(9, 9).save(path, &SaveOptions::default()).unwrap();
    }
    let (engine, events, permit) = gated();
    for id in 1..=count {
        engine.submit(file_job(id, &model, folder.path()));
    }
    next(&events, |e| {
        matches!(e, Event::Started { id: 1 }).then_some(())
    });
    // The first is on the device and stays there. What is opened by now was opened beside it.
    std::thread::sleep(Duration::from_millis(700));
    for id in 2..=count {
        std::fs::remove_file(folder.path().join(format!("{id}.png"))).unwrap();
    }
    permit.send(()).unwrap();
    // The second is let onto the device and no further: the first must be saved meanwhile.
    next(&events, |e| {
        matches!(e, Event::Finished { id: 1, .. }).then_some(())
    });
    assert!(folder.path().join("out/1.png").exists());
    for _ in 1..count {
        permit.send(()).unwrap();
    }
    let mut finished = Vec::new();
    for id in 2..=count {
        finished.push(next(&events, |e| match e {
            Event::Finished { id: end, .. } => Some((*end, true)),
            Event::Failed { id: end, message } => {
                assert!(message.contains(&format!("{end}.png")), "{message}");
                Some((*end, false))
            }
            _ => None,
        }));
        // Reports come in the order of the jobs, whatever became of them.
        assert_eq!(finished[finished.len() - 1].0, id);
    }
    let opened = finished.iter().filter(|(_, ok)| *ok).count();
    assert!(
        finished[0].1,
        "the second was opened while the first was on the device"
    );
    assert!(opened <= 4, "{opened} pictures were opened ahead");
}

#[test]
fn cancelling_everything_answers_every_job_in_order_and_saves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let model = checkpoint(|_| ());
    for id in 1..=6 {
        let path = folder.path().join(format!("{id}.png"));
        picture(9, 9).save(path, &SaveOptions::default()).unwrap();
    }
    let (engine, events, permit) = gated();
    let jobs = (1..=6).map(|id| engine.submit(file_job(id, &model, folder.path())));
    let handles: Vec<JobHandle> = jobs.collect();
    next(&events, |e| {
        matches!(e, Event::Started { id: 1 }).then_some(())
    });
    handles.iter().for_each(JobHandle::cancel);
    // The tile on the device ends; no other begins.
    permit.send(()).unwrap();
    for id in 1..=6 {
        let end = next(&events, |e| match e {
            Event::Cancelled { id } => Some(*id),
            Event::Finished { id, .. } | Event::Failed { id, .. } => panic!("{id} was cancelled"),
            _ => None,
        });
        assert_eq!(end, id);
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_pause_holds_the_tiles_and_hears_a_cancel() {
    let model = checkpoint(|_| ());
    let (engine, events, permit) = gated();
    let job = |id| Job {
        source: Source::Picture(Arc::new(picture(200, 40))),
        options: Options {
            tile: 64,
            ..Options::default()
        },
        output: None,
        ..file_job(id, &model, Path::new(""))
    };
    let done = |e: &Event| match e {
        Event::Progress { done, .. } => Some(*done),
        _ => None,
    };
    engine.submit(job(1));
    let second = engine.submit(job(2));
    assert_eq!(next(&events, done), 0);
    engine.set_paused(true);
    assert!(engine.is_paused());
    (0..8).for_each(|_| permit.send(()).unwrap());
    // At most the tile that had begun.
    std::thread::sleep(Duration::from_millis(300));
    let meanwhile: Vec<usize> = events.try_iter().filter_map(|e| done(&e)).collect();
    assert!(meanwhile.is_empty() || meanwhile == [1], "{meanwhile:?}");
    engine.set_paused(false);
    next(&events, |e| {
        matches!(e, Event::Finished { id: 1, .. }).then_some(())
    });
    engine.set_paused(true);
    second.cancel();
    let end = next(&events, |e| match e {
        Event::Cancelled { id } => Some(*id),
        // It may have been through before the pause.
        Event::Finished { id, .. } => Some(*id),
        _ => None,
    });
    assert_eq!(end, 2);
    // An engine that is paused can be dropped.
    engine.submit(job(3));
    drop(engine);
}

#[test]
fn an_engine_that_is_dropped_ends_with_jobs_in_every_stage() {
    let folder = tempfile::tempdir().unwrap();
    let model = checkpoint(|_| ());
    let (engine, events, permit) = gated();
    for id in 1..=9 {
        let path = folder.path().join(format!("{id}.png"));
        picture(9, 9).save(path, &SaveOptions::default()).unwrap();
        engine.submit(file_job(id, &model, folder.path()));
    }
    next(&events, |e| {
        matches!(e, Event::Started { id: 1 }).then_some(())
    });
    permit.send(()).unwrap();
    next(&events, |e| {
        matches!(e, Event::Started { id: 2 }).then_some(())
    });
    permit.send(()).unwrap();
    drop(engine);
    let ends = events.iter().filter(|e| {
        let ended = matches!(e, Event::Finished { .. } | Event::Cancelled { .. });
        assert!(!matches!(e, Event::Failed { .. }));
        ended
    });
    assert_eq!(ends.count(), 9);
}
