#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::super::executable::{encode, encoder};
use super::*;
use crate::graph::Graph;

/// Three parameters, two of them decayed, with an optimiser whose gradients the test writes.
struct Bench {
    context: Arc<Context>,
    optimizer: Optimizer,
    loss: wgpu::Buffer,
    state: TrainingState,
}

const LENGTHS: [usize; 3] = [5, 700, 130];

/// What gradients come multiplied by; the plain arithmetic knows nothing of it.
const GRADIENT_SCALE: f32 = 1024.0;

fn wave(count: usize, phase: f32) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.7 + phase).sin()).collect()
}

impl Bench {
    fn new() -> Self {
        let context = Context::of_tests();
        let mut graph = Graph::new();
        for n in LENGTHS {
            graph.parameter(&n.to_string(), &[n]);
        }
        let tensors = |phase: f32| LENGTHS.iter().map(|&n| wave(n, phase)).collect::<Vec<_>>();
        let state = TrainingState {
            weights: tensors(0.1),
            first: tensors(0.2),
            second: tensors(0.3)
                .into_iter()
                .map(|t| t.into_iter().map(|x| x * x).collect())
                .collect(),
            average: tensors(0.4),
        };
        let layout = FlatLayout::new(&graph, &[false, true, true]).unwrap();
        let mut optimizer = Optimizer::new(&context, layout, GRADIENT_SCALE, &state).unwrap();
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
        let loss = context.buffer("loss", 4, usage).unwrap();
        optimizer.bind(&context, &Slice::whole(&loss)).unwrap();
        Self {
            context,
            optimizer,
            loss,
            state,
        }
    }

    fn step(&self, gradients: &[Vec<f32>], loss: f32, settings: &StepSettings, slot: u32) {
        let queue = &self.context.queue;
        for (i, g) in gradients.iter().enumerate() {
            let slice = self.optimizer.gradient(i);
            let scaled: Vec<f32> = g.iter().map(|x| x * GRADIENT_SCALE).collect();
            queue.write_buffer(&slice.buffer, slice.offset, bytemuck::cast_slice(&scaled));
        }
        queue.write_buffer(&self.loss, 0, bytemuck::bytes_of(&loss));
        let words = self.optimizer.settings_words(settings, slot);
        queue.write_buffer(&self.optimizer.settings, 0, bytemuck::cast_slice(&words));
        let mut encoder = encoder(&self.context);
        encode(&mut encoder, &self.optimizer.launches);
        queue.submit([encoder.finish()]);
        self.context.check().unwrap();
    }
}

fn settings(step: u64) -> StepSettings {
    StepSettings {
        step,
        learning_rate: 3e-3,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.05,
        clip_norm: 2.0,
        ema_decay: 0.99,
    }
}

/// The same step in plain 64-bit Rust.
fn plain(state: &TrainingState, gradients: &[Vec<f32>], s: &StepSettings) -> (TrainingState, f64) {
    let f = f64::from;
    let square: f64 = gradients.iter().flatten().map(|&g| f(g) * f(g)).sum();
    let norm = square.sqrt();
    let factor = if norm > f(s.clip_norm) {
        f(s.clip_norm) / norm
    } else {
        1.0
    };
    let (c1, c2) = (
        1.0 - f(s.beta1).powi(s.step as i32),
        1.0 - f(s.beta2).powi(s.step as i32),
    );
    let mut next = state.clone();
    for (t, gradient) in gradients.iter().enumerate() {
        let decay = if t == 0 { 0.0 } else { f(s.weight_decay) };
        for (i, &g) in gradient.iter().enumerate() {
            let g = factor * f(g);
            let m = f(s.beta1) * f(state.first[t][i]) + (1.0 - f(s.beta1)) * g;
            let v = f(s.beta2) * f(state.second[t][i]) + (1.0 - f(s.beta2)) * g * g;
            let lr = f(s.learning_rate);
            let w = f(state.weights[t][i]) * (1.0 - lr * decay)
                - lr * (m / c1) / ((v / c2).sqrt() + f(s.epsilon));
            let a = f(state.average[t][i]);
            next.first[t][i] = m as f32;
            next.second[t][i] = v as f32;
            next.weights[t][i] = w as f32;
            next.average[t][i] = (f(s.ema_decay) * a + (1.0 - f(s.ema_decay)) * w) as f32;
        }
    }
    (next, norm)
}

fn assert_close(got: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    for (g, e) in got.iter().flatten().zip(expected.iter().flatten()) {
        assert!(
            (g - e).abs() <= 2e-6 * (1.0 + e.abs()),
            "{what}: {g} for {e}"
        );
    }
}

#[test]
fn steps_equal_plain_arithmetic() {
    let bench = Bench::new();
    let mut expected = bench.state.clone();
    // The first gradient is clipped, the second is not.
    for (slot, scale) in [1.0f32, 0.01].into_iter().enumerate() {
        let gradients: Vec<Vec<f32>> = LENGTHS
            .iter()
            .map(|&n| wave(n, 5.0).iter().map(|x| x * scale).collect())
            .collect();
        let s = settings(slot as u64 + 1);
        bench.step(&gradients, 0.5, &s, slot as u32);
        let (next, norm) = plain(&expected, &gradients, &s);
        expected = next;
        let reports = bench
            .optimizer
            .reports(&bench.context, slot as u32 + 1)
            .unwrap();
        let (loss, seen) = reports[slot];
        assert_eq!(loss, 0.5);
        assert!(
            (f64::from(seen) / norm - 1.0).abs() < 1e-6,
            "{seen} for {norm}"
        );
        assert_eq!(norm > 2.0, slot == 0);
    }
    let got = bench.optimizer.state(&bench.context).unwrap();
    assert_close(&got.first, &expected.first, "first");
    assert_close(&got.second, &expected.second, "second");
    assert_close(&got.weights, &expected.weights, "weights");
    assert_close(&got.average, &expected.average, "average");
    assert_ne!(got.weights, bench.state.weights);
}

#[test]
fn what_is_not_finite_changes_nothing_and_is_reported() {
    let bench = Bench::new();
    let good: Vec<Vec<f32>> = LENGTHS.iter().map(|&n| wave(n, 5.0)).collect();
    let mut nan = good.clone();
    nan[1][333] = f32::NAN;
    let mut infinite = good.clone();
    infinite[2][129] = f32::NEG_INFINITY;
    bench.step(&nan, 0.5, &settings(1), 0);
    bench.step(&infinite, 0.5, &settings(1), 1);
    bench.step(&good, f32::NAN, &settings(1), 2);
    bench.step(&good, f32::INFINITY, &settings(1), 3);
    assert_eq!(bench.optimizer.state(&bench.context).unwrap(), bench.state);
    let reports = bench.optimizer.reports(&bench.context, 4).unwrap();
    assert!(reports[0].1.is_nan() && reports[0].0 == 0.5);
    assert!(!reports[1].1.is_finite());
    assert!(reports[2].0.is_nan() && reports[2].1.is_finite());
    assert_eq!(reports[3].0, f32::INFINITY);
    // And the next good step counts.
    bench.step(&good, 0.5, &settings(1), 4);
    let state = bench.optimizer.state(&bench.context).unwrap();
    assert_close(
        &state.weights,
        &plain(&bench.state, &good, &settings(1)).0.weights,
        "weights",
    );
}
