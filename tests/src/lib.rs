//! What the tests share: the graphics device, seeded tensors, and the comparison of one
//! op on the CPU reference with the same op in WGSL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::OnceLock;

use half::f16;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serpent_engine::backend::Backend;
use serpent_engine::backend::cpu::reference::run_graph;
use serpent_engine::backend::wgpu::{DeviceRequest, Rung, WgpuBackend};
use serpent_engine::graph::{Graph, Op, Storage, elements};

/// The graphics device on the 32-bit rung, shared by all tests; software devices count.
///
/// Fails the test when there is none: a machine without any Vulkan, Metal or
/// DirectX 12 device cannot test the shaders (Mesa's lavapipe is enough).
pub fn gpu() -> &'static WgpuBackend {
    static GPU: OnceLock<WgpuBackend> = OnceLock::new();
    GPU.get_or_init(|| open(Rung::Full))
}

/// The same device keeping activations in 16 bits. Fails the test when it cannot.
pub fn gpu_half() -> &'static WgpuBackend {
    static GPU: OnceLock<WgpuBackend> = OnceLock::new();
    let backend = GPU.get_or_init(|| open(Rung::Half));
    assert!(backend.capabilities().half_storage, "no 16-bit storage");
    backend
}

/// The same device with tensor cores, where it has them.
pub fn gpu_tensor() -> Option<&'static WgpuBackend> {
    static GPU: OnceLock<WgpuBackend> = OnceLock::new();
    let backend = GPU.get_or_init(|| open(Rung::Tensor));
    let has = backend.capabilities().cooperative_matrix;
    if !has {
        eprintln!("not tested: {} has no tensor cores", backend.name());
    }
    has.then_some(backend)
}

fn open(rung: Rung) -> WgpuBackend {
    let request = DeviceRequest {
        name: std::env::var("SERPENT_TEST_DEVICE").ok(),
        allow_software: true,
        rung: Some(rung),
        ..Default::default()
    };
    match WgpuBackend::open(&request) {
        Ok(backend) => backend,
        Err(error) => panic!("the tests need a graphics device: {error}"),
    }
}

/// How an operand is filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// Uniform between two numbers.
    Uniform(f32, f32),
    /// Log-uniform between two positive numbers.
    Log(f32, f32),
    /// One number everywhere.
    Constant(f32),
}

impl Fill {
    /// Uniform in [−1, 1].
    pub const SIGNED: Self = Self::Uniform(-1.0, 1.0);
    /// Uniform in [0.1, 1].
    pub const POSITIVE: Self = Self::Uniform(0.1, 1.0);
    /// Uniform in [−0.1, 0.1].
    pub const SMALL: Self = Self::Uniform(-0.1, 0.1);

    /// `count` numbers; the same seed gives the same ones.
    pub fn tensor(self, count: usize, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count)
            .map(|_| {
                let u = rng.random::<f32>();
                match self {
                    Self::Uniform(low, high) => low + (high - low) * u,
                    Self::Log(low, high) => (low.ln() + (high / low).ln() * u).exp(),
                    Self::Constant(value) => value,
                }
            })
            .collect()
    }
}

/// ‖a − b‖ / ‖b‖ in 64-bit; infinite when anything is not finite or the lengths differ.
pub fn relative_error(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let (mut difference, mut norm) = (0.0f64, 0.0f64);
    for (&x, &y) in a.iter().zip(b) {
        let (x, y) = (f64::from(x), f64::from(y));
        difference += (x - y) * (x - y);
        norm += y * y;
    }
    // Something against nothing: the error is measured against 1 instead.
    let error = difference.sqrt() / if norm > 0.0 { norm.sqrt() } else { 1.0 };
    if error.is_finite() {
        error
    } else {
        f64::INFINITY
    }
}

/// One node whose operands are all inputs of the graph and whose outputs are all wanted.
pub fn one_node(op: Op, dims: &[&[usize]]) -> Graph {
    let mut graph = Graph::new();
    let operands: Vec<_> = dims
        .iter()
        .enumerate()
        .map(|(i, d)| graph.input(&format!("operand {i}"), d))
        .collect();
    graph.outputs = graph
        .node(op, &operands, op.name())
        .expect("operands fit the op");
    graph
}

/// Runs a graph on the graphics device, in 32 bits.
pub fn run_on_gpu(graph: &Graph, inputs: &[Vec<f32>], weights: &[Vec<f32>]) -> Vec<Vec<f32>> {
    run_on(gpu(), graph, inputs, weights)
}

/// Runs a graph on a device of one's choice.
pub fn run_on(
    backend: &WgpuBackend,
    graph: &Graph,
    inputs: &[Vec<f32>],
    weights: &[Vec<f32>],
) -> Vec<Vec<f32>> {
    let model = backend.load(weights).expect("weights load");
    let mut executable = model.prepare(graph).expect("graph prepares");
    let operands: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    executable.run(&operands).expect("graph runs")
}

/// Runs a graph on the CPU reference (32-bit values, 64-bit arithmetic).
pub fn run_on_reference(graph: &Graph, inputs: &[Vec<f32>], weights: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let weights: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    run_graph::<f32>(graph, &inputs, &weights)
}

/// [`parity_with`] with every operand in [−1, 1].
pub fn parity(op: Op, dims: &[&[usize]], seed: u64, tolerance: f64) {
    let operands: Vec<_> = dims.iter().map(|d| (*d, Fill::SIGNED)).collect();
    parity_with(op, &operands, seed, tolerance);
}

/// What 16-bit results may differ by: twice the rounding of a number, 2⁻¹¹, and the like of
/// what is made of rounded temporaries.
const HALF_TOLERANCE: f64 = 1e-3;

/// Fails unless every output of `op` in WGSL is within `tolerance` (relative, in norm) of the
/// CPU reference's; then the same with activations kept in 16 bits, within 1e-3.
pub fn parity_with(op: Op, operands: &[(&[usize], Fill)], seed: u64, tolerance: f64) {
    let dims: Vec<&[usize]> = operands.iter().map(|(d, _)| *d).collect();
    let graph = one_node(op, &dims);
    let inputs: Vec<Vec<f32>> = operands
        .iter()
        .enumerate()
        .map(|(i, (d, fill))| fill.tensor(elements(d), seed * 1000 + i as u64))
        .collect();
    let expected = run_on_reference(&graph, &inputs, &[]);
    let got = run_on_gpu(&graph, &inputs, &[]);
    compare(&format!("{op:?} on {dims:?}"), &got, &expected, tolerance);
    // Losses compare pictures, which keep 32 bits.
    let pending = matches!(op, Op::Loss(_) | Op::LossBackward(_));
    if !pending {
        half_parity(graph, inputs, tolerance);
    }
}

/// [`parity_with`]'s comparison with activations, operands and results, kept in 16 bits.
fn half_parity(mut graph: Graph, mut inputs: Vec<Vec<f32>>, tolerance: f64) {
    for value in &mut graph.values {
        if let [_, height, width, channels] = value.dims[..]
            && height * width > 1
            && channels.is_multiple_of(4)
        {
            value.storage = Storage::F16;
        }
    }
    if graph.values.iter().all(|v| v.storage == Storage::F32) {
        return;
    }
    for (&v, input) in graph.inputs.iter().zip(&mut inputs) {
        if graph.value(v).storage == Storage::F16 {
            input
                .iter_mut()
                .for_each(|x| *x = f16::from_f32(*x).to_f32());
        }
    }
    let expected = run_on_reference(&graph, &inputs, &[]);
    let got = run_on(gpu_half(), &graph, &inputs, &[]);
    let what = format!("{:?} in 16 bits", graph.nodes[0].op);
    compare(&what, &got, &expected, HALF_TOLERANCE.max(tolerance));
}

/// Fails unless each of `got` is within `tolerance` of its counterpart.
pub fn compare(what: &str, got: &[Vec<f32>], expected: &[Vec<f32>], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: number of outputs");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        let error = relative_error(g, e);
        assert!(
            error <= tolerance,
            "{what}: output {i} differs by {error:.2e}, allowed {tolerance:.0e}"
        );
    }
}
