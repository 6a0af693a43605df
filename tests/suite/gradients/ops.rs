//! Each backward op by itself, with a random projection of the forward op's result as the loss.

use rand::RngExt;
use serpent_engine::backend::cpu::reference::{Tensor, run_op};
use serpent_engine::graph::{Activation, Loss, Op, RearrangeOrder, ScanSpec, infer};

use super::{assert_close, rng, slope, values};

const TOLERANCE: f64 = 1e-6;

/// An operand of a backward op.
#[derive(Clone, Copy)]
enum Read {
    /// Operand of the forward op.
    Operand(usize),
    /// Gradient of the forward op's result.
    Gradient,
}
use Read::{Gradient, Operand};

/// A backward op: what it reads, and which forward operand each of its results belongs to.
struct Adjoint(Op, Vec<Read>, Vec<usize>);

fn run(op: &Op, dims: &[Vec<usize>], data: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let tensors: Vec<_> = dims
        .iter()
        .zip(data)
        .map(|(dims, data)| Tensor { dims, data })
        .collect();
    run_op(op, &tensors)
}

/// Compares every element of every gradient with its finite difference.
fn check(op: Op, dims: &[&[usize]], adjoints: &[Adjoint], seed: u64) {
    let shape = infer(&op, dims).unwrap().remove(0);
    let dims: Vec<Vec<usize>> = dims.iter().map(|d| d.to_vec()).collect();
    let mut rng = rng(seed);
    let operands: Vec<Vec<f64>> = dims.iter().map(|d| values(&mut rng, d)).collect();
    let projection = match op {
        Op::Loss(_) => vec![1.0],
        _ => values(&mut rng, &shape),
    };
    let mut checked = 0;
    for Adjoint(backward, from, targets) in adjoints {
        let read: Vec<(Vec<usize>, Vec<f64>)> = from
            .iter()
            .map(|f| match f {
                Operand(i) => (dims[*i].clone(), operands[*i].clone()),
                Gradient => (shape.clone(), projection.clone()),
            })
            .collect();
        let (read_dims, read): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        let results = run(backward, &read_dims, &read);
        assert_eq!(results.len(), targets.len(), "{backward:?}");
        for (gradient, &target) in results.iter().zip(targets) {
            assert_eq!(gradient.len(), operands[target].len(), "{backward:?}");
            let scale = gradient.iter().fold(0.0, |a: f64, g| a.max(g.abs()));
            assert!(scale > 0.0, "{backward:?} gave a zero gradient");
            let loss = |x: &[f64]| {
                let mut changed = operands.clone();
                changed[target] = x.to_vec();
                let y = run(&op, &dims, &changed).remove(0);
                y.iter().zip(&projection).map(|(y, p)| y * p).sum()
            };
            let mut x = operands[target].clone();
            for (i, &g) in gradient.iter().enumerate() {
                let want = slope(&mut x, i, &loss);
                let what = format!("{backward:?} operand {target} element {i}");
                assert_close(g, want, scale, TOLERANCE, &what);
                checked += 1;
            }
        }
    }
    assert!(checked > 0);
}

/// `[B, H, W, C]` with small odd sides, a new one for each seed.
fn shape(seed: u64) -> [usize; 4] {
    let mut rng = rng(1000 + seed);
    let batch = rng.random_range(1..3);
    [batch, 3, 5, 7].map(|n: usize| {
        if n == batch {
            n
        } else {
            rng.random_range(1..=n)
        }
    })
}

const SEEDS: std::ops::Range<u64> = 0..4;

#[test]
fn linear() {
    for seed in SEEDS {
        let [b, h, w, c] = shape(seed);
        let (x, weight, bias) = ([b, h, w, c], [5, c], [5]);
        let both = [
            Adjoint(Op::LinearBackwardInput, vec![Gradient, Operand(1)], vec![0]),
            Adjoint(
                Op::LinearBackwardWeight,
                vec![Gradient, Operand(0)],
                vec![1],
            ),
            Adjoint(Op::SumTokens, vec![Gradient], vec![2]),
        ];
        let op = |bias| Op::Linear {
            bias,
            residual: false,
        };
        check(op(true), &[&x, &weight, &bias], &both, seed);
        check(op(false), &[&x, &weight], &both[..2], seed);
    }
}

const NORM: Op = Op::LayerNormBackward {
    pair: false,
    accumulate: false,
};

#[test]
fn layer_norm() {
    for seed in SEEDS {
        let [b, h, w, c] = shape(seed);
        let c = c + 1; // One channel is always normalised to zero.
        let adjoint = Adjoint(NORM, vec![Operand(0), Operand(1), Gradient], vec![0, 1, 2]);
        let x = [b, h, w, c];
        check(Op::LayerNorm, &[&x, &[c], &[c]], &[adjoint], seed);
        let adjoint = Adjoint(
            Op::LayerNormSiluGateBackward,
            (0..4).map(Operand).chain([Gradient]).collect(),
            vec![0, 1, 2, 3],
        );
        let operands: [&[usize]; 4] = [&x, &[c], &[c], &x];
        check(Op::LayerNormSiluGate, &operands, &[adjoint], seed);
    }
}

#[test]
fn layer_norm_adds_what_it_is_told_to() {
    let dims = vec![
        vec![2, 3, 1, 5],
        vec![5],
        vec![2, 3, 1, 5],
        vec![2, 3, 1, 5],
    ];
    let mut rng = rng(3);
    let data: Vec<_> = dims.iter().map(|d| values(&mut rng, d)).collect();
    let op = |pair, accumulate| Op::LayerNormBackward { pair, accumulate };
    let with = run(&op(false, true), &dims, &data);
    let without = run(&NORM, &dims[..3], &data[..3]);
    for (i, y) in with[0].iter().enumerate() {
        assert!((y - without[0][i] - data[3][i]).abs() < 1e-12);
    }
    assert_eq!(with[1..], without[1..]);
    // A pair is one gradient in two summands.
    let pair = run(&op(true, false), &dims, &data);
    let mut sum = data[..3].to_vec();
    for (a, b) in sum[2].iter_mut().zip(&data[3]) {
        *a += b;
    }
    assert_eq!(pair, run(&NORM, &dims[..3], &sum));
}

#[test]
fn convolutions() {
    for seed in SEEDS {
        let [b, h, w, c] = shape(seed);
        let x = [b, h, w, c];
        let full = [
            Adjoint(
                Op::Conv3x3BackwardInput,
                vec![Gradient, Operand(1)],
                vec![0],
            ),
            Adjoint(
                Op::Conv3x3BackwardWeight,
                vec![Gradient, Operand(0)],
                vec![1],
            ),
            Adjoint(Op::SumTokens, vec![Gradient], vec![2]),
        ];
        check(Op::Conv3x3, &[&x, &[2, c, 3, 3], &[2]], &full, seed);
        let depthwise = Adjoint(
            Op::DepthwiseConv3x3Backward { bias: true },
            vec![Gradient, Operand(0), Operand(1)],
            vec![0, 1, 2],
        );
        let op = Op::DepthwiseConv3x3 {
            bias: true,
            activation: None,
        };
        check(op, &[&x, &[c, 1, 3, 3], &[c]], &[depthwise], seed);
    }
}

/// The fused forms: the gradient of the convolution's result, and from it all the others, is
/// that of the plain ops one after another.
#[test]
fn convolutions_with_what_follows() {
    for seed in SEEDS {
        let [b, h, w, c] = shape(seed);
        let c = 2 * c;
        for (bias, activation) in [
            (true, Some(Activation::Silu)),
            (false, Some(Activation::Relu)),
            (true, None),
            (false, None),
        ] {
            let operands: [&[usize]; 3] = [&[b, h, w, c], &[c, 1, 3, 3], &[c]];
            let operands = &operands[..2 + usize::from(bias)];
            let mut rng = rng(seed);
            let conv = Op::DepthwiseConv3x3 {
                bias,
                activation: None,
            };
            // Fused, plain, and their backward ops; without an activation, the gate.
            let (fused, plain, fused_backward, plain_backward, out) = match activation {
                Some(a) => (
                    Op::DepthwiseConv3x3 { bias, activation },
                    Op::Activation(a),
                    Op::DepthwiseActivationBackward {
                        bias,
                        activation: a,
                        pair: false,
                    },
                    Op::ActivationBackward(a),
                    c,
                ),
                None => (
                    Op::DepthwiseGeluGate { bias },
                    Op::GeluGate,
                    Op::DepthwiseGeluGateBackward { bias },
                    Op::GeluGateBackward,
                    c / 2,
                ),
            };
            let mut dims: Vec<Vec<usize>> = operands.iter().map(|d| d.to_vec()).collect();
            let mut data: Vec<_> = dims.iter().map(|d| values(&mut rng, d)).collect();
            let wide = vec![b, h, w, c];
            let between = run(&conv, &dims, &data);
            let want = run(&plain, std::slice::from_ref(&wide), &between);
            assert_eq!(run(&fused, &dims, &data), want, "{fused:?}");
            let narrow = vec![b, h, w, out];
            let gy = values(&mut rng, &narrow);
            let read = [between[0].clone(), gy.clone()];
            let want = run(&plain_backward, &[wide, narrow.clone()], &read);
            dims.push(narrow.clone());
            data.push(gy.clone());
            assert_eq!(
                run(&fused_backward, &dims, &data),
                want,
                "{fused_backward:?}"
            );
            if let Op::DepthwiseActivationBackward { activation, .. } = fused_backward {
                let pair = Op::DepthwiseActivationBackward {
                    bias,
                    activation,
                    pair: true,
                };
                dims.push(narrow);
                data.push(gy);
                let twice: Vec<f64> = want[0].iter().map(|g| 2.0 * g).collect();
                assert_eq!(run(&pair, &dims, &data), [twice], "{pair:?}");
            }
        }
    }
}

/// `s ⊙ w` and its adjoint, by the layer they stand in: `res + s ⊙ (x·wᵀ)`.
#[test]
fn a_scale_taken_into_the_weight() {
    for seed in SEEDS {
        let [b, h, w, c] = shape(seed);
        let mut rng = rng(seed);
        let (x, weight, y, scale) = (vec![b, h, w, c], vec![5, c], vec![b, h, w, 5], vec![5]);
        let [xs, ws, res, s] = [&x, &weight, &y, &scale].map(|d| values(&mut rng, d));
        let layer = |residual| Op::Linear {
            bias: false,
            residual,
        };
        let dims = [x.clone(), weight.clone(), y.clone(), scale.clone()];
        let want = run(
            &layer(true),
            &dims,
            &[xs.clone(), ws.clone(), res.clone(), s.clone()],
        );
        let scaled = run(
            &Op::ScaleRows,
            &[weight.clone(), scale.clone()],
            &[ws.clone(), s.clone()],
        );
        let got = run(
            &layer(false),
            &[x.clone(), weight.clone()],
            &[xs.clone(), scaled[0].clone()],
        );
        for ((got, res), want) in got[0].iter().zip(&res).zip(&want[0]) {
            assert!((got + res - want).abs() < 1e-12);
        }
        // With gy as the loss's projection, by finite differences.
        let gy = values(&mut rng, &y);
        let g = run(
            &Op::LinearBackwardWeight,
            &[y.clone(), x],
            &[gy.clone(), xs.clone()],
        );
        let read = [ws.clone(), s.clone(), g[0].clone()];
        let got = run(
            &Op::ScaleRowsBackward,
            &[weight.clone(), scale, weight],
            &read,
        );
        let loss = |ws: &[f64], s: &[f64]| -> f64 {
            let data = [xs.clone(), ws.to_vec(), res.clone(), s.to_vec()];
            let y = run(&layer(true), &dims, &data).remove(0);
            y.iter().zip(&gy).map(|(y, g)| y * g).sum()
        };
        for (i, &g) in got[0].iter().enumerate() {
            let want = slope(&mut ws.clone(), i, &|ws| loss(ws, &s));
            assert_close(g, want, 1.0, TOLERANCE, &format!("weight {i}"));
        }
        for (i, &g) in got[1].iter().enumerate() {
            let want = slope(&mut s.clone(), i, &|s| loss(&ws, s));
            assert_close(g, want, 1.0, TOLERANCE, &format!("scale {i}"));
        }
    }
}

#[test]
fn selective_scan() {
    for (seed, directions) in (0..).zip([1, 2, 4, 4]) {
        for tied in [false, true] {
            let [b, h, w, d] = shape(seed);
            let spec = ScanSpec {
                directions,
                states: 3,
                rank: 2,
                tied,
                backward: seed % 2 == 1,
            };
            let (k, n, r) = (directions, spec.states, spec.rank);
            let (v, p) = ([b, h, w, d], [b, h, w, k * spec.projected()]);
            let a_log = if tied { vec![k, d] } else { vec![k, d, n] };
            let operands: [&[usize]; 6] = [&v, &p, &[k, d, r], &[k, d], &a_log, &[k, d]];
            let from = (0..6).map(Operand).chain([Gradient]).collect();
            let adjoint = Adjoint(Op::SelectiveScanBackward(spec), from, (0..6).collect());
            check(Op::SelectiveScan(spec), &operands, &[adjoint], seed);
        }
    }
}

#[test]
fn pointwise() {
    for seed in SEEDS {
        let [b, h, w, c] = shape(seed);
        let x = [b, h, w, c];
        for kind in [
            Activation::Relu,
            Activation::Gelu,
            Activation::Silu,
            Activation::Sigmoid,
        ] {
            let adjoint = Adjoint(
                Op::ActivationBackward(kind),
                vec![Operand(0), Gradient],
                vec![0],
            );
            check(Op::Activation(kind), &[&x], &[adjoint], seed);
        }
        let adjoint = Adjoint(
            Op::SiluGateBackward,
            vec![Operand(0), Operand(1), Gradient],
            vec![0, 1],
        );
        check(Op::SiluGate, &[&x, &x], &[adjoint], seed);
        let adjoint = Adjoint(Op::GeluGateBackward, vec![Operand(0), Gradient], vec![0]);
        check(Op::GeluGate, &[&[b, h, w, 2 * c]], &[adjoint], seed);
        let adjoint = Adjoint(
            Op::AddScaledBackward,
            vec![Operand(1), Operand(2), Gradient],
            vec![1, 2],
        );
        check(Op::AddScaled, &[&x, &x, &[c]], &[adjoint], seed);
    }
}

#[test]
fn pooling() {
    for seed in SEEDS {
        let [b, height, width, c] = shape(seed);
        let (x, s) = ([b, height, width, c], [b, 1, 1, c]);
        let backward = Op::GlobalAveragePoolBackward { height, width };
        let adjoint = Adjoint(backward, vec![Gradient], vec![0]);
        check(Op::GlobalAveragePool, &[&x], &[adjoint], seed);
        let adjoint = Adjoint(
            Op::MulChannelsBackward,
            vec![Operand(0), Operand(1), Gradient],
            vec![0, 1],
        );
        check(Op::MulChannels, &[&x, &s], &[adjoint], seed);
    }
}

#[test]
fn rearrangements() {
    for seed in SEEDS {
        let [b, h, w, c] = shape(seed);
        for order in [RearrangeOrder::PixelShuffle, RearrangeOrder::PatchMerge] {
            for factor in [2, 3] {
                let gather = Op::SpaceToDepth { factor, order };
                let scatter = Op::DepthToSpace { factor, order };
                let flat = [b, h * factor, w * factor, c];
                let deep = [b, h, w, c * factor * factor];
                check(
                    gather,
                    &[&flat],
                    &[Adjoint(scatter, vec![Gradient], vec![0])],
                    seed,
                );
                check(
                    scatter,
                    &[&deep],
                    &[Adjoint(gather, vec![Gradient], vec![0])],
                    seed,
                );
            }
        }
        let pieces = [(0, c), (c, 2)].map(|(start, len)| Op::SliceChannels { start, len });
        let adjoints = [0, 1].map(|i| Adjoint(pieces[i], vec![Gradient], vec![i]));
        let (a, b) = ([b, h, w, c], [b, h, w, 2]);
        check(Op::ConcatChannels, &[&a, &b], &adjoints, seed);
    }
}

#[test]
fn losses() {
    for seed in SEEDS {
        let x = shape(seed);
        for kind in [Loss::Charbonnier { epsilon: 0.1 }, Loss::L1] {
            let adjoint = Adjoint(
                Op::LossBackward(kind),
                vec![Operand(0), Operand(1)],
                vec![0],
            );
            check(Op::Loss(kind), &[&x, &x], &[adjoint], seed);
        }
    }
}
