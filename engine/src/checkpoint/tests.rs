#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::backend::TrainingState;
use crate::network::{Preset, initial_weights};

fn config() -> NetworkConfig {
    NetworkConfig {
        channels: 4,
        depths: vec![1, 1],
        states: 2,
        ..Preset::Tiny.config()
    }
}

fn checkpoint() -> Checkpoint {
    let specs = parameters(&config(), Path::new("test")).unwrap();
    Checkpoint {
        config: config(),
        task: Task::Denoise,
        recipe: json!({ "seed": 7, "data": ["a"] }),
        overlap: None,
        weights: initial_weights(&specs, 7),
    }
}

/// A valid file's metadata and tensors, to be damaged.
struct Parts {
    metadata: HashMap<String, String>,
    tensors: Vec<(String, Vec<usize>, safetensors::Dtype, Vec<u8>)>,
}

impl Parts {
    fn valid() -> Self {
        let c = checkpoint();
        let specs = parameters(&c.config, Path::new("test")).unwrap();
        let metadata = metadata(Path::new("test"), &c.config, c.task, &c.recipe).unwrap();
        let tensors = specs.into_iter().zip(&c.weights).map(|(p, w)| {
            let bytes = w.iter().flat_map(|v| v.to_le_bytes()).collect();
            (p.name, p.dims, safetensors::Dtype::F32, bytes)
        });
        Self {
            metadata,
            tensors: tensors.collect(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let views = self.tensors.iter().map(|(name, dims, dtype, bytes)| {
            let view = safetensors::tensor::TensorView::new(*dtype, dims.clone(), bytes).unwrap();
            (name.as_str(), view)
        });
        safetensors::serialize(views, Some(self.metadata.clone())).unwrap()
    }

    fn load(&self) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::from_bytes(&self.bytes(), Path::new("model.safetensors"))
    }

    /// Loads after damage and gives the error's text, which must name the file.
    fn refusal(damage: impl FnOnce(&mut Self)) -> String {
        let mut parts = Self::valid();
        damage(&mut parts);
        let message = parts.load().unwrap_err().to_string();
        assert!(message.starts_with("model.safetensors: "), "{message}");
        message
    }
}

fn refuse_bytes(bytes: &[u8]) -> CheckpointError {
    Checkpoint::from_bytes(bytes, Path::new("model.safetensors")).unwrap_err()
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let c = checkpoint();
    c.save(&path, Precision::F32).unwrap();
    assert_eq!(Checkpoint::load(&path).unwrap(), c);

    let full = std::fs::metadata(&path).unwrap().len();
    c.save(&path, Precision::F16).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < full);
    let half = Checkpoint::load(&path).unwrap();
    let specs = parameters(&c.config, &path).unwrap();
    for ((spec, a), b) in specs.iter().zip(&c.weights).zip(&half.weights) {
        for (&x, &y) in a.iter().zip(b) {
            let limit = if spec.decay {
                x.abs() / 2048.0 + 1e-7
            } else {
                0.0
            };
            assert!((x - y).abs() <= limit, "{}: {x} became {y}", spec.name);
        }
    }
    // Nothing else is left in the folder.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_training_state_comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.safetensors");
    let c = checkpoint();
    let mut state = TrainingState::start(c.weights);
    state.first[3][0] = f32::from_bits(1);
    state.second[5][0] = 1.234_567_8e-30;
    state.average[0][0] = -0.0;
    let saved = SavedTraining {
        config: c.config,
        task: c.task,
        recipe: c.recipe,
        step: u64::MAX - 1,
        state,
    };
    saved.save(&path).unwrap();
    assert_eq!(SavedTraining::load(&path).unwrap(), saved);
    assert!(matches!(
        Checkpoint::load(&path).unwrap_err(),
        CheckpointError::MissingTensor { .. }
    ));
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.safetensors");
    assert!(matches!(
        Checkpoint::load(&missing),
        Err(CheckpointError::Io { action: "open", .. })
    ));
    assert!(Checkpoint::load(folder.path()).is_err(), "a folder");
    for bytes in [&b""[..], b"\x01\x00\x00"] {
        assert!(matches!(
            refuse_bytes(bytes),
            CheckpointError::Truncated { .. }
        ));
    }
    for bytes in [
        &b"\x89PNG\r\n\x1a\n and so on"[..],
        b"plain text, long enough",
    ] {
        assert!(matches!(
            refuse_bytes(bytes),
            CheckpointError::HeaderTooLarge { .. }
        ));
    }
    let mut bytes = Parts::valid().bytes();
    bytes[8] = b'[';
    assert!(matches!(
        refuse_bytes(&bytes),
        CheckpointError::NotSafetensors { .. }
    ));
}

#[test]
fn every_truncation_is_refused() {
    let bytes = Parts::valid().bytes();
    for len in (0..bytes.len()).step_by(97).chain([8, bytes.len() - 1]) {
        let error = refuse_bytes(&bytes[..len]);
        assert!(
            matches!(error, CheckpointError::Truncated { .. }),
            "{error}"
        );
    }
    let longer = [bytes.as_slice(), b"tail"].concat();
    refuse_bytes(&longer);
}

#[test]
fn wrong_tensors_are_refused() {
    let message = Parts::refusal(|p| drop(p.tensors.remove(4)));
    assert!(message.contains("is missing"), "{message}");
    let message = Parts::refusal(|p| {
        let mut extra = p.tensors[0].clone();
        extra.0 = "extra.weight".to_owned();
        p.tensors.push(extra);
    });
    assert!(
        message.contains("extra.weight does not belong"),
        "{message}"
    );
    let message = Parts::refusal(|p| p.tensors[0].1 = vec![3, 4, 3, 3]);
    assert!(
        message.contains("has shape [3, 4, 3, 3], the network needs [4, 3, 3, 3]"),
        "{message}"
    );
    let message = Parts::refusal(|p| p.tensors[0].2 = safetensors::Dtype::I32);
    assert!(message.contains("has type I32"), "{message}");
    for bad in [f32::NAN, f32::INFINITY] {
        let message = Parts::refusal(|p| p.tensors[2].3[..4].copy_from_slice(&bad.to_le_bytes()));
        assert!(message.contains("not finite"), "{message}");
    }
}

#[test]
fn wrong_metadata_is_refused() {
    for key in [KEY_FORMAT, KEY_CONFIG, KEY_TASK, KEY_RECIPE] {
        let message = Parts::refusal(|p| drop(p.metadata.remove(key)));
        assert!(
            message.contains(key) && message.contains("missing"),
            "{message}"
        );
        let message = Parts::refusal(|p| drop(p.metadata.insert(key.to_owned(), "{".to_owned())));
        assert!(
            message.contains(if key == KEY_FORMAT { "format {" } else { key }),
            "{message}"
        );
    }
    let message = Parts::refusal(|p| drop(p.metadata.insert(KEY_FORMAT.into(), "2".into())));
    assert!(
        message.contains("format 2") && message.contains("update"),
        "{message}"
    );
    let message = Parts::refusal(|p| drop(p.metadata.insert(KEY_TASK.into(), "\"fly\"".into())));
    assert!(message.contains("fly"), "{message}");
}

#[test]
fn configurations_out_of_range_are_refused_before_memory_is_taken() {
    for (field, value) in [
        ("channels", json!(0)),
        ("channels", json!(1_000_000_000_000_u64)),
        ("channels", json!(-1)),
        ("channels", json!(f64::MAX)),
        ("depths", json!([])),
        ("depths", json!([1, 0])),
        ("depths", json!([1, 1_000_000])),
        ("depths", json!([1, 1, 1, 1, 1, 1, 1, 1])),
        ("states", json!(u64::MAX)),
        ("patch", json!(0)),
        ("expansion", json!(99)),
        ("directions", json!(3)),
        ("scale", json!(7)),
        ("ffn", json!("none-such")),
        ("surprise", json!(1)),
    ] {
        let message = Parts::refusal(|p| {
            let mut config: serde_json::Value =
                serde_json::from_str(&p.metadata[KEY_CONFIG]).unwrap();
            config[field] = value.clone();
            p.metadata.insert(KEY_CONFIG.to_owned(), config.to_string());
        });
        assert!(
            message.contains("configuration") || message.contains(KEY_CONFIG),
            "{message}"
        );
    }
    // In range, but another network's: the tensors do not fit.
    let message = Parts::refusal(|p| {
        let mut config = config();
        config.channels = 512;
        config.depths = vec![64; 6];
        p.metadata.insert(
            KEY_CONFIG.to_owned(),
            serde_json::to_string(&config).unwrap(),
        );
    });
    assert!(message.contains("has shape"), "{message}");
}

#[test]
fn weights_that_do_not_fit_or_are_not_finite_are_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("model.safetensors");
    let mut c = checkpoint();
    c.weights[0][1] = 70_000.0;
    c.save(&path, Precision::F32).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(
        c.save(&path, Precision::F16).unwrap_err(),
        CheckpointError::NotFinite { index: 1, .. }
    ));
    c.weights[0][1] = f32::NAN;
    assert!(c.save(&path, Precision::F32).is_err());
    c.weights[0].pop();
    assert!(matches!(
        c.save(&path, Precision::F32).unwrap_err(),
        CheckpointError::Weights { .. }
    ));
    c.weights.pop();
    assert!(c.save(&path, Precision::F32).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), before, "the old file stays");
    let nowhere = folder.path().join("no/such/folder/model.safetensors");
    assert!(matches!(
        checkpoint().save(nowhere, Precision::F32).unwrap_err(),
        CheckpointError::Io { .. }
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Damaged files load or are refused; nothing panics, nothing that is not finite comes through.
    #[test]
    fn damaged_bytes_never_panic(
        flips in prop::collection::vec((0.0_f64..1.0, any::<u8>(), any::<bool>()), 1..6)
    ) {
        thread_local!(static VALID: Vec<u8> = Parts::valid().bytes());
        let mut bytes = VALID.with(Clone::clone);
        let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
        for (at, value, in_header) in flips {
            // Most of the file is weights, most of the danger is the header.
            let range = if in_header { header } else { bytes.len() };
            bytes[(at * range as f64) as usize] = value;
        }
        if let Ok(c) = Checkpoint::from_bytes(&bytes, Path::new("damaged")) {
            prop_assert!(c.weights.iter().flatten().all(|v| v.is_finite()));
        }
    }
}
