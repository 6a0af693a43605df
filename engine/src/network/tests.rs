#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::graph::{
    Graph, Loss, Op, Step, ValueId, differentiate, fuse, fuse_backward, fuse_blocks, graph_cost,
    plan_memory, recompute,
};

/// The sizes and costs the presets are known by (256² input).
#[test]
fn presets_have_their_published_size_and_cost() {
    for (preset, millions, gmac, gflop) in [
        (Preset::Tiny, 0.55, 2.6, 2.2),
        (Preset::Base, 3.4, 11.7, 5.1),
        (Preset::Large, 14.6, 44.6, 23.6),
    ] {
        let network = Network::build(&preset.config(), 1, 256, 256).unwrap();
        let cost = graph_cost(&network.graph);
        let m = network.parameter_count() as f64 / 1e6;
        println!(
            "{preset:?}: {m:.3} M, {:.2} GMAC, {:.2} GFLOP",
            cost.dense_macs as f64 / 1e9,
            cost.scan_flops as f64 / 1e9
        );
        assert!((m / millions - 1.0).abs() < 0.03, "{preset:?} parameters");
        assert!(
            (cost.dense_macs as f64 / 1e9 / gmac - 1.0).abs() < 0.05,
            "{preset:?} dense"
        );
        assert!(
            (cost.scan_flops as f64 / 1e9 / gflop - 1.0).abs() < 0.05,
            "{preset:?} scan"
        );
    }
}

/// Every switch builds, differentiates (each parameter gets a gradient of its size) and fuses.
#[test]
fn every_switch_builds_and_differentiates() {
    let base = NetworkConfig {
        channels: 8,
        depths: vec![1, 2],
        states: 3,
        ..Preset::Tiny.config()
    };
    let variants = [
        base.clone(),
        NetworkConfig {
            patch: 2,
            ..base.clone()
        },
        NetworkConfig {
            ffn: Ffn::None,
            ..base.clone()
        },
        NetworkConfig {
            ffn: Ffn::ChannelAttention,
            ..base.clone()
        },
        NetworkConfig {
            tied_decay: true,
            directions: 2,
            ..base.clone()
        },
        NetworkConfig {
            scale: 4,
            ..base.clone()
        },
        NetworkConfig {
            noise_map: true,
            expansion: 1,
            ..base
        },
    ];
    for config in variants {
        let mut network = Network::build(&config, 2, 8, 12).unwrap();
        let out = network.graph.outputs[0];
        assert_eq!(
            network.graph.dims(out),
            [2, 8 * config.scale, 12 * config.scale, 3]
        );
        let before = network.graph.nodes.len();
        assert!(fuse(network.graph.clone()).nodes.len() < before);
        let dims = network.graph.dims(out).to_vec();
        let target = network.graph.input("target", &dims);
        let loss = Op::Loss(Loss::Charbonnier { epsilon: 1e-3 });
        let loss = network.graph.apply(loss, &[out, target], "loss").unwrap();
        let training = differentiate(network.graph, loss).unwrap();
        let count = training.graph.nodes.len();
        let training = fuse_backward(training);
        assert!(training.graph.nodes.len() < count);
        for (p, g) in training.gradients {
            assert_eq!(training.graph.dims(p), training.graph.dims(g), "{config:?}");
        }
    }
}

#[test]
fn bad_configurations_and_sizes_are_refused() {
    let config = NetworkConfig {
        directions: 3,
        ..Preset::Tiny.config()
    };
    let message = Network::build(&config, 1, 64, 64).unwrap_err().to_string();
    assert!(message.contains("directions"), "{message}");
    let message = Network::build(&Preset::Tiny.config(), 1, 60, 64)
        .unwrap_err()
        .to_string();
    assert!(message.contains("multiples of 8"), "{message}");
}

#[test]
fn initial_weights_follow_the_recipe_and_the_seed() {
    let network = Network::build(&Preset::Tiny.config(), 1, 8, 8).unwrap();
    let a = initial_weights(&network.parameters, 1);
    assert_eq!(a, initial_weights(&network.parameters, 1));
    assert_ne!(a, initial_weights(&network.parameters, 2));
    for (p, w) in network.parameters.iter().zip(&a) {
        if p.name.ends_with("dt_proj.bias") {
            let softplus = |x: f32| x.exp().ln_1p();
            assert!(
                w.iter().all(|&b| (9e-4..0.101).contains(&softplus(b))),
                "{}",
                p.name
            );
        }
        if p.name.ends_with("head.conv.weight") {
            assert!(w.iter().all(|&x| x == 0.0));
        }
    }
}

/// Bytes of intermediates by the liveness plan, and the most that is needed at once.
fn planned_bytes(graph: &Graph) -> (u64, u64) {
    let ids = |values: &[ValueId]| values.iter().map(|v| v.0).collect::<Vec<_>>();
    let steps: Vec<Step> = graph
        .nodes
        .iter()
        .map(|n| Step {
            reads: ids(&n.inputs),
            writes: ids(&n.outputs),
            scratch: vec![],
        })
        .collect();
    let outside = ids(&[graph.inputs.as_slice(), &graph.parameters].concat());
    let sizes: Vec<_> = (0..graph.values.len())
        .map(|v| (!outside.contains(&v)).then(|| 4 * graph.len(ValueId(v)) as u64))
        .collect();
    let keep = ids(&graph.outputs);
    let uses = |step: &Step, v: usize| step.reads.contains(&v) || step.writes.contains(&v);
    let lives: Vec<_> = (0..sizes.len())
        .map(|v| {
            let first = steps.iter().position(|s| uses(s, v));
            let last = steps.iter().rposition(|s| uses(s, v));
            let last = last.map(|l| if keep.contains(&v) { steps.len() } else { l });
            first.zip(last)
        })
        .collect();
    let at_once = (0..steps.len()).map(|i| {
        let alive = lives.iter().zip(&sizes);
        let alive = alive.filter(|(life, _)| life.is_some_and(|(a, b)| (a..=b).contains(&i)));
        alive.filter_map(|(_, bytes)| *bytes).sum()
    });
    let most = at_once.max().unwrap_or(0);
    (plan_memory(&steps, &sizes, &keep).total_bytes(), most)
}

#[test]
fn plans_take_little_more_than_what_lives_at_once() {
    for preset in [Preset::Tiny, Preset::Base, Preset::Large] {
        let network = Network::build(&preset.config(), 1, 64, 64).unwrap();
        let restoring = fuse(network.graph.clone());
        let mut graph = network.graph;
        let out = graph.outputs[0];
        let dims = graph.dims(out).to_vec();
        let target = graph.input("target", &dims);
        let loss = graph.apply(Op::Loss(Loss::L1), &[out, target], "loss");
        let loss = loss.unwrap();
        let training = fuse_backward(differentiate(fuse(graph), loss).unwrap()).graph;
        let blocks = fuse_blocks(restoring.clone());
        for (graph, what) in [
            (restoring, "fused"),
            (blocks, "blocks"),
            (training, "training"),
        ] {
            let (planned, most) = planned_bytes(&graph);
            let ratio = planned as f64 / most as f64;
            println!("{preset:?}, {what}: {ratio:.3} of {most} bytes");
            assert!(ratio < 1.28, "{preset:?}, {what}: {ratio}");
        }
    }
}

#[test]
fn recomputing_saves_training_memory_and_changes_nothing() {
    let config = NetworkConfig {
        channels: 8,
        depths: vec![1, 1, 1],
        states: 2,
        ..Preset::Tiny.config()
    };
    let mut network = Network::build(&config, 1, 16, 16).unwrap();
    let out = network.graph.outputs[0];
    let dims = network.graph.dims(out).to_vec();
    let target = network.graph.input("target", &dims);
    let loss = Op::Loss(Loss::L1);
    let loss = network.graph.apply(loss, &[out, target], "loss").unwrap();
    let mut weights = initial_weights(&network.parameters, 1);
    for w in &mut weights {
        w.iter_mut()
            .enumerate()
            .for_each(|(i, w)| *w += 0.1 * (i as f32).sin());
    }
    let training = fuse_backward(differentiate(fuse(network.graph), loss).unwrap());
    let input: Vec<f32> = (0..16 * 16 * 3)
        .map(|i| (i as f32 * 0.7).sin().abs())
        .collect();
    let target: Vec<f32> = (0..16 * 16 * 3)
        .map(|i| (i as f32 * 0.3).cos().abs())
        .collect();
    let run = |mut t: crate::graph::TrainingGraph| {
        t.graph.outputs.extend(t.gradients.iter().map(|&(_, g)| g));
        let weights: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        crate::backend::cpu::reference::run_graph(&t.graph, &[&input, &target], &weights)
    };
    let saved = recompute(training.clone());
    let bytes = |graph| planned_bytes(graph).0 as f64;
    let ratio = bytes(&saved.graph) / bytes(&training.graph);
    println!("memory with recomputation: {ratio:.2} of what it was");
    assert!(ratio < 0.8, "{ratio}");
    assert_eq!(run(saved), run(training));
}
