//! What ends a training before its last step.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::*;
use crate::checkpoint::{Checkpoint, SavedTraining};

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
