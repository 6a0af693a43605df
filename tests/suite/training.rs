//! Training end to end: a network learns a picture by heart on WGSL, and a killed run resumes exactly.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serpent_engine::backend::wgpu::WgpuBackend;
use serpent_engine::backend::{Backend, StepSettings, TrainingState};
use serpent_engine::checkpoint::SavedTraining;
use serpent_engine::graph::{Loss, Op, differentiate, fuse, fuse_backward};
use serpent_engine::network::{Network, NetworkConfig, Preset, initial_weights};
use serpent_engine::train::{Log, LogLine};
use serpent_tests::{gpu, gpu_half, gpu_tensor};

use crate::program::command;

const SIDE: usize = 64;

/// A picture with edges, gradients and texture, and the same blurred by 3×3 with a pattern over it.
fn pair() -> (Vec<f32>, Vec<f32>) {
    let clean = |x: i64, y: i64, c: usize| {
        let (x, y) = (x.clamp(0, 63) as f32, y.clamp(0, 63) as f32);
        let disc = f32::from((x - 40.0).hypot(y - 24.0) < 14.0);
        let stripes = 0.5 + 0.5 * ((x + 2.0 * y) * 0.45).sin();
        let ramp = [x / 63.0, y / 63.0, (x + y) / 126.0][c];
        0.15 + 0.7 * (0.4 * ramp + 0.3 * stripes * (1.0 - disc) + 0.3 * disc * [1.0, 0.6, 0.2][c])
    };
    let (mut input, mut target) = (Vec::new(), Vec::new());
    for y in 0..SIDE as i64 {
        for x in 0..SIDE as i64 {
            for c in 0..3 {
                target.push(clean(x, y, c));
                let around = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)));
                let mean = around.map(|(dx, dy)| clean(x + dx, y + dy, c)).sum::<f32>() / 9.0;
                input.push(mean + 0.02 * ((7 * x + 13 * y) as f32 * 0.9).sin());
            }
        }
    }
    (input, target)
}

fn psnr(a: &[f32], b: &[f32]) -> f64 {
    serpent_engine::metrics::psnr(a, b, 1.0)
}

/// Trains a tiny network on one pair and returns the PSNR in dB before and after.
fn overfit(backend: &dyn Backend, steps: u64) -> (f64, f64) {
    let config = NetworkConfig {
        channels: 8,
        patch: 2,
        depths: vec![1, 1],
        states: 4,
        ..Preset::Tiny.config()
    };
    let (input, target) = pair();
    let forward = Network::build(&config, 1, SIDE, SIDE).unwrap();
    let mut graph = forward.graph.clone();
    let prediction = graph.outputs[0];
    let wanted = graph.input("target", &[1, SIDE, SIDE, 3]);
    let loss = Op::Loss(Loss::Charbonnier { epsilon: 1e-3 });
    let loss = graph.apply(loss, &[prediction, wanted], "loss").unwrap();
    let graph = fuse_backward(differentiate(fuse(graph), loss).unwrap());
    let decay = vec![false; forward.parameters.len()];
    let state = TrainingState::start(initial_weights(&forward.parameters, 1));
    let mut trainer = backend.trainer(&graph, &decay, &state).unwrap();
    for step in 1..=steps {
        let progress = step as f32 / steps as f32;
        let settings = StepSettings {
            step,
            learning_rate: 1e-2 * (step as f32 / 10.0).min(1.0) * (1.0 - progress).max(0.02),
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip_norm: 1.0,
            ema_decay: 0.9,
        };
        trainer.step(&[&input, &target], &settings).unwrap();
        if step % 50 == 0 {
            let report = *trainer.reports().unwrap().last().unwrap();
            println!(
                "step {step}: loss {:.5}, norm {:.3}",
                report.loss, report.gradient_norm
            );
        }
    }
    let weights = trainer.state().unwrap().average;
    let mut executable = backend
        .load(&weights)
        .unwrap()
        .prepare(&forward.graph)
        .unwrap();
    let output = executable.run(&[&input]).unwrap().swap_remove(0);
    (psnr(&input, &target), psnr(&output, &target))
}

#[test]
fn a_tiny_network_learns_a_picture_by_heart() {
    learns(gpu());
}

#[test]
fn a_tiny_network_learns_a_picture_by_heart_in_16_bits() {
    learns(gpu_half());
    gpu_tensor().into_iter().for_each(learns);
}

fn learns(backend: &WgpuBackend) {
    let begun = std::time::Instant::now();
    let (before, after) = overfit(backend, 150);
    println!(
        "{before:.2} dB, then {after:.2} dB in {:.1?}",
        begun.elapsed()
    );
    assert!(before < 33.0, "{before} dB are not worth learning");
    assert!(after > 40.0, "only {after} dB");
}

/// Photographs and a configuration for a network small enough for any device.
fn scene(folder: &Path) {
    for (name, count) in [("photos", 3u32), ("validation", 1)] {
        std::fs::create_dir(folder.join(name)).unwrap();
        for i in 0..count {
            let picture = image::RgbImage::from_fn(48 + i, 40, |x, y| {
                image::Rgb([(x * 5 + i * 40) as u8, (y * 6) as u8, (x * y % 256) as u8])
            });
            picture
                .save(folder.join(format!("{name}/{i}.png")))
                .unwrap();
        }
    }
    for run in ["whole", "killed"] {
        let text = format!(
            r#"
            task = "denoise"
            steps = 60
            seed = 3
            output = "{run}"
            degradations = [{{ kind = "noise", sigma = [0, 50] }}]
            network = {{ channels = 4, depths = [1, 1], states = 2 }}
            data = {{ folders = ["photos"], crop = 16, batch = 2 }}
            intervals = {{ log = 3, validate = 25, checkpoint_minutes = 0.002 }}
            validation = {{ folder = "validation", crop = 32 }}
            "#
        );
        std::fs::write(folder.join(format!("{run}.toml")), text).unwrap();
    }
}

/// Starts `serpent train` as a process of its own.
fn start(folder: &Path, run: &str, more: &[&str]) -> Child {
    let config = folder.join(format!("{run}.toml"));
    let device = gpu().name();
    let mut args = vec!["train", config.to_str().unwrap(), "--device", device];
    args.extend(more);
    command(&args).stdout(Stdio::null()).spawn().unwrap()
}

/// Number, loss, gradient norm and learning rate of each logged step; validations.
fn logged(path: &Path) -> (Vec<[f64; 4]>, Vec<(u64, f64)>) {
    let log = Log::open(path, u64::MAX).unwrap();
    let (mut steps, mut validations) = (Vec::new(), Vec::new());
    for line in &log.lines {
        match *line {
            LogLine::Step {
                step,
                loss,
                gradient_norm,
                learning_rate,
                ..
            } => steps.push([
                step as f64,
                loss.into(),
                gradient_norm.into(),
                learning_rate.into(),
            ]),
            LogLine::Validation { step, psnr, .. } => validations.push((step, psnr)),
        }
    }
    (steps, validations)
}

/// Killed twice without warning, resumed twice: the same losses and weights to the last bit.
#[test]
fn a_killed_run_resumes_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder);
    assert!(start(folder, "whole", &[]).wait().unwrap().success());

    let state = |run: &str| SavedTraining::load(folder.join(run).join("state.safetensors"));
    for (enough, more) in [(8, &[][..]), (20, &["--resume"])] {
        let mut child = start(folder, "killed", more);
        while !state("killed").is_ok_and(|s| s.step >= enough) {
            assert!(
                child.try_wait().unwrap().is_none(),
                "ended before it was killed"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let step = state("killed").unwrap().step;
        println!("killed after the state of step {step}");
        assert!(step < 60, "killed too late to prove anything");
    }
    assert!(
        start(folder, "killed", &["--resume"])
            .wait()
            .unwrap()
            .success()
    );

    let whole = logged(&folder.join("whole/log.jsonl"));
    assert_eq!((whole.0.len(), whole.1.len()), (60, 3));
    assert_eq!(whole, logged(&folder.join("killed/log.jsonl")));
    let (whole, killed) = (state("whole").unwrap(), state("killed").unwrap());
    assert_eq!((whole.step, killed.step), (60, 60));
    assert!(whole.state == killed.state, "the final states differ");
    let first = &whole.state.weights[0];
    assert!(
        whole.state.average[0] != *first,
        "the average is not the weights"
    );
}
