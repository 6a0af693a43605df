//! One picture through the network on the processor.

use std::collections::BTreeMap;
use std::time::Instant;

use super::restoring::PATIENCE;
use super::table::Sum;
use super::{BenchError, Named, ProcessorCeilings, Spread, Subject, repeat, samples};
use crate::backend::Backend;
use crate::backend::cpu::CpuBackend;
use crate::graph::{Cost, Graph, graph_cost, node_cost};

/// What restoring pictures of one size takes on the processor.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct CpuRestoring {
    /// The network.
    pub network: String,
    /// Height, rounded up to what the network takes.
    pub height: usize,
    /// Width, rounded up to what the network takes.
    pub width: usize,
    /// Threads.
    pub threads: usize,
    /// One picture.
    pub wall_ms: Spread,
    /// Intermediates.
    pub intermediate_bytes: u64,
    /// Counted operations.
    pub cost: Cost,
    /// Sum over the nodes of the longer of their bytes at the speed of a copy and their products
    /// at that of a large one.
    pub floor_ms: Option<f64>,
    /// Times by op, every node run by itself; empty unless asked for.
    pub ops: Vec<Sum>,
    /// Times by place in the network.
    pub places: Vec<Sum>,
}

/// Measures a network at one size; with `apart` also every node by itself.
///
/// # Errors
/// [`BenchError`] when the network has no such size.
pub fn processor_time(
    network: &Named,
    size: (usize, usize),
    runs: usize,
    apart: bool,
    ceilings: Option<&ProcessorCeilings>,
) -> Result<CpuRestoring, BenchError> {
    let Subject {
        graph: fused,
        weights,
        height,
        width,
        ..
    } = Subject::new(&network.config, size)?;
    let (wall_ms, intermediate_bytes) = time(&fused, &weights, runs)?;
    let floor = |c: &ProcessorCeilings| {
        let costs = fused.nodes.iter().map(|n| node_cost(&fused, n));
        let seconds = costs.map(|cost| {
            let bytes = cost.bytes as f64 / c.copy.median;
            bytes.max(2.0 * cost.dense_macs as f64 / c.product.median)
        });
        1e3 * seconds.sum::<f64>()
    };
    let (ops, places) = match apart {
        true => nodes(&fused, &weights)?,
        false => Default::default(),
    };
    Ok(CpuRestoring {
        network: network.name.clone(),
        height,
        width,
        threads: rayon::current_num_threads(),
        wall_ms,
        intermediate_bytes,
        cost: graph_cost(&fused),
        floor_ms: ceilings.map(floor),
        ops,
        places,
    })
}

fn time(graph: &Graph, weights: &[Vec<f32>], runs: usize) -> Result<(Spread, u64), BenchError> {
    let inputs: Vec<Vec<f32>> = graph
        .inputs
        .iter()
        .map(|&v| samples(graph.len(v)))
        .collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut executable = CpuBackend.load(weights)?.prepare(graph)?;
    let wall = repeat(runs, PATIENCE, || {
        let start = Instant::now();
        executable.run(&inputs)?;
        Ok::<_, BenchError>(1e3 * start.elapsed().as_secs_f64())
    })?;
    Ok((wall, executable.memory_bytes()))
}

/// Every node by itself, on operands that the caller supplies: by op and by place.
fn nodes(fused: &Graph, weights: &[Vec<f32>]) -> Result<(Vec<Sum>, Vec<Sum>), BenchError> {
    let mut by_op: BTreeMap<String, Sum> = BTreeMap::new();
    let mut places = Vec::new();
    for node in &fused.nodes {
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
        let (wall, _) = time(&graph, &own, 3)?;
        let op = node.op.name();
        let sum = |name: String| Sum {
            name,
            launches: 0,
            ms: 0.0,
            floor_ms: None,
        };
        let mut place = sum(format!("{op} {}", node.label));
        let entry = by_op
            .entry(op.to_owned())
            .or_insert_with(|| sum(op.to_owned()));
        for s in [&mut place, entry] {
            s.launches += 1;
            s.ms += wall.median;
        }
        places.push(place);
    }
    let mut ops: Vec<Sum> = by_op.into_values().collect();
    for all in [&mut ops, &mut places] {
        all.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    }
    Ok((ops, places))
}
