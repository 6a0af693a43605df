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

/// A run may get worse again. The device here restores as well after every step, so the first
/// validation stays the best, whatever comes after.
#[test]
fn the_best_validated_weights_are_kept() {
    let (folder, config) = scene();
    let done = train(&config, false, &Fake::default(), |_, _| {}).unwrap();
    let (path, step, psnr) = done.best.unwrap();
    assert_eq!(
        (path, step),
        (folder.path().join("run/best.safetensors"), 10)
    );
    assert_eq!(Some(psnr), done.validation_psnr);
    let best = Checkpoint::load(folder.path().join("run/best.safetensors")).unwrap();
    assert_eq!(best.recipe["steps_done"], 10);
    assert_eq!(best.recipe["validation_psnr"], psnr);

    let mut short = config.clone();
    (short.steps, short.output) = (10, "short".into());
    short.optimiser.final_learning_rate = short.optimiser.learning_rate;
    let mut long = short.clone();
    (long.steps, long.output) = (30, "long".into());
    let short = train(&short, false, &Fake::default(), |_, _| {}).unwrap();
    let long = train(&long, false, &Fake::default(), |_, _| {}).unwrap();
    let weights = |path| Checkpoint::load(path).unwrap().weights;
    assert_eq!(weights(long.best.unwrap().0), weights(short.model.clone()));
    assert_ne!(weights(long.model), weights(short.model));
}
