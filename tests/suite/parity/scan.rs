//! The selective scan: odd shapes, ragged chunks, every number of directions, long sequences.

use serpent_engine::graph::{Op, ScanSpec, elements};
use serpent_tests::{Fill, compare, one_node, parity_with, run_on_gpu, run_on_reference};

/// Relative error allowed for each output.
const TOLERANCE: f64 = 1e-4;

/// softplus⁻¹(0.001) and softplus⁻¹(0.1): the biases Δ starts from.
const DELTA_BIAS: Fill = Fill::Uniform(-6.907, -2.252);

/// One scan to compare.
#[derive(Clone, Copy)]
struct Case {
    /// B, H, W, D
    v: [usize; 4],
    /// K, N, R
    spec: [usize; 3],
    tied: bool,
    bias: Fill,
}

impl Case {
    const fn new(v: [usize; 4], spec: [usize; 3], tied: bool) -> Self {
        let bias = DELTA_BIAS;
        Self {
            v,
            spec,
            tied,
            bias,
        }
    }

    fn check(&self, backward: bool, seed: u64) {
        let [b, h, w, d] = self.v;
        let [directions, states, rank] = self.spec;
        let spec = ScanSpec {
            directions,
            states,
            rank,
            tied: self.tied,
        };
        let (p, w_dt) = (
            [b, h, w, directions * spec.projected()],
            [directions, d, rank],
        );
        let (channel, decay) = ([directions, d], [directions, d, states]);
        // A from −1 to −N, as it starts.
        let (a_log, a_fill): (&[usize], _) = match self.tied {
            true => (&channel, Fill::Uniform(-0.5, 0.5)),
            false => (&decay, Fill::Uniform(-0.5, (states as f32).ln() + 0.1)),
        };
        let mut operands: Vec<(&[usize], Fill)> = vec![
            (&self.v, Fill::SIGNED),
            (&p, Fill::SIGNED),
            (&w_dt, Fill::SIGNED),
            (&channel, self.bias),
            (a_log, a_fill),
            (&channel, Fill::SIGNED),
        ];
        if !backward {
            return parity_with(Op::SelectiveScan(spec), &operands, seed, TOLERANCE);
        }
        operands.push((&self.v, Fill::SIGNED));
        let op = Op::SelectiveScanBackward(spec);
        if h * w > 1 {
            return parity_with(op, &operands, seed, TOLERANCE);
        }
        // From a zero state the decay of the only token does nothing: the gradient of a_log is
        // 0, where the reference leaves the rounding of a difference.
        let dims: Vec<&[usize]> = operands.iter().map(|(d, _)| *d).collect();
        let graph = one_node(op, &dims);
        let inputs: Vec<Vec<f32>> = (operands.iter().zip(seed..))
            .map(|((d, fill), seed)| fill.tensor(elements(d), seed))
            .collect();
        let mut expected = run_on_reference(&graph, &inputs, &[]);
        assert!(expected[4].iter().all(|g| g.abs() < 1e-12));
        expected[4].fill(0.0);
        let got = run_on_gpu(&graph, &inputs, &[]);
        compare("one token", &got, &expected, TOLERANCE);
    }
}

/// Shapes that are no multiple of anything, channels from fewer than lanes to more; some fill
/// whole subgroups of 8, whose sums go another way.
const SHAPES: [Case; 13] = [
    Case::new([1, 1, 1, 8], [4, 8, 1], false),
    Case::new([1, 1, 1, 1], [1, 1, 1], false),
    Case::new([2, 5, 7, 13], [4, 3, 2], false),
    Case::new([2, 5, 7, 13], [4, 3, 2], true),
    Case::new([1, 3, 19, 64], [4, 16, 4], true),
    Case::new([3, 6, 5, 96], [4, 16, 3], false),
    Case::new([1, 7, 6, 130], [4, 8, 4], false),
    Case::new([1, 5, 5, 300], [2, 5, 3], false),
    Case::new([1, 6, 11, 20], [1, 8, 2], false),
    Case::new([2, 3, 30, 24], [1, 1, 1], true),
    Case::new([1, 17, 2, 16], [4, 1, 4], false),
    Case::new([1, 5, 8, 12], [4, 32, 5], false),
    Case::new([1, 4, 9, 40], [2, 20, 9], true),
];

/// Many chunks, so that carries matter and pass through runs of chunks.
const LONG: [Case; 3] = [
    Case::new([1, 64, 70, 8], [4, 8, 1], false),
    Case::new([2, 37, 41, 10], [4, 4, 2], true),
    Case::new([1, 1, 2500, 6], [2, 3, 1], false),
];

#[test]
fn forward_of_odd_shapes() {
    for (i, case) in SHAPES.iter().enumerate() {
        case.check(false, 100 + i as u64);
    }
}

#[test]
fn forward_of_long_sequences() {
    for (i, case) in LONG.iter().enumerate() {
        case.check(false, 200 + i as u64);
    }
}

/// Δ from 0.1 to beyond the softplus's identity, where a token forgets all before it.
#[test]
fn forward_of_large_delta() {
    for (i, mut case) in SHAPES.into_iter().chain(LONG).enumerate().step_by(5) {
        case.bias = Fill::Uniform(-2.0, 25.0);
        case.check(false, 300 + i as u64);
    }
}

#[test]
fn backward_of_odd_shapes() {
    for (i, case) in SHAPES.iter().enumerate() {
        case.check(true, 400 + i as u64);
    }
}

#[test]
fn backward_of_long_sequences() {
    for (i, case) in LONG.iter().enumerate() {
        case.check(true, 500 + i as u64);
    }
}

#[test]
fn backward_of_large_delta() {
    for (i, mut case) in SHAPES.into_iter().chain(LONG).enumerate().step_by(5) {
        case.bias = Fill::Uniform(-2.0, 25.0);
        case.check(true, 600 + i as u64);
    }
}
