//! Times the CPU executor: a whole network, then its ops one by one, summed by kind.
//!
//! `cargo run --release --example cpu_time -- base 328 488`

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use serpent_engine::backend::Backend;
use serpent_engine::backend::cpu::CpuBackend;
use serpent_engine::graph::{Graph, fuse, graph_cost};
use serpent_engine::network::{Network, Preset, initial_weights};

/// Shortest of three runs, in milliseconds, and the memory of the intermediates, in bytes.
fn time(graph: &Graph, weights: &[Vec<f32>]) -> Result<(f64, u64), Box<dyn Error>> {
    let inputs: Vec<Vec<f32>> = graph
        .inputs
        .iter()
        .map(|&v| (0..graph.len(v)).map(|i| (i as f32 * 0.37).sin()).collect())
        .collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut executable = CpuBackend.load(weights)?.prepare(graph)?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        executable.run(&inputs)?;
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok((best, executable.memory_bytes()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [preset, height, width] = arguments.as_slice() else {
        return Err("usage: cpu_time tiny|base|large HEIGHT WIDTH".into());
    };
    let preset = match preset.as_str() {
        "tiny" => Preset::Tiny,
        "large" => Preset::Large,
        _ => Preset::Base,
    };
    let network = Network::build(&preset.config(), 1, height.parse()?, width.parse()?)?;
    let weights = initial_weights(&network.parameters, 1);
    let cost = graph_cost(&network.graph);
    let (whole, memory) = time(&network.graph, &weights)?;
    println!(
        "{preset:?} {height}×{width}: {whole:.0} ms, {:.1} GMAC, {:.1} GFLOP of scans, {:.0} MB",
        cost.dense_macs as f64 / 1e9,
        cost.scan_flops as f64 / 1e9,
        memory as f64 / 1e6
    );
    let fused = fuse(network.graph);
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for node in &fused.nodes {
        // The node by itself, on operands that the caller supplies.
        let mut graph = Graph::new();
        let mut own = Vec::new();
        let mut operands = Vec::new();
        for &v in &node.inputs {
            let dims = fused.dims(v);
            operands.push(match fused.parameters.iter().position(|&p| p == v) {
                Some(i) => {
                    own.push(weights[i].clone());
                    graph.parameter(&i.to_string(), dims)
                }
                None => graph.input(&v.0.to_string(), dims),
            });
        }
        graph.outputs = graph.node(node.op, &operands, &node.label)?;
        let (ms, _) = time(&graph, &own)?;
        *sums.entry(node.op.name()).or_default() += ms;
        if ms > whole / 60.0 {
            println!("{ms:8.1} ms  {:<24} {}", node.op.name(), node.label);
        }
    }
    println!("by kind:");
    for (name, ms) in sums {
        println!("{ms:8.1} ms  {name}");
    }
    Ok(())
}
