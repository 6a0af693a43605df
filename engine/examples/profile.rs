//! Where the time goes on a graphics device, kernel by kernel.
//!
//!     cargo run --release -p serpent-engine --example profile -- train base 16 128
//!     cargo run --release -p serpent-engine --example profile -- infer base 1 512

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use serpent_engine::backend::wgpu::{DeviceRequest, ProfileRow, WgpuBackend};
use serpent_engine::backend::{Executable, StepSettings, Trainer, TrainingState};
use serpent_engine::graph::{Loss, Op, differentiate, fuse, fuse_backward, graph_cost};
use serpent_engine::network::{Network, Preset, initial_weights};

/// Counted repetitions, after as many that are not.
const RUNS: u32 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, preset, batch, side] = arguments.as_slice() else {
        return Err("profile train|infer tiny|base|large BATCH SIDE".into());
    };
    let preset = match preset.as_str() {
        "tiny" => Preset::Tiny,
        "base" => Preset::Base,
        "large" => Preset::Large,
        _ => return Err("presets are tiny, base, large".into()),
    };
    let (batch, side): (usize, usize) = (batch.parse()?, side.parse()?);
    let backend = WgpuBackend::open(&DeviceRequest {
        name: std::env::var("SERPENT_TEST_DEVICE").ok(),
        allow_software: true,
        ..Default::default()
    })?;
    println!("{:?}", backend.info());
    let network = Network::build(&preset.config(), batch, side, side)?;
    let weights = initial_weights(&network.parameters, 1);
    let input = vec![0.5f32; batch * side * side * 3];
    let rows = match mode.as_str() {
        "train" => train(&backend, network, weights, &input)?,
        _ => infer(&backend, network, &weights, &input)?,
    };
    table("kernel", &rows, |r| r.kernel.to_owned());
    table("op", &rows, |r| r.op.to_owned());
    table("widest launches", &rows, |r| {
        format!("{} {} {}", r.op, r.kernel, r.label)
    });
    Ok(())
}

fn train(
    backend: &WgpuBackend,
    mut network: Network,
    weights: Vec<Vec<f32>>,
    input: &[f32],
) -> Result<Vec<ProfileRow>, Box<dyn Error>> {
    let decay: Vec<bool> = network.parameters.iter().map(|p| p.decay).collect();
    let out = network.graph.outputs[0];
    let dims = network.graph.dims(out).to_vec();
    let target = network.graph.input("target", &dims);
    let loss = Op::Loss(Loss::Charbonnier { epsilon: 1e-3 });
    let loss = network.graph.apply(loss, &[out, target], "loss")?;
    let training = fuse_backward(differentiate(network.graph, loss)?);
    println!("{:?}", graph_cost(&training.graph));
    let start = Instant::now();
    let mut trainer = backend.load_trainer(&training, &decay, &TrainingState::start(weights))?;
    println!(
        "prepared in {:.2} s, {} MiB",
        start.elapsed().as_secs_f64(),
        trainer.memory_bytes() >> 20
    );
    let clean: Vec<f32> = input
        .iter()
        .enumerate()
        .map(|(i, v)| v + 0.1 * (i as f32).sin())
        .collect();
    let settings = StepSettings {
        step: 1,
        learning_rate: 1e-4,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.0,
        clip_norm: 1.0,
        ema_decay: 0.999,
    };
    for counted in [false, true] {
        let start = Instant::now();
        for _ in 0..RUNS {
            trainer.step(&[input, &clean], &settings)?;
        }
        let reports = trainer.reports()?;
        if counted {
            let each = start.elapsed().as_secs_f64() / f64::from(RUNS);
            println!("{:.2} ms a step; last {:?}", each * 1e3, reports.last());
        }
    }
    Ok(trainer.profile_step(&[input, &clean], &settings)?)
}

fn infer(
    backend: &WgpuBackend,
    network: Network,
    weights: &[Vec<f32>],
    input: &[f32],
) -> Result<Vec<ProfileRow>, Box<dyn Error>> {
    let graph = fuse(network.graph);
    println!("{:?}", graph_cost(&graph));
    let model = backend.load_model(weights)?;
    let start = Instant::now();
    let mut executable = model.prepare_program(&graph)?;
    println!(
        "prepared in {:.2} s, {} MiB",
        start.elapsed().as_secs_f64(),
        executable.memory_bytes() >> 20
    );
    for counted in [false, true] {
        let start = Instant::now();
        for _ in 0..RUNS {
            executable.run(&[input])?;
        }
        if counted {
            let each = start.elapsed().as_secs_f64() / f64::from(RUNS);
            println!("{:.2} ms a run, with upload and read-back", each * 1e3);
        }
    }
    Ok(executable.profile(&[input])?)
}

/// Sums of the rows that share a key, largest first.
fn table(title: &str, rows: &[ProfileRow], key: impl Fn(&ProfileRow) -> String) {
    let mut sums: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for row in rows {
        let entry = sums.entry(key(row)).or_default();
        entry.0 += row.microseconds;
        entry.1 += 1;
    }
    let total: f64 = sums.values().map(|s| s.0).sum();
    let mut sorted: Vec<_> = sums.into_iter().collect();
    sorted.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    println!(
        "\n{title}: {:.2} ms in {} launches",
        total / 1e3,
        rows.len()
    );
    for (name, (time, count)) in sorted.into_iter().take(32) {
        println!("{:9.3} ms {count:5}  {name}", time / 1e3);
    }
}
