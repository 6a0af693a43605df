//! Trainings that were cut off and go on.

use std::sync::atomic::Ordering;

use super::*;
use crate::checkpoint::SavedTraining;

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
