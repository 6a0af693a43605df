//! Fast paths against the reference, the executor as a whole, and training.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::CpuBackend;
use super::reference::{run_graph, run_graph_watched};
use crate::backend::{Backend, StepSettings, TrainingState};
use crate::graph::{
    Activation, Graph, Loss, Op, RearrangeOrder, ScanSpec, TrainingGraph, differentiate, infer,
};
use crate::network::{Ffn, Network, NetworkConfig, Preset, initial_weights};

fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| 2.0 * rng.random::<f32>() - 1.0)
        .collect()
}

fn slices(x: &[Vec<f32>]) -> Vec<&[f32]> {
    x.iter().map(Vec::as_slice).collect()
}

/// Largest difference relative to the largest value.
fn error(got: &[f32], want: &[f32]) -> f32 {
    assert_eq!(got.len(), want.len());
    let scale = want.iter().fold(1e-6, |a: f32, x| a.max(x.abs()));
    let largest = got.iter().zip(want).map(|(g, w)| (g - w).abs());
    // f32::max drops NaN, so count it as infinite.
    largest.fold(
        0.0,
        |a: f32, e| if e.is_nan() { f32::INFINITY } else { a.max(e) },
    ) / scale
}

/// Runs one op on the executor with its first `activations` operands as inputs, the rest as weights.
fn check(op: Op, dims: &[&[usize]], activations: &[usize]) {
    infer(&op, dims).unwrap();
    let mut graph = Graph::new();
    let (mut inputs, mut weights, mut operands) = (Vec::new(), Vec::new(), Vec::new());
    for (i, dims) in dims.iter().enumerate() {
        let data = values(i as u64, dims.iter().product());
        let name = format!("operand{i}");
        if activations.contains(&i) {
            operands.push(graph.input(&name, dims));
            inputs.push(data);
        } else {
            operands.push(graph.parameter(&name, dims));
            weights.push(data);
        }
    }
    graph.outputs = graph.node(op, &operands, "op").unwrap();
    let want = run_graph(&graph, &slices(&inputs), &slices(&weights));
    let model = CpuBackend.load(&weights).unwrap();
    let mut executable = model.prepare(&graph).unwrap();
    // Twice: buffers hold old values the second time.
    for _ in 0..2 {
        let got = executable.run(&slices(&inputs)).unwrap();
        for (got, want) in got.iter().zip(&want) {
            let e = error(got, want);
            assert!(e < 1e-5, "{op:?} {dims:?}: error {e:e}");
        }
    }
}

/// Activation shapes: below, at, and across the width of the vectors and of the row blocks.
const SHAPES: [[usize; 4]; 7] = [
    [1, 1, 1, 1],
    [2, 3, 5, 7],
    [1, 17, 9, 16],
    [1, 33, 40, 32],
    [3, 7, 2, 50],
    [1, 1, 260, 3],
    [1, 2, 64, 17],
];

#[test]
fn linear() {
    for x in SHAPES {
        let [b, h, w, i] = x;
        for o in [1, 3, 16, 70] {
            let (weight, y) = ([o, i], [b, h, w, o]);
            let op = |bias, residual| Op::Linear { bias, residual };
            check(op(false, false), &[&x, &weight], &[0]);
            check(op(true, false), &[&x, &weight, &[o]], &[0]);
            check(op(false, true), &[&x, &weight, &y, &[o]], &[0, 2]);
            check(op(true, true), &[&x, &weight, &[o], &y, &[o]], &[0, 3]);
        }
    }
}

#[test]
fn norms() {
    for x in SHAPES {
        let c = [x[3]];
        check(Op::LayerNorm, &[&x, &c, &c], &[0]);
        check(Op::LayerNormSiluGate, &[&x, &c, &c, &x], &[0, 3]);
    }
}

#[test]
fn convolutions() {
    let kinds = [
        None,
        Some(Activation::Silu),
        Some(Activation::Gelu),
        Some(Activation::Relu),
        Some(Activation::Sigmoid),
    ];
    for x in SHAPES {
        let c = x[3];
        for o in [1, 3, 20] {
            check(Op::Conv3x3, &[&x, &[o, c, 3, 3], &[o]], &[0]);
        }
        for activation in kinds {
            let op = |bias| Op::DepthwiseConv3x3 { bias, activation };
            check(op(true), &[&x, &[c, 1, 3, 3], &[c]], &[0]);
            check(op(false), &[&x, &[c, 1, 3, 3]], &[0]);
        }
        let wide = [x[0], x[1], x[2], 2 * c];
        let op = |bias| Op::DepthwiseGeluGate { bias };
        check(op(true), &[&wide, &[2 * c, 1, 3, 3], &[2 * c]], &[0]);
        check(op(false), &[&wide, &[2 * c, 1, 3, 3]], &[0]);
    }
}

#[test]
fn scans() {
    for v in SHAPES {
        for (directions, states, rank, tied) in [
            (1, 1, 1, false),
            (2, 3, 2, true),
            (4, 8, 1, false),
            (4, 16, 5, false),
            (4, 8, 3, true),
        ] {
            let spec = ScanSpec {
                directions,
                states,
                rank,
                tied,
                backward: rank % 2 == 0,
            };
            let (k, d) = (directions, v[3]);
            let p = [v[0], v[1], v[2], k * spec.projected()];
            let a_log = if tied { vec![k, d] } else { vec![k, d, states] };
            let dims: [&[usize]; 6] = [&v, &p, &[k, d, rank], &[k, d], &a_log, &[k, d]];
            check(Op::SelectiveScan(spec), &dims, &[0, 1]);
        }
    }
}

/// The scan must not depend on how many threads share it.
#[test]
fn scans_on_many_threads() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(7)
        .build()
        .unwrap();
    pool.install(scans);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    pool.install(scans);
}

#[test]
fn pointwise_and_rearrangements() {
    for x in SHAPES {
        let [b, h, w, c] = x;
        for kind in [
            Activation::Relu,
            Activation::Gelu,
            Activation::Silu,
            Activation::Sigmoid,
        ] {
            check(Op::Activation(kind), &[&x], &[0]);
        }
        check(Op::SiluGate, &[&x, &x], &[0, 1]);
        check(Op::GeluGate, &[&[b, h, w, 2 * c]], &[0]);
        check(Op::AddScaled, &[&x, &x, &[c]], &[0, 1]);
        check(Op::Add, &[&x, &x], &[0, 1]);
        check(Op::GlobalAveragePool, &[&x], &[0]);
        check(Op::MulChannels, &[&x, &[b, 1, 1, c]], &[0, 1]);
        check(Op::ConcatChannels, &[&x, &[b, h, w, 5]], &[0, 1]);
        check(
            Op::SliceChannels {
                start: c - 1,
                len: 1,
            },
            &[&x],
            &[0],
        );
        for order in [RearrangeOrder::PixelShuffle, RearrangeOrder::PatchMerge] {
            for factor in [2, 3] {
                let flat = [b, factor * h, factor * w, c];
                let deep = [b, h, w, factor * factor * c];
                check(Op::SpaceToDepth { factor, order }, &[&flat], &[0]);
                check(Op::DepthToSpace { factor, order }, &[&deep], &[0]);
            }
        }
        check(Op::UpsampleBicubic { factor: 2 }, &[&x], &[0]);
    }
}

/// Initial weights moved away from zeros and ones.
fn disturbed(network: &Network) -> Vec<Vec<f32>> {
    let mut weights = initial_weights(&network.parameters, 5);
    for (i, w) in weights.iter_mut().enumerate() {
        let noise = values(i as u64, w.len());
        for (w, n) in w.iter_mut().zip(noise) {
            *w += 0.1 * n;
        }
    }
    weights
}

fn switches() -> [NetworkConfig; 3] {
    let tiny = Preset::Tiny.config();
    [
        tiny.clone(),
        NetworkConfig {
            channels: 12,
            depths: vec![1, 2],
            patch: 2,
            ffn: Ffn::ChannelAttention,
            tied_decay: true,
            noise_map: true,
            scale: 2,
            ..tiny.clone()
        },
        NetworkConfig {
            channels: 20,
            depths: vec![2, 1],
            ffn: Ffn::None,
            directions: 2,
            alternating: true,
            expansion: 1,
            states: 5,
            ..tiny
        },
    ]
}

#[test]
fn whole_networks_agree_with_the_reference() {
    for config in switches() {
        let network = Network::build(&config, 2, 16, 24).unwrap();
        let weights = disturbed(&network);
        let input = vec![values(9, network.graph.len(network.graph.inputs[0]))];
        let want = run_graph(&network.graph, &slices(&input), &slices(&weights));
        let model = CpuBackend.load(&weights).unwrap();
        let mut executable = model.prepare(&network.graph).unwrap();
        let got = executable.run(&slices(&input)).unwrap();
        let e = error(&got[0], &want[0]);
        println!("{config:?}: error {e:e}");
        assert!(e < 1e-4, "{config:?}: error {e:e}");
    }
}

/// The last convolution starts at zero, so an untrained network returns its input exactly.
#[test]
fn an_untrained_network_is_the_identity() {
    for preset in [Preset::Tiny, Preset::Base] {
        let network = Network::build(&preset.config(), 1, 16, 16).unwrap();
        let weights = initial_weights(&network.parameters, 1);
        let input = vec![values(2, 16 * 16 * 3)];
        let reference = run_graph(&network.graph, &slices(&input), &slices(&weights));
        assert_eq!(reference[0], input[0]);
        let model = CpuBackend.load(&weights).unwrap();
        let mut executable = model.prepare(&network.graph).unwrap();
        assert_eq!(executable.run(&slices(&input)).unwrap()[0], input[0]);
        assert!(executable.memory_bytes() > 0);
    }
}

/// A flat picture has no variance anywhere to divide by at the start.
#[test]
fn a_flat_picture_stays_finite() {
    let network = Network::build(&Preset::Tiny.config(), 1, 16, 16).unwrap();
    let weights = disturbed(&network);
    let model = CpuBackend.load(&weights).unwrap();
    let mut executable = model.prepare(&network.graph).unwrap();
    for level in [0.0, 0.5, 1.0] {
        let input = vec![vec![level; 16 * 16 * 3]];
        let want = run_graph(&network.graph, &slices(&input), &slices(&weights));
        let got = executable.run(&slices(&input)).unwrap();
        assert!(error(&got[0], &want[0]) < 1e-4);
    }
}

#[test]
fn wrong_operands_are_named() {
    let network = Network::build(&Preset::Tiny.config(), 1, 8, 8).unwrap();
    let mut weights = initial_weights(&network.parameters, 1);
    let model = CpuBackend.load(&weights).unwrap();
    let mut executable = model.prepare(&network.graph).unwrap();
    let message = executable.run(&[&[0.0; 7]]).unwrap_err().to_string();
    assert!(
        message.contains("input") && message.contains("192"),
        "{message}"
    );
    weights[0].pop();
    let model = CpuBackend.load(&weights).unwrap();
    let message = model.prepare(&network.graph).err().unwrap().to_string();
    assert!(message.contains("stem.conv.weight"), "{message}");
}

/// The watched run shows every node and gives the same result.
#[test]
fn every_node_can_be_watched() {
    let network = Network::build(&Preset::Tiny.config(), 1, 8, 8).unwrap();
    let weights = disturbed(&network);
    let input = vec![values(9, 8 * 8 * 3)];
    let mut seen = 0;
    let mut watch = |_: &crate::graph::Node, results: &[Vec<f32>]| {
        seen += usize::from(results.iter().flatten().all(|x| x.is_finite()));
    };
    let watched = run_graph_watched(
        &network.graph,
        &slices(&input),
        &slices(&weights),
        &mut watch,
    );
    assert_eq!(seen, network.graph.nodes.len());
    assert_eq!(
        watched,
        run_graph(&network.graph, &slices(&input), &slices(&weights))
    );
}

fn training() -> (TrainingGraph, Vec<bool>, TrainingState) {
    let config = NetworkConfig {
        channels: 8,
        depths: vec![1, 1],
        states: 4,
        ..Preset::Tiny.config()
    };
    let mut network = Network::build(&config, 2, 8, 8).unwrap();
    let out = network.graph.outputs[0];
    let target = network.graph.input("target", &[2, 8, 8, 3]);
    let loss = Op::Loss(Loss::Charbonnier { epsilon: 1e-3 });
    let loss = network.graph.apply(loss, &[out, target], "loss").unwrap();
    let decay = network.parameters.iter().map(|p| p.decay).collect();
    let state = TrainingState::start(initial_weights(&network.parameters, 3));
    (differentiate(network.graph, loss).unwrap(), decay, state)
}

fn settings(step: u64) -> StepSettings {
    StepSettings {
        step,
        learning_rate: 3e-3,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 1e-4,
        clip_norm: 1.0,
        ema_decay: 0.9,
    }
}

#[test]
fn training_lowers_the_loss() {
    let (graph, decay, state) = training();
    let mut trainer = CpuBackend.trainer(&graph, &decay, &state).unwrap();
    let clean: Vec<f32> = (0..2 * 8 * 8 * 3)
        .map(|i| 0.5 + 0.4 * (i as f32 * 0.05).sin())
        .collect();
    let noise = values(4, clean.len());
    let noisy: Vec<f32> = clean.iter().zip(noise).map(|(c, n)| c + 0.2 * n).collect();
    for step in 1..=30 {
        trainer.step(&[&noisy, &clean], &settings(step)).unwrap();
    }
    let reports = trainer.reports().unwrap();
    assert_eq!(reports.len(), 30);
    assert!(trainer.reports().unwrap().is_empty());
    let (first, last) = (reports[0].loss, reports[29].loss);
    assert!(last < 0.8 * first, "{first} → {last}");
    let after = trainer.state().unwrap();
    assert_ne!(after.weights, state.weights);
    assert_ne!(after.average, after.weights);
}

#[test]
fn a_step_that_is_not_finite_changes_nothing() {
    let (graph, decay, state) = training();
    let mut trainer = CpuBackend.trainer(&graph, &decay, &state).unwrap();
    let bad = vec![f32::NAN; 2 * 8 * 8 * 3];
    trainer.step(&[&bad, &bad], &settings(1)).unwrap();
    assert!(trainer.reports().unwrap()[0].loss.is_nan());
    assert_eq!(trainer.state().unwrap(), state);
}
