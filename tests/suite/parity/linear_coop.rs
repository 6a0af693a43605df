//! Linear layers on tensor cores: every variant translates to SPIR-V anywhere; where a device
//! has them, the results agree with the CPU as well as 16-bit operands can.

use std::collections::HashSet;
use std::sync::OnceLock;

use serpent_engine::backend::Backend;
use serpent_engine::backend::cpu::reference::run_graph;
use serpent_engine::backend::wgpu::dispatch::Capabilities;
use serpent_engine::backend::wgpu::{DeviceRequest, Rung, WgpuBackend, lower::lower, shader};
use serpent_engine::graph::{Graph, Op, Storage, elements};
use serpent_tests::{Fill, compare, one_node};

/// Relative error of sums of products whose operands are rounded to 11 bits, with room.
const TOLERANCE: f64 = 2e-3;

/// (inputs, outputs): whole matrices, whole tiles, and neither; the last do not divide by four.
const CHANNELS: [(usize, usize); 9] = [
    (32, 64),
    (64, 32),
    (16, 16),
    (64, 72),
    (128, 128),
    (96, 48),
    (256, 144),
    (33, 50),
    (18, 34),
];

/// One op on tokens `[b, h, w]`, with how its operands are filled.
struct Case {
    op: Op,
    operands: Vec<(Vec<usize>, Fill)>,
}

/// Every form and epilogue of a layer. Gradients are scaled to about one, as in training.
fn cases([b, h, w]: [usize; 3], inner: usize, outer: usize) -> Vec<Case> {
    let x = (vec![b, h, w, inner], Fill::SIGNED);
    let weight = (vec![outer, inner], Fill::SMALL);
    let gradient = (vec![b, h, w, outer], Fill::SIGNED);
    let mut cases: Vec<Case> = [(false, false), (true, false), (false, true), (true, true)]
        .into_iter()
        .map(|(bias, residual)| {
            let mut operands = vec![x.clone(), weight.clone()];
            if bias {
                operands.push((vec![outer], Fill::SIGNED));
            }
            if residual {
                operands.push((vec![b, h, w, outer], Fill::SIGNED));
                operands.push((vec![outer], Fill::POSITIVE));
            }
            let op = Op::Linear { bias, residual };
            Case { op, operands }
        })
        .collect();
    cases.push(Case {
        op: Op::LinearBackwardInput,
        operands: vec![gradient.clone(), weight],
    });
    cases.push(Case {
        op: Op::LinearBackwardWeight,
        operands: vec![gradient, x],
    });
    cases
}

fn dims(case: &Case) -> Vec<&[usize]> {
    case.operands.iter().map(|(d, _)| d.as_slice()).collect()
}

/// Which of the activations are kept in 16 bits: none, all, or every second.
const KEPT: [fn(usize) -> bool; 3] = [|_| false, |_| true, |i| i % 2 == 0];

/// The op with those activations in 16 bits that can be.
fn graph(case: &Case, half: fn(usize) -> bool) -> Graph {
    let mut graph = one_node(case.op, &dims(case));
    for (i, value) in graph.values.iter_mut().enumerate() {
        if let [_, _, _, channels] = value.dims[..]
            && channels.is_multiple_of(4)
            && half(i)
        {
            value.storage = Storage::F16;
        }
    }
    graph
}

#[test]
fn every_variant_translates_to_spirv() {
    let capabilities = Capabilities {
        cooperative_matrix: true,
        half_storage: true,
        ..Default::default()
    };
    let mut seen = HashSet::new();
    for tokens in [[1, 4, 5], [1, 64, 64], [16, 128, 128]] {
        for (inner, outer) in CHANNELS {
            for (case, half) in cases(tokens, inner, outer)
                .iter()
                .flat_map(|case| KEPT.map(|half| (case, half)))
            {
                let graph = graph(case, half);
                let lowered = lower(&graph, &graph.nodes[0], capabilities).unwrap();
                let dispatch = &lowered.dispatches[0];
                assert_eq!(dispatch.kernel, "matmul_coop");
                let text = shader::source(dispatch.kernel, &dispatch.constants).unwrap();
                if seen.insert(text.clone()) {
                    translate(&text);
                }
            }
        }
    }
    assert!(seen.len() > 20, "{} variants", seen.len());
}

/// Translates a kernel to SPIR-V; bytes of workgroup memory it takes.
pub(super) fn translate(text: &str) -> u32 {
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    // The last is what packing two 16-bit numbers into a word asks for: every Vulkan device has it.
    let capabilities = Capabilities::COOPERATIVE_MATRIX
        | Capabilities::SHADER_FLOAT16
        | Capabilities::SUBGROUP
        | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let module =
        naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    let options = naga::back::spv::Options {
        lang_version: (1, 6),
        ..Default::default()
    };
    naga::back::spv::write_vec(&module, &info, &options, None).unwrap();
    let shared =
        (module.global_variables.iter()).filter(|(_, g)| g.space == naga::AddressSpace::WorkGroup);
    shared
        .map(|(_, g)| module.types[g.ty].inner.size(module.to_ctx()))
        .sum()
}

/// A device with tensor cores; `None`, said once, where there is none.
fn tensor_cores() -> Option<&'static WgpuBackend> {
    static DEVICE: OnceLock<Option<WgpuBackend>> = OnceLock::new();
    let open = || {
        let request = DeviceRequest {
            name: std::env::var("SERPENT_TEST_DEVICE").ok(),
            allow_software: true,
            rung: Some(Rung::Tensor),
            ..Default::default()
        };
        let device = WgpuBackend::open(&request).expect("the tests need a graphics device");
        let there = device.capabilities().cooperative_matrix;
        if !there {
            eprintln!("not tested: {} has no tensor cores", device.name());
        }
        there.then_some(device)
    };
    DEVICE.get_or_init(open).as_ref()
}

/// Compares one case with the CPU reference, with activations in either storage.
fn check(device: &WgpuBackend, case: &Case, seed: u64) {
    for half in KEPT {
        check_stored(device, case, &graph(case, half), seed);
    }
}

fn check_stored(device: &WgpuBackend, case: &Case, graph: &Graph, seed: u64) {
    let inputs: Vec<Vec<f32>> = case
        .operands
        .iter()
        .enumerate()
        .map(|(i, (d, fill))| fill.tensor(elements(d), 100 * seed + i as u64))
        .collect();
    let operands: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let expected = run_graph::<f32>(graph, &operands, &[]);
    let mut executable = device.load(&[]).unwrap().prepare(graph).unwrap();
    let got = executable.run(&operands).unwrap();
    let what = format!("{:?} on {:?}", case.op, dims(case));
    compare(&what, &got, &expected, TOLERANCE);
}

#[test]
fn tensor_cores_agree_with_the_cpu() {
    let Some(device) = tensor_cores() else { return };
    for tokens in [[1, 4, 5], [2, 7, 9], [1, 64, 64], [3, 101, 11]] {
        for (seed, (inner, outer)) in CHANNELS.into_iter().enumerate() {
            for case in cases(tokens, inner, outer) {
                check(device, &case, seed as u64);
            }
        }
    }
}

/// Enough tokens for the largest tiles and for many slabs.
#[test]
fn large_products_on_tensor_cores_agree_with_the_cpu() {
    let Some(device) = tensor_cores() else { return };
    for (inner, outer) in [(32, 64), (64, 128), (64, 72)] {
        for case in cases([2, 128, 140], inner, outer) {
            check(device, &case, 7);
        }
    }
}

/// What does not fit 16 bits saturates instead of becoming infinite.
#[test]
fn values_beyond_16_bits_saturate() {
    let Some(device) = tensor_cores() else { return };
    let dims: [&[usize]; 2] = [&[1, 8, 8, 32], &[32, 32]];
    let op = Op::Linear {
        bias: false,
        residual: false,
    };
    let graph = one_node(op, &dims);
    let (x, weight) = (vec![1e6; 64 * 32], vec![1e-3; 32 * 32]);
    let mut executable = device.load(&[]).unwrap().prepare(&graph).unwrap();
    let y = executable.run(&[&x, &weight]).unwrap();
    let expected = vec![65504.0 * 1e-3 * 32.0; 64 * 32];
    compare("saturated", &y, &[expected], TOLERANCE);
}
