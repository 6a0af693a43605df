//! LayerNorm and its relatives.

use serpent_engine::graph::Op;
use serpent_tests::{Fill, parity_with};

/// Activations whose channels or tokens do not fill workgroups, lanes or vectors.
const SHAPES: [[usize; 4]; 9] = [
    [1, 1, 1, 1],
    [1, 3, 5, 3],
    [2, 7, 3, 5],
    [1, 9, 11, 8],
    [1, 5, 7, 33],
    [2, 3, 9, 64],
    [1, 2, 3, 260],
    [1, 1, 3, 1024],
    [1, 1, 2, 1027],
];

/// Far from zero mean, so that a one-pass variance would be wrong.
const SHIFTED: Fill = Fill::Uniform(9.0, 11.0);

#[test]
fn layer_norm() {
    for (i, x) in SHAPES.iter().enumerate() {
        let c = [x[3]];
        // One channel normalises to rounding noise: its variance is exactly 0.
        for fill in [Fill::SIGNED, SHIFTED] {
            let operands: [(&[usize], Fill); 3] =
                [(x, fill), (&c, Fill::SIGNED), (&c, Fill::SIGNED)];
            parity_with(Op::LayerNorm, &operands, i as u64, 1e-4);
        }
    }
}

#[test]
fn layer_norm_silu_gate() {
    for (i, x) in SHAPES.iter().enumerate() {
        let c = [x[3]];
        let operands: [(&[usize], Fill); 4] = [
            (x, Fill::SIGNED),
            (&c, Fill::SIGNED),
            (&c, Fill::SIGNED),
            // Below −87 SiLU is a denormal, which GPUs may flush.
            (x, Fill::Uniform(-80.0, 120.0)),
        ];
        parity_with(Op::LayerNormSiluGate, &operands, i as u64, 1e-4);
    }
}

#[test]
fn layer_norm_backward() {
    // The last: more blocks of tokens than workgroups, so that workgroups stride.
    let shapes = SHAPES.iter().chain(&[[1, 67, 129, 129], [1, 130, 129, 1]]);
    for (i, x) in shapes.enumerate() {
        let c = [x[3]];
        let norm: [(&[usize], Fill); 3] =
            [(x, Fill::SIGNED), (&c, Fill::SIGNED), (x, Fill::SIGNED)];
        for (pair, accumulate) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut operands = norm.to_vec();
            let more = usize::from(pair) + usize::from(accumulate);
            operands.extend(std::iter::repeat_n(norm[2], more));
            let op = Op::LayerNormBackward { pair, accumulate };
            parity_with(op, &operands, i as u64, 1e-4);
        }
        let gated: [(&[usize], Fill); 5] = [norm[0], norm[1], norm[1], norm[0], norm[2]];
        parity_with(Op::LayerNormSiluGateBackward, &gated, i as u64, 1e-4);
    }
}
