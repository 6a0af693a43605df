//! The selective scan: odd shapes, ragged chunks, every number of directions, long sequences.

use naga::back::{hlsl, msl, spv};
use naga::valid;
use serpent_engine::backend::wgpu::dispatch::Capabilities;
use serpent_engine::backend::wgpu::{lower::lower, shader};
use serpent_engine::graph::{Graph, Op, ScanSpec, Storage, elements};
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

    fn operands(&self, backward: bool) -> (Op, Vec<(Vec<usize>, Fill)>) {
        let [b, h, w, d] = self.v;
        let [directions, states, rank] = self.spec;
        let spec = ScanSpec {
            directions,
            states,
            rank,
            tied: self.tied,
            backward: w % 2 == 1,
        };
        let channel = vec![directions, d];
        // A from −1 to −N, as it starts.
        let a_log = match self.tied {
            true => (channel.clone(), Fill::Uniform(-0.5, 0.5)),
            false => {
                let most = (states as f32).ln() + 0.1;
                (vec![directions, d, states], Fill::Uniform(-0.5, most))
            }
        };
        let mut operands = vec![
            (self.v.to_vec(), Fill::SIGNED),
            (vec![b, h, w, directions * spec.projected()], Fill::SIGNED),
            (vec![directions, d, rank], Fill::SIGNED),
            (channel.clone(), self.bias),
            a_log,
            (channel, Fill::SIGNED),
        ];
        if !backward {
            return (Op::SelectiveScan(spec), operands);
        }
        operands.push((self.v.to_vec(), Fill::SIGNED));
        (Op::SelectiveScanBackward(spec), operands)
    }

    fn graph(&self, backward: bool) -> Graph {
        let (op, operands) = self.operands(backward);
        let dims: Vec<&[usize]> = operands.iter().map(|(d, _)| d.as_slice()).collect();
        one_node(op, &dims)
    }

    fn check(&self, backward: bool, seed: u64) {
        let (op, operands) = self.operands(backward);
        if !backward || self.v[1] * self.v[2] > 1 {
            let operands: Vec<(&[usize], Fill)> = operands
                .iter()
                .map(|(d, fill)| (d.as_slice(), *fill))
                .collect();
            return parity_with(op, &operands, seed, TOLERANCE);
        }
        // From a zero state the decay of the only token does nothing: the gradient of a_log is
        // 0, where the reference leaves the rounding of a difference.
        let graph = self.graph(backward);
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
    Case::new([1, 5, 8, 12], [4, 12, 5], false),
    Case::new([1, 4, 9, 40], [2, 18, 9], true),
];

/// Many chunks, so that carries matter and pass through runs of chunks: short ones, longer than a
/// lane keeps, and so many that fewer lanes share a column. The last three have whole chunks only.
const LONG: [Case; 6] = [
    Case::new([1, 64, 70, 8], [4, 8, 1], false),
    Case::new([2, 37, 41, 10], [4, 4, 2], true),
    Case::new([1, 1, 2500, 6], [2, 3, 1], false),
    Case::new([1, 128, 144, 2], [2, 1, 1], true),
    Case::new([1, 256, 144, 2], [1, 2, 1], false),
    Case::new([2, 16, 24, 64], [4, 8, 4], true),
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

/// The variants this machine may not run: subgroups of 32, with 16-bit storage or not.
#[test]
fn variants_for_subgroups_translate_everywhere() {
    let mut seen = std::collections::HashSet::new();
    for case in SHAPES {
        for half in [false, true] {
            let capabilities = Capabilities {
                half_storage: half,
                subgroups: 32,
                ..Default::default()
            };
            let mut graph = case.graph(true);
            for value in &mut graph.values {
                if half && value.dims.len() == 4 && value.dims[3].is_multiple_of(4) {
                    value.storage = Storage::F16;
                }
            }
            let lowered = lower(&graph, &graph.nodes[0], capabilities).unwrap();
            for dispatch in &lowered.dispatches {
                let text = shader::source(dispatch.kernel, &dispatch.constants).unwrap();
                if seen.insert(text.clone()) {
                    translate(dispatch.kernel, &text);
                }
            }
        }
    }
    assert!(seen.iter().any(|text| text.contains("subgroupShuffleXor")));
}

fn translate(kernel: &str, text: &str) {
    let module = naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|e| panic!("{kernel}: {}", e.emit_to_string(text)));
    let capabilities = valid::Capabilities::SUBGROUP | valid::Capabilities::SHADER_FLOAT16;
    let mut validator = valid::Validator::new(valid::ValidationFlags::all(), capabilities);
    validator
        .subgroup_stages(valid::ShaderStages::COMPUTE)
        .subgroup_operations(valid::SubgroupOperationSet::all());
    let info = validator
        .validate(&module)
        .unwrap_or_else(|e| panic!("{kernel}: {}", e.emit_to_string(text)));
    let options = spv::Options {
        lang_version: (1, 3),
        ..Default::default()
    };
    spv::write_vec(&module, &info, &options, None)
        .unwrap_or_else(|e| panic!("{kernel}: SPIR-V: {e}"));
    let options = msl::Options {
        lang_version: (2, 1),
        ..Default::default()
    };
    msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .unwrap_or_else(|e| panic!("{kernel}: MSL: {e}"));
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_2,
        ..Default::default()
    };
    hlsl::Writer::new(
        &mut String::new(),
        &options,
        &hlsl::PipelineOptions::default(),
    )
    .write(&module, &info, None)
    .unwrap_or_else(|e| panic!("{kernel}: HLSL: {e}"));
}
