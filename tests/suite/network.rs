//! Whole networks: the same on every executor, and the identity before training.

use serpent_engine::backend::cpu::reference::run_graph;
use serpent_engine::graph::{Loss, Op, differentiate, elements, fuse, fuse_backward};
use serpent_engine::network::{Ffn, Network, NetworkConfig, Preset, initial_weights};
use serpent_tests::{Fill, compare, run_on_gpu};

/// Small enough for a software device, with every kind of layer.
pub fn small() -> NetworkConfig {
    NetworkConfig {
        channels: 8,
        depths: vec![1, 1],
        states: 4,
        ..Preset::Tiny.config()
    }
}

/// Every switch of the network at that size.
pub fn variants() -> Vec<NetworkConfig> {
    let base = small();
    vec![
        base.clone(),
        NetworkConfig {
            patch: 2,
            ffn: Ffn::None,
            ..base.clone()
        },
        NetworkConfig {
            ffn: Ffn::ChannelAttention,
            tied_decay: true,
            ..base.clone()
        },
        NetworkConfig {
            scale: 2,
            noise_map: true,
            directions: 2,
            alternating: true,
            ..base
        },
    ]
}

/// Weights in which nothing is zero, so that every layer speaks.
pub fn lively_weights(network: &Network, seed: u64) -> Vec<Vec<f32>> {
    let mut weights = initial_weights(&network.parameters, seed);
    for (i, (w, p)) in weights.iter_mut().zip(&network.parameters).enumerate() {
        let range = if p.name.ends_with("weight") && p.dims.len() > 1 {
            0.25
        } else {
            0.05
        };
        let noise = Fill::Uniform(-range, range).tensor(w.len(), seed * 7919 + i as u64);
        w.iter_mut().zip(noise).for_each(|(w, n)| *w += n);
    }
    weights
}

fn picture(network: &Network, seed: u64) -> Vec<f32> {
    let dims = network.graph.dims(network.graph.inputs[0]);
    Fill::Uniform(0.0, 1.0).tensor(elements(dims), seed)
}

fn reference(network: &Network, input: &[f32], weights: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let weights: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    run_graph(&network.graph, &[input], &weights)
}

#[test]
fn gpu_matches_reference_on_whole_networks() {
    for config in variants() {
        let mut network = Network::build(&config, 2, 12, 20).unwrap();
        let weights = lively_weights(&network, 3);
        let input = picture(&network, 4);
        let expected = reference(&network, &input, &weights);
        network.graph = fuse(network.graph);
        let got = run_on_gpu(&network.graph, &[input], &weights);
        compare(&format!("{config:?}"), &got, &expected, 1e-3);
    }
}

#[test]
fn gpu_matches_reference_on_whole_gradients() {
    for config in variants() {
        let mut network = Network::build(&config, 2, 8, 12).unwrap();
        let weights = lively_weights(&network, 5);
        let input = picture(&network, 6);
        let out = network.graph.outputs[0];
        let dims = network.graph.dims(out).to_vec();
        let target = Fill::Uniform(0.0, 1.0).tensor(elements(&dims), 7);
        let given = network.graph.input("target", &dims);
        let loss = Op::Loss(Loss::Charbonnier { epsilon: 1e-3 });
        let loss = network.graph.apply(loss, &[out, given], "loss").unwrap();
        let mut training = differentiate(network.graph.clone(), loss).unwrap();
        training
            .graph
            .outputs
            .extend(training.gradients.iter().map(|&(_, g)| g));
        let slices: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        let expected = run_graph(&training.graph, &[&input, &target], &slices);
        // The reference runs the plain graph, the device the fused one.
        let mut fused = fuse_backward(differentiate(fuse(network.graph), loss).unwrap());
        let gradients = fused.gradients.iter().map(|&(_, g)| g);
        fused.graph.outputs.extend(gradients);
        let fused = fused.graph;
        let got = run_on_gpu(&fused, &[input, target], &weights);
        compare(&format!("{config:?}"), &got, &expected, 1e-3);
    }
}

#[test]
fn untrained_network_is_the_identity_on_every_executor() {
    let network = Network::build(&small(), 1, 16, 24).unwrap();
    let weights = initial_weights(&network.parameters, 1);
    let input = picture(&network, 2);
    assert_eq!(reference(&network, &input, &weights)[0], input, "reference");
    let fused = fuse(network.graph.clone());
    assert_eq!(
        run_on_gpu(&fused, std::slice::from_ref(&input), &weights)[0],
        input,
        "WGSL"
    );
}

#[test]
fn same_input_gives_the_same_output() {
    let network = Network::build(&small(), 1, 16, 24).unwrap();
    let weights = lively_weights(&network, 8);
    let input = picture(&network, 9);
    let fused = fuse(network.graph.clone());
    let first = run_on_gpu(&fused, std::slice::from_ref(&input), &weights);
    assert_eq!(first, run_on_gpu(&fused, &[input], &weights));
}
