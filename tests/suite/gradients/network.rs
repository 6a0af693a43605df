//! Whole networks through `differentiate`, with every switch on somewhere.

use rand::RngExt;
use serpent_engine::backend::cpu::reference::run_graph;
use serpent_engine::graph::{Loss, Op, differentiate, fuse, fuse_backward};
use serpent_engine::network::{Ffn, Network, NetworkConfig, Preset, initial_weights};

use super::{assert_close, rng, slope, values};

/// Elements looked at in each parameter tensor.
const SAMPLES: usize = 3;

fn check(config: &NetworkConfig, batch: usize, height: usize, width: usize) {
    let mut network = Network::build(config, batch, height, width).unwrap();
    let out = network.graph.outputs[0];
    let dims = network.graph.dims(out).to_vec();
    let target = network.graph.input("target", &dims);
    let loss = Op::Loss(Loss::Charbonnier { epsilon: 0.1 });
    let loss = network.graph.apply(loss, &[out, target], "loss").unwrap();
    let mut forward = network.graph.clone();
    forward.outputs = vec![loss];

    let mut rng = rng(7);
    let inputs: Vec<Vec<f64>> = forward
        .inputs
        .iter()
        .map(|&v| values(&mut rng, forward.dims(v)))
        .collect();
    // Away from the initial zeros and ones, so that every path carries something.
    // The only ReLU has one channel here: a bias keeps it alive.
    let weights: Vec<Vec<f64>> = initial_weights(&network.parameters, 11)
        .iter()
        .zip(&network.parameters)
        .map(|(w, p)| {
            let offset = f64::from(u8::from(p.name.ends_with("squeeze.bias")));
            w.iter()
                .map(|&x| f64::from(x) + offset + 0.4 * (rng.random::<f64>() - 0.5))
                .collect()
        })
        .collect();
    let evaluate = |weights: &[Vec<f64>]| {
        let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
        let weights: Vec<&[f64]> = weights.iter().map(Vec::as_slice).collect();
        run_graph(&forward, &inputs, &weights)[0][0]
    };

    let differentiated = |graph| {
        let training = fuse_backward(differentiate(graph, loss).unwrap());
        let mut graph = training.graph;
        graph.outputs = training.gradients.iter().map(|&(_, g)| g).collect();
        let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
        let weights: Vec<&[f64]> = weights.iter().map(Vec::as_slice).collect();
        run_graph(&graph, &inputs, &weights)
    };
    let gradients = differentiated(network.graph.clone());
    // Fusion before differentiation changes the way but not the result.
    let fused = differentiated(fuse(network.graph.clone()));
    for ((plain, fused), p) in gradients.iter().zip(&fused).zip(&network.parameters) {
        let scale = plain.iter().fold(0.0, |a: f64, g| a.max(g.abs()));
        for (i, (a, b)) in plain.iter().zip(fused).enumerate() {
            assert_close(*b, *a, scale, 1e-9, &format!("fused {}[{i}]", p.name));
        }
    }
    for (index, gradient) in gradients.iter().enumerate() {
        let name = &network.parameters[index].name;
        let scale = gradient.iter().fold(0.0, |a: f64, g| a.max(g.abs()));
        assert!(scale > 0.0, "{name} has a zero gradient");
        for _ in 0..SAMPLES.min(gradient.len()) {
            let i = rng.random_range(0..gradient.len());
            let loss = |x: &[f64]| {
                let mut changed = weights.clone();
                changed[index] = x.to_vec();
                evaluate(&changed)
            };
            let want = slope(&mut weights[index].clone(), i, &loss);
            assert_close(gradient[i], want, scale, 1e-5, &format!("{name}[{i}]"));
        }
    }
}

fn small() -> NetworkConfig {
    NetworkConfig {
        channels: 6,
        depths: vec![1, 1],
        states: 3,
        ..Preset::Tiny.config()
    }
}

#[test]
fn the_plain_network() {
    check(&small(), 2, 4, 6);
}

#[test]
fn patches_channel_attention_tied_decay_noise_map_and_enlargement() {
    let config = NetworkConfig {
        patch: 2,
        ffn: Ffn::ChannelAttention,
        tied_decay: true,
        noise_map: true,
        scale: 2,
        ..small()
    };
    check(&config, 1, 8, 4);
}

#[test]
fn no_feed_forward_and_two_directions() {
    let config = NetworkConfig {
        ffn: Ffn::None,
        directions: 2,
        expansion: 1,
        ..small()
    };
    check(&config, 1, 4, 4);
}
