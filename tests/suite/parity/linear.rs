//! Linear layers: every kernel variant translates, and computes what the CPU computes.

use std::collections::HashSet;

use serpent_engine::backend::wgpu::{lower::lower, shader};
use serpent_engine::graph::{Graph, Op};
use serpent_tests::{one_node, parity};

/// Channels that do and do not divide by four, and fill tiles or not.
const CHANNELS: [usize; 8] = [1, 3, 5, 16, 33, 64, 72, 128];

/// Tokens: one, fewer than a tile, odd, several tiles, several slabs.
const TOKENS: [[usize; 3]; 5] = [[1, 1, 1], [1, 3, 5], [2, 7, 9], [1, 13, 17], [3, 10, 11]];

/// Every epilogue: bias, residual.
const EPILOGUES: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// Relative error allowed in 32-bit.
const TOLERANCE: f64 = 1e-4;

/// The operands' sizes of `x·wᵀ` with its epilogue.
fn forward(
    [b, h, w]: [usize; 3],
    inner: usize,
    outer: usize,
    (bias, residual): (bool, bool),
) -> (Op, Vec<Vec<usize>>) {
    let mut dims = vec![vec![b, h, w, inner], vec![outer, inner]];
    if bias {
        dims.push(vec![outer]);
    }
    if residual {
        dims.push(vec![b, h, w, outer]);
        dims.push(vec![outer]);
    }
    (Op::Linear { bias, residual }, dims)
}

fn backward_input([b, h, w]: [usize; 3], inner: usize, outer: usize) -> (Op, Vec<Vec<usize>>) {
    (
        Op::LinearBackwardInput,
        vec![vec![b, h, w, outer], vec![outer, inner]],
    )
}

fn backward_weight([b, h, w]: [usize; 3], inner: usize, outer: usize) -> (Op, Vec<Vec<usize>>) {
    (
        Op::LinearBackwardWeight,
        vec![vec![b, h, w, outer], vec![b, h, w, inner]],
    )
}

fn refs(dims: &[Vec<usize>]) -> Vec<&[usize]> {
    dims.iter().map(Vec::as_slice).collect()
}

/// Translates the kernels a graph needs to SPIR-V, unless they were already.
fn translate(graph: &Graph, seen: &mut HashSet<String>) {
    for dispatch in lower(graph, &graph.nodes[0], Default::default())
        .unwrap()
        .dispatches
    {
        let text = shader::source(dispatch.kernel, &dispatch.constants).unwrap();
        if !seen.insert(text.clone()) {
            continue;
        }
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
        let info = naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            naga::valid::Capabilities::default(),
        )
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
        naga::back::spv::write_vec(&module, &info, &Default::default(), None).unwrap();
    }
}

#[test]
fn every_variant_translates() {
    let mut seen = HashSet::new();
    for dims in [[1, 1, 1], [1, 64, 64], [16, 128, 128]] {
        for (inner, outer) in CHANNELS.into_iter().flat_map(|i| CHANNELS.map(|o| (i, o))) {
            let mut ops: Vec<_> = EPILOGUES.map(|e| forward(dims, inner, outer, e)).to_vec();
            ops.push(backward_input(dims, inner, outer));
            ops.push(backward_weight(dims, inner, outer));
            for (op, dims) in ops {
                translate(&one_node(op, &refs(&dims)), &mut seen);
            }
        }
    }
    assert!(seen.len() > 20, "{} variants", seen.len());
}

/// Runs `check` on sizes that vary together, so that each pair of channels meets some tokens.
fn sweep(mut check: impl FnMut([usize; 3], usize, usize, usize)) {
    let pairs = CHANNELS.into_iter().flat_map(|i| CHANNELS.map(|o| (i, o)));
    for (turn, (inner, outer)) in pairs.enumerate() {
        check(TOKENS[turn % TOKENS.len()], inner, outer, turn);
    }
}

#[test]
fn forward_agrees_with_the_cpu() {
    sweep(|dims, inner, outer, turn| {
        let (op, dims) = forward(dims, inner, outer, EPILOGUES[turn % 4]);
        parity(op, &refs(&dims), turn as u64, TOLERANCE);
    });
}

#[test]
fn gradient_of_the_input_agrees_with_the_cpu() {
    sweep(|dims, inner, outer, turn| {
        let (op, dims) = backward_input(dims, inner, outer);
        parity(op, &refs(&dims), turn as u64, TOLERANCE);
    });
}

#[test]
fn gradient_of_the_weight_agrees_with_the_cpu() {
    sweep(|dims, inner, outer, turn| {
        let (op, dims) = backward_weight(dims, inner, outer);
        parity(op, &refs(&dims), turn as u64, TOLERANCE);
    });
}

/// Enough tokens that the larger tiles and all threads of them are used.
#[test]
fn large_tiles_agree_with_the_cpu() {
    for (tokens, inner, outer, turn) in [(34_000, 4, 72, 0), (34_000, 6, 32, 3), (8_500, 4, 128, 1)]
    {
        let dims = [1, tokens / 17, 17];
        let (op, sizes) = forward(dims, inner, outer, EPILOGUES[turn]);
        parity(op, &refs(&sizes), 1, TOLERANCE);
        let (op, sizes) = backward_input(dims, outer, inner);
        parity(op, &refs(&sizes), 2, TOLERANCE);
        let (op, sizes) = backward_weight(dims, inner, outer);
        parity(op, &refs(&sizes), 3, TOLERANCE);
    }
}
