//! Halves of a block as one kernel.

use std::collections::HashSet;

use serpent_engine::backend::wgpu::dispatch::Capabilities;
use serpent_engine::backend::wgpu::lower::lower;
use serpent_engine::backend::wgpu::shader;
use serpent_engine::graph::{Graph, Op, fuse, fuse_blocks, store_half, store_half_matrices};
use serpent_engine::network::{Network, NetworkConfig, Preset};
use serpent_tests::{Fill, gpu_half, parity_with, relative_error, run_on, run_on_reference};

/// Pictures smaller and larger than a tile, none a multiple of one.
const PICTURES: [[usize; 3]; 3] = [[1, 1, 1], [2, 9, 5], [1, 19, 35]];

/// Widths of a token and of the hidden side.
const WIDTHS: [[usize; 2]; 2] = [[16, 48], [32, 64]];

const SCALED: Fill = Fill::Uniform(-0.3, 0.3);

#[test]
fn fused_ffn() {
    for (seed, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for [c, e] in WIDTHS {
            let x = [b, h, w, c];
            let operands: [(&[usize], Fill); 7] = [
                (&x, Fill::SIGNED),
                (&[c], Fill::SIGNED),
                (&[c], Fill::SIGNED),
                (&[2 * e, c], SCALED),
                (&[2 * e, 1, 3, 3], SCALED),
                (&[c, e], SCALED),
                (&[c], Fill::SIGNED),
            ];
            parity_with(Op::FusedFfn, &operands, seed as u64, 1e-4);
        }
    }
}

#[test]
fn fused_scan_input() {
    for (seed, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for ([c, d], p) in WIDTHS.into_iter().zip([36, 72]) {
            let x = [b, h, w, c];
            let operands: [(&[usize], Fill); 7] = [
                (&x, Fill::SIGNED),
                (&[c], Fill::SIGNED),
                (&[c], Fill::SIGNED),
                (&[d, c], SCALED),
                (&[d, 1, 3, 3], SCALED),
                (&[d], Fill::SIGNED),
                (&[p, d], SCALED),
            ];
            parity_with(Op::FusedScanInput, &operands, seed as u64, 1e-4);
        }
    }
}

#[test]
fn fused_scan_output() {
    for (seed, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for [c, d] in WIDTHS {
            let (x, y) = ([b, h, w, c], [b, h, w, d]);
            let operands: [(&[usize], Fill); 9] = [
                (&x, Fill::SIGNED),
                (&[c], Fill::SIGNED),
                (&[c], Fill::SIGNED),
                (&[d, c], SCALED),
                (&y, Fill::SIGNED),
                (&[d], Fill::SIGNED),
                (&[d], Fill::SIGNED),
                (&[c, d], SCALED),
                (&[c], Fill::SIGNED),
            ];
            parity_with(Op::FusedScanOutput, &operands, seed as u64, 1e-4);
        }
    }
}

#[test]
fn fused_norm_linear() {
    let shapes = [(16, 16, true), (48, 20, false), (64, 36, true)];
    for (seed, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for (c, o, bias) in shapes {
            let (x, channels, out, matrix) = ([b, h, w, c], [c], [o], [o, c]);
            let mut operands: Vec<(&[usize], Fill)> = vec![
                (&x, Fill::SIGNED),
                (&channels, Fill::SIGNED),
                (&channels, Fill::SIGNED),
                (&matrix, SCALED),
            ];
            operands.extend(bias.then_some((&out[..], Fill::SIGNED)));
            parity_with(Op::FusedNormLinear { bias }, &operands, seed as u64, 1e-4);
        }
    }
}

#[test]
fn fused_expand() {
    for (seed, [b, h, w]) in PICTURES.into_iter().enumerate() {
        for c in [16, 32, 48] {
            let (x, skip) = ([b, h, w, 4 * c], [b, 2 * h, 2 * w, c]);
            let operands: [(&[usize], Fill); 5] = [
                (&x, Fill::SIGNED),
                (&[c], Fill::SIGNED),
                (&[c], Fill::SIGNED),
                (&[c, 2 * c], SCALED),
                (&skip, Fill::SIGNED),
            ];
            parity_with(Op::FusedExpand, &operands, seed as u64, 1e-4);
        }
    }
}

/// A network whose blocks are fused, as it is kept on a device with 16-bit storage.
fn fused(config: &NetworkConfig, batch: usize, height: usize, width: usize) -> Network {
    let mut network = Network::build(config, batch, height, width).unwrap();
    network.graph = fuse_blocks(fuse(network.graph));
    network
}

fn config(channels: usize, directions: usize) -> NetworkConfig {
    NetworkConfig {
        channels,
        depths: vec![1, 1],
        directions,
        ..Preset::Tiny.config()
    }
}

#[test]
fn networks_of_fused_blocks_stay_close_to_32_bits() {
    for (channels, directions) in [(16, 4), (16, 2), (32, 4)] {
        let network = fused(&config(channels, directions), 1, 20, 36);
        let weights = crate::network::lively_weights(&network, 3);
        let input = Fill::Uniform(0.0, 1.0).tensor(20 * 36 * 3, 4);
        let inputs = [input];
        let expected = run_on_reference(&network.graph, &inputs, &weights);
        let got = run_on(gpu_half(), &network.graph, &inputs, &weights);
        let error = relative_error(&got[0], &expected[0]);
        assert!(error < 5e-3, "{error:.1e}: {channels} channels");
    }
}

/// Texts of all fused kernels of a graph on such a device.
fn texts(graph: &Graph, has: Capabilities) -> HashSet<String> {
    (graph.nodes.iter())
        .filter(|node| node.op.name().starts_with("Fused"))
        .map(|node| {
            let lowered = lower(graph, node, has).unwrap();
            let [dispatch] = &lowered.dispatches[..] else {
                panic!("{} launches", lowered.dispatches.len());
            };
            shader::source(dispatch.kernel, &dispatch.constants).unwrap()
        })
        .collect()
}

#[test]
fn every_variant_for_tensor_cores_translates_to_spirv() {
    let has = Capabilities {
        half_storage: true,
        cooperative_matrix: true,
        fused_blocks: true,
        workgroup_bytes: 49_152,
        subgroups: 32,
    };
    let presets = [Preset::Tiny, Preset::Base].map(Preset::config);
    let two = NetworkConfig {
        directions: 2,
        tied_decay: true,
        alternating: true,
        ..Preset::Base.config()
    };
    let mut seen = HashSet::new();
    for config in presets.iter().chain([&two]) {
        for (batch, side) in [(1, 16), (1, 264), (2, 512)] {
            let mut graph = fused(config, batch, side, side).graph;
            store_half(&mut graph);
            store_half_matrices(&mut graph, true);
            seen.extend(texts(&graph, has));
        }
    }
    for text in &seen {
        let used = super::linear_coop::translate(text);
        assert!(used <= 49_152, "{used} bytes of workgroup memory");
    }
    assert!(seen.len() > 20, "{} variants", seen.len());
}
