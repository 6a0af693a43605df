//! 3×3 and depthwise convolutions.

use serpent_engine::graph::{Activation, Op};
use serpent_tests::parity;

/// Batch, height, width.
const PICTURES: [[usize; 3]; 5] = [[1, 1, 1], [1, 2, 3], [2, 5, 7], [1, 13, 35], [1, 33, 10]];

/// Inputs and outputs: stem, head, and sizes that divide nothing.
const CHANNELS: [(usize, usize); 8] = [
    (1, 1),
    (3, 32),
    (4, 16),
    (16, 3),
    (16, 48),
    (33, 5),
    (8, 65),
    (64, 22),
];

#[test]
fn conv3x3() {
    for (i, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for (inputs, outputs) in CHANNELS {
            let x = [b, h, w, inputs];
            let weight = [outputs, inputs, 3, 3];
            parity(Op::Conv3x3, &[&x, &weight, &[outputs]], i as u64, 1e-4);
        }
    }
}

#[test]
fn conv3x3_backward_input() {
    for (i, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for (inputs, outputs) in CHANNELS {
            let gy = [b, h, w, outputs];
            let weight = [outputs, inputs, 3, 3];
            parity(Op::Conv3x3BackwardInput, &[&gy, &weight], i as u64, 1e-4);
        }
    }
}

#[test]
fn conv3x3_backward_weight() {
    for (i, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for (inputs, outputs) in CHANNELS {
            let gy = [b, h, w, outputs];
            let x = [b, h, w, inputs];
            parity(Op::Conv3x3BackwardWeight, &[&gy, &x], i as u64, 1e-4);
        }
    }
    // More strips than workgroups, so that workgroups stride.
    let (gy, x) = ([1, 1100, 33, 2], [1, 1100, 33, 1]);
    parity(Op::Conv3x3BackwardWeight, &[&gy, &x], 9, 1e-4);
}

const DEPTHWISE: [usize; 7] = [1, 3, 5, 8, 33, 64, 132];

#[test]
fn depthwise_conv3x3() {
    for (i, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for c in DEPTHWISE {
            let (x, weight) = ([b, h, w, c], [c, 1, 3, 3]);
            for (bias, activation) in [
                (false, None),
                (true, None),
                (true, Some(Activation::Silu)),
                (false, Some(Activation::Relu)),
            ] {
                let op = Op::DepthwiseConv3x3 { bias, activation };
                let operands: [&[usize]; 3] = [&x, &weight, &[c]];
                parity(op, &operands[..2 + usize::from(bias)], i as u64, 1e-4);
            }
        }
    }
}

#[test]
fn depthwise_conv3x3_backward() {
    // The last: more places than workgroups, so that workgroups stride.
    let pictures = PICTURES.into_iter().chain([[3, 513, 41]]);
    for (i, [b, h, w]) in pictures.enumerate() {
        for c in DEPTHWISE {
            if h > 100 && c != 64 {
                continue;
            }
            let (x, weight) = ([b, h, w, c], [c, 1, 3, 3]);
            for bias in [false, true] {
                let op = Op::DepthwiseConv3x3Backward { bias };
                parity(op, &[&x, &x, &weight], i as u64, 1e-4);
            }
        }
    }
}

#[test]
fn depthwise_activation_backward() {
    for (i, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for c in DEPTHWISE {
            let (x, weight) = ([b, h, w, c], [c, 1, 3, 3]);
            for (bias, pair) in [(false, false), (true, false), (true, true), (false, true)] {
                let op = Op::DepthwiseActivationBackward {
                    bias,
                    activation: Activation::Silu,
                    pair,
                };
                let bias: &[&[usize]] = if bias { &[&[c]] } else { &[] };
                let gradients: &[&[usize]] = if pair { &[&x, &x] } else { &[&x] };
                let operands = [&[&x[..], &weight[..]], bias, gradients].concat();
                parity(op, &operands, i as u64, 1e-4);
            }
        }
    }
}

#[test]
fn depthwise_gelu_gate() {
    for (i, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for e in DEPTHWISE {
            let (x, y, weight, c) = ([b, h, w, 2 * e], [b, h, w, e], [2 * e, 1, 3, 3], [2 * e]);
            for bias in [false, true] {
                let operands: [&[usize]; 3] = [&x, &weight, &c];
                let operands = &operands[..2 + usize::from(bias)];
                parity(Op::DepthwiseGeluGate { bias }, operands, i as u64, 1e-4);
                let op = Op::DepthwiseGeluGateBackward { bias };
                parity(op, &[operands, &[&y[..]]].concat(), i as u64, 1e-4);
            }
        }
    }
}
