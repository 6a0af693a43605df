//! How trainings begin: from nothing, from a model, and not at all.

use super::*;
use crate::checkpoint::{Checkpoint, SavedTraining, Task};

#[test]
fn a_run_leaves_a_model_a_state_a_log_and_curves() {
    let (folder, config) = scene();
    let mut seen = Vec::new();
    let done = train(&config, false, &Fake::default(), |e, _| {
        seen.push(e.clone())
    })
    .unwrap();
    assert_eq!((done.stopped, done.step), (Stopped::Done, 30));
    let out = folder.path().join("run");
    assert_eq!(losses(&out.join("log.jsonl")).len(), 30);
    assert!(out.join("curves.png").exists());
    let model = Checkpoint::load(&done.model).unwrap();
    let state = SavedTraining::load(out.join("state.safetensors")).unwrap();
    assert_eq!((model.task, state.step), (Task::Denoise, 30));
    assert_eq!(model.recipe["steps_done"], 30);
    assert_eq!(model.recipe["photographs"], 3);
    assert_eq!(
        model.recipe["history"][0]["training"]["data"]["folders"][0],
        "photos"
    );
    // The identity returns the noisy picture: validation measures exactly that.
    let psnr = done.validation_psnr.unwrap();
    assert!((10.0..60.0).contains(&psnr), "{psnr}");
    let validated: Vec<u64> = seen
        .iter()
        .filter_map(|e| match e {
            Event::Validated {
                step,
                psnr,
                input_psnr,
            } => {
                assert!((psnr - input_psnr).abs() < 1e-9);
                Some(*step)
            }
            _ => None,
        })
        .collect();
    assert_eq!(validated, [10, 20, 30]);
    assert!(
        seen.iter()
            .any(|e| matches!(e, Event::Skipped { path, .. } if path.ends_with("broken.jpg")))
    );
    assert!(
        seen.iter()
            .any(|e| matches!(e, Event::Decoded { photographs: 3, .. }))
    );
    assert!(
        seen.iter()
            .any(|e| matches!(e, Event::Progress(p) if p.step == 30 && p.seconds_left == 0.0))
    );
}

#[test]
fn a_run_begins_with_a_models_weights() {
    let (folder, config) = scene();
    let first = train(&config, false, &Fake::default(), |_, _| {}).unwrap();
    let model = Checkpoint::load(&first.model).unwrap();
    let begin = |start: &str, settings: fn(&mut TrainConfig)| {
        let mut config = config.clone();
        config.output = "second".into();
        config.start = Some(start.into());
        config.steps = 1;
        settings(&mut config);
        let mut begun = None;
        let done = train(&config, false, &Fake::default(), |e, _| {
            if let Event::Begun { taken, of, .. } = e {
                begun = Some((*taken, *of));
            }
        });
        let _ = std::fs::remove_dir_all(folder.path().join("second"));
        done.map(|_| begun.unwrap())
    };
    let all = model.weights.len();
    let same = begin("run/model.safetensors", |_| {}).unwrap();
    assert_eq!(same, (all, all));
    // A deeper network takes what it shares and draws the rest.
    let (taken, of) = begin("run/model.safetensors", |c| {
        c.network.depths = Some(vec![1, 2]);
    })
    .unwrap();
    assert!(taken == all && of > all, "{taken} of {of}");
    let wider = begin("run/model.safetensors", |c| c.network.channels = Some(8));
    let missing = begin("nothing.safetensors", |_| {});
    assert!(matches!(wider, Err(TrainError::Start { .. })), "{wider:?}");
    assert!(matches!(missing, Err(TrainError::Checkpoint(_))));
}

#[test]
fn mistaken_starts_are_refused() {
    let (folder, config) = scene();
    let fake = Fake::default();
    let error = train(&config, true, &fake, |_, _| {}).unwrap_err();
    assert!(matches!(error, TrainError::NothingToResume { .. }));
    train(&config, false, &fake, |_, _| {}).unwrap();
    let error = train(&config, false, &fake, |_, _| {}).unwrap_err();
    assert!(matches!(error, TrainError::Occupied { .. }));
    let mut other = config.clone();
    other.network.states = Some(3);
    let error = train(&other, true, &fake, |_, _| {}).unwrap_err();
    assert!(matches!(
        error,
        TrainError::Differs {
            what: "network",
            ..
        }
    ));

    let mut fresh = config.clone();
    fresh.output = "fresh".into();
    let with_folder = |f: &str| {
        let mut c = fresh.clone();
        c.data.folders = vec![f.into()];
        c
    };
    let message = train(&with_folder("no/such"), false, &fake, |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("no/such"), "{message}");
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let message = train(&with_folder("empty"), false, &fake, |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("no usable photograph"), "{message}");
    let mut large = fresh.clone();
    large.data.crop = 64;
    let message = train(&large, false, &fake, |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("a crop needs 64"), "{message}");
    let mut enlarging = fresh;
    enlarging.network.scale = Some(2);
    let message = train(&enlarging, false, &fake, |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("network's scale of 2"), "{message}");
}
