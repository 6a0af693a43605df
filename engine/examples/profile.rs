//! Where a network's time goes on a graphics device.
//!
//! `cargo run --release -p serpent-engine --example profile -- train base 16 128`
//! `cargo run --release -p serpent-engine --example profile -- run base 1 1024`
//!
//! Prints the time of a step (or a run), then every op and kernel with its share.
//! `--allow-software` takes a software device, `--device NAME` a named one.

use std::collections::HashMap;
use std::time::Instant;

use serpent_engine::backend::wgpu::{DeviceRequest, ProfileRow, WgpuBackend};
use serpent_engine::backend::{Executable, StepSettings, Trainer, TrainingState};
use serpent_engine::graph::{Loss, Op, differentiate, fuse, fuse_backward, graph_cost};
use serpent_engine::network::{Network, Preset, initial_weights};

type Failure = Box<dyn std::error::Error>;

const REPEATS: u32 = 20;

fn main() -> Result<(), Failure> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let mut request = DeviceRequest::default();
    if let Some(i) = words.iter().position(|w| w == "--allow-software") {
        words.remove(i);
        request.allow_software = true;
    }
    if let Some(i) = words.iter().position(|w| w == "--device") {
        words.remove(i);
        request.name = Some(words.remove(i));
    }
    let [mode, preset, batch, side] = words.as_slice() else {
        return Err("usage: profile train|run tiny|base|large BATCH SIDE".into());
    };
    let preset = match preset.as_str() {
        "tiny" => Preset::Tiny,
        "base" => Preset::Base,
        "large" => Preset::Large,
        other => return Err(format!("no preset {other:?}").into()),
    };
    let side = side.parse()?;
    let network = Network::build(&preset.config(), batch.parse()?, side, side)?;
    let backend = WgpuBackend::open(&request)?;
    println!("{:#?}", backend.info());
    match mode.as_str() {
        "train" => train(&backend, network),
        "run" => run(&backend, network),
        other => Err(format!("no mode {other:?}").into()),
    }
}

fn run(backend: &WgpuBackend, network: Network) -> Result<(), Failure> {
    let model = backend.load_model(&initial_weights(&network.parameters, 1))?;
    let graph = fuse(network.graph);
    println!("{:?}", graph_cost(&graph));
    let input = vec![0.5; graph.len(graph.inputs[0])];
    let start = Instant::now();
    let mut executable = model.prepare_program(&graph)?;
    println!("prepared in {:.2?}", start.elapsed());
    println!("{} MiB of intermediates", executable.memory_bytes() >> 20);
    for _ in 0..3 {
        executable.run(&[&input])?;
    }
    let start = Instant::now();
    for _ in 0..REPEATS {
        executable.run(&[&input])?;
    }
    println!("{:.3?} a run with its copies", start.elapsed() / REPEATS);
    print(&executable.profile(&[&input])?);
    Ok(())
}

fn train(backend: &WgpuBackend, network: Network) -> Result<(), Failure> {
    let decay: Vec<bool> = network.parameters.iter().map(|p| p.decay).collect();
    let weights = initial_weights(&network.parameters, 1);
    let mut graph = network.graph;
    let prediction = graph.outputs[0];
    let dims = graph.dims(prediction).to_vec();
    let target = graph.input("target", &dims);
    let kind = Loss::Charbonnier { epsilon: 1e-3 };
    let loss = graph.apply(Op::Loss(kind), &[prediction, target], "loss")?;
    let training = fuse_backward(differentiate(graph, loss)?);
    println!("{:?}", graph_cost(&training.graph));
    let start = Instant::now();
    let mut trainer = backend.load_trainer(&training, &decay, &TrainingState::start(weights))?;
    println!("prepared in {:.2?}", start.elapsed());
    println!("{} MiB on the device", trainer.memory_bytes() >> 20);
    let operands: Vec<Vec<f32>> = training
        .graph
        .inputs
        .iter()
        .enumerate()
        .map(|(i, &v)| vec![0.4 + 0.1 * i as f32; training.graph.len(v)])
        .collect();
    let operands: Vec<&[f32]> = operands.iter().map(Vec::as_slice).collect();
    let settings = |step| StepSettings {
        step,
        learning_rate: 1e-4,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 1e-4,
        clip_norm: 1.0,
        ema_decay: 0.999,
    };
    for step in 1..=5 {
        trainer.step(&operands, &settings(step))?;
    }
    println!("{:?}", trainer.reports()?);
    let (start, mut queueing) = (Instant::now(), 0.0);
    for step in 6..6 + u64::from(REPEATS) {
        let queued = Instant::now();
        trainer.step(&operands, &settings(step))?;
        queueing += queued.elapsed().as_secs_f64();
    }
    trainer.reports()?;
    println!("{:.3?} a step", start.elapsed() / REPEATS);
    let queueing = 1e3 * queueing / f64::from(REPEATS);
    println!("{queueing:.2} ms of it in step() (which waits when it is ahead)");
    print(&trainer.profile_step(&operands, &settings(100))?);
    Ok(())
}

/// The rows summed by op and kernel, largest first.
fn print(rows: &[ProfileRow]) {
    let mut sums: HashMap<(&str, &str), (f64, usize)> = HashMap::new();
    for row in rows {
        let sum = sums.entry((row.op, row.kernel)).or_default();
        sum.0 += row.microseconds;
        sum.1 += 1;
    }
    let total: f64 = rows.iter().map(|r| r.microseconds).sum();
    println!(
        "{} launches, {:.3} ms on the device",
        rows.len(),
        total / 1e3
    );
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    for ((op, kernel), (microseconds, launches)) in sums {
        let (ms, share) = (microseconds / 1e3, 100.0 * microseconds / total);
        println!("{ms:9.3} ms {share:5.1} % {launches:5} × {op} ({kernel})");
    }
    let mut slowest: Vec<_> = rows.iter().collect();
    slowest.sort_by(|a, b| b.microseconds.total_cmp(&a.microseconds));
    for row in slowest.iter().take(20) {
        let ms = row.microseconds / 1e3;
        println!(
            "{ms:9.3} ms {} ({}) {:?}",
            row.label, row.kernel, row.workgroups
        );
    }
}
