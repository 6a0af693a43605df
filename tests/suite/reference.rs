//! A checkpoint opens in PyTorch: the twin in `tests/reference/` agrees with the engine.
//!
//! `tests/run` installs PyTorch and names its interpreter in
//! `SERPENT_REFERENCE_PYTHON`; a bare `cargo test` without it says so and passes.

use std::path::{Path, PathBuf};
use std::process::Command;

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use serpent_engine::backend::cpu::reference::run_graph;
use serpent_engine::checkpoint::{Checkpoint, Precision, Task};
use serpent_engine::graph::elements;
use serpent_engine::network::Network;
use serpent_tests::Fill;

use crate::network::{lively_weights, variants};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs the engine and the twin on one random picture.
fn compare(checkpoint: &Path, folder: &Path, height: usize, width: usize) {
    let Some(python) = std::env::var_os("SERPENT_REFERENCE_PYTHON") else {
        eprintln!("SERPENT_REFERENCE_PYTHON is not set: the PyTorch twin was not run");
        return;
    };
    let loaded = Checkpoint::load(checkpoint).unwrap();
    let network = Network::build(&loaded.config, 1, height, width).unwrap();
    let dims = |v: usize| network.graph.values[v].dims.clone();
    let (x, y) = (network.graph.inputs[0].0, network.graph.outputs[0].0);
    let input = Fill::Uniform(0.0, 1.0).tensor(elements(&dims(x)), 11);
    let weights: Vec<&[f32]> = loaded.weights.iter().map(Vec::as_slice).collect();
    let output = run_graph(&network.graph, &[&input], &weights).remove(0);
    let pair = folder.join("pair.safetensors");
    let tensors =
        [("input", dims(x), input), ("output", dims(y), output)].map(|(name, dims, data)| {
            let bytes: Vec<u8> = data.iter().flat_map(|v| v.to_le_bytes()).collect();
            (name, dims, bytes)
        });
    let views = tensors.iter().map(|(name, dims, bytes)| {
        (
            *name,
            TensorView::new(Dtype::F32, dims.clone(), bytes).unwrap(),
        )
    });
    serialize_to_file(views, None, &pair).unwrap();
    let out = Command::new(python)
        .arg(root().join("tests/reference/compare.py"))
        .args([checkpoint, &pair])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    println!("{}: {text}", checkpoint.display());
    assert!(out.status.success(), "{text}");
}

#[test]
fn twin_agrees_on_every_switch() {
    let folder = tempfile::tempdir().unwrap();
    for (i, config) in variants().into_iter().enumerate() {
        let network = Network::build(&config, 1, 8, 8).unwrap();
        let checkpoint = Checkpoint {
            weights: lively_weights(&network, 20 + i as u64),
            config,
            task: Task::Denoise,
            recipe: serde_json::Value::Null,
            overlap: None,
        };
        let path = folder.path().join(format!("{i}.safetensors"));
        checkpoint.save(&path, Precision::F32).unwrap();
        compare(&path, folder.path(), 8, 12);
    }
}

#[test]
fn twin_agrees_on_every_shipped_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut shipped = 0;
    for entry in std::fs::read_dir(root().join("models")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "safetensors") {
            compare(&path, folder.path(), 16, 24);
            shipped += 1;
        }
    }
    assert!(shipped > 0, "no model is shipped");
}
