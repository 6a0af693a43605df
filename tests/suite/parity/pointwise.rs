//! Activations, gates, channel scales, and sums over tokens and pixels.

use serpent_engine::graph::{Activation, Op};
use serpent_tests::{Fill, parity, parity_with};

/// Activations whose channels or tokens do not fill workgroups or vectors.
const SHAPES: [[usize; 4]; 7] = [
    [1, 1, 1, 1],
    [1, 3, 5, 3],
    [2, 7, 3, 5],
    [3, 9, 11, 8],
    [1, 25, 17, 33],
    [2, 13, 9, 64],
    [2, 3, 5, 132],
];

const ACTIVATIONS: [Activation; 4] = [
    Activation::Relu,
    Activation::Gelu,
    Activation::Silu,
    Activation::Sigmoid,
];

/// Far enough out that a careless exp or tanh overflows.
const WIDE: Fill = Fill::Uniform(-150.0, 150.0);

#[test]
fn activations() {
    for (i, x) in SHAPES.iter().enumerate() {
        for a in ACTIVATIONS {
            for fill in [Fill::Uniform(-4.0, 4.0), WIDE] {
                let forward: [(&[usize], Fill); 1] = [(x, fill)];
                parity_with(Op::Activation(a), &forward, i as u64, 1e-4);
                let backward: [(&[usize], Fill); 2] = [(x, fill), (x, Fill::SIGNED)];
                parity_with(Op::ActivationBackward(a), &backward, i as u64, 1e-4);
            }
        }
    }
}

#[test]
fn gates() {
    for (i, x) in SHAPES.iter().enumerate() {
        let seed = i as u64;
        parity(Op::SiluGate, &[x, x], seed, 1e-4);
        parity(Op::SiluGateBackward, &[x, x, x], seed, 1e-4);
        let double = [x[0], x[1], x[2], 2 * x[3]];
        parity(Op::GeluGate, &[&double], seed, 1e-4);
        parity(Op::GeluGateBackward, &[&double, x], seed, 1e-4);
    }
}

#[test]
fn channel_scales() {
    // The last: several segments of rows.
    let shapes = SHAPES.iter().chain(&[[2, 67, 131, 36]]);
    for (i, x) in shapes.enumerate() {
        let (seed, c, each) = (i as u64, [x[3]], [x[0], 1, 1, x[3]]);
        parity(Op::Add, &[x, x], seed, 1e-6);
        parity(Op::AddScaled, &[x, x, &c], seed, 1e-4);
        parity(Op::AddScaledBackward, &[x, &c, x], seed, 1e-4);
        parity(Op::MulChannels, &[x, &each], seed, 1e-4);
        parity(Op::MulChannelsBackward, &[x, &each, x], seed, 1e-4);
    }
}

#[test]
fn sums() {
    // The last two: sums of two stages, one with few rows left in the last segment.
    let shapes = SHAPES.iter().chain(&[[2, 129, 101, 12], [1, 1, 70_001, 1]]);
    for (i, x) in shapes.enumerate() {
        let (seed, [b, height, width, c]) = (i as u64, *x);
        let positive: [(&[usize], Fill); 1] = [(x, Fill::POSITIVE)];
        parity_with(Op::SumTokens, &positive, seed, 1e-6);
        parity(Op::SumTokens, &[x], seed, 1e-4);
        parity_with(Op::GlobalAveragePool, &positive, seed, 1e-6);
        let op = Op::GlobalAveragePoolBackward { height, width };
        parity(op, &[&[b, 1, 1, c]], seed, 1e-4);
    }
}

#[test]
fn scaled_rows() {
    for (i, w) in [[1, 1], [3, 5], [7, 33], [64, 128], [5, 260], [300, 12]]
        .iter()
        .enumerate()
    {
        let s = [w[0]];
        parity(Op::ScaleRows, &[w, &s], i as u64, 1e-6);
        parity(Op::ScaleRowsBackward, &[w, &s, w], i as u64, 1e-4);
    }
}
