//! How much memory a network takes for each pixel of a tile.

use std::collections::HashMap;

use crate::backend::Backend;
use crate::graph::{Graph, Source, Step, fuse, plan_memory};
use crate::network::{Network, NetworkConfig, NetworkError};

/// Bytes that a graph's intermediates take when those that never live together share memory.
pub fn activation_bytes(graph: &Graph) -> u64 {
    // Fusion leaves unused values behind: number only those a node writes.
    let mut number = HashMap::new();
    let mut sizes = Vec::new();
    for &v in graph.nodes.iter().flat_map(|n| &n.outputs) {
        number.insert(v, sizes.len());
        sizes.push(Some(graph.bytes(v)));
    }
    let known = |values: &[crate::graph::ValueId]| -> Vec<usize> {
        let inside = values
            .iter()
            .filter(|v| matches!(graph.value(**v).source, Source::Node { .. }));
        inside.filter_map(|v| number.get(v).copied()).collect()
    };
    let steps: Vec<Step> = graph
        .nodes
        .iter()
        .map(|node| Step {
            reads: known(&node.inputs),
            writes: known(&node.outputs),
            scratch: Vec::new(),
        })
        .collect();
    plan_memory(&steps, &sizes, &known(&graph.outputs)).total_bytes()
}

/// Bytes of intermediates for each pixel of the network's input, on a device of one's choice;
/// without one, on a device that keeps everything in 32 bits.
///
/// # Errors
/// [`NetworkError`] when the configuration is out of range.
pub fn bytes_per_pixel(
    config: &NetworkConfig,
    backend: Option<&dyn Backend>,
) -> Result<u64, NetworkError> {
    config.validate()?;
    let side = 8 * config.size_multiple();
    let mut graph = fuse(Network::build(config, 1, side, side)?.graph);
    if let Some(backend) = backend {
        graph = backend.as_run(&graph);
    }
    Ok(activation_bytes(&graph).div_ceil((side * side) as u64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::network::Preset;

    #[test]
    fn memory_grows_with_the_area() {
        for preset in [Preset::Tiny, Preset::Base, Preset::Large] {
            let config = preset.config();
            let bytes = |side| {
                activation_bytes(&fuse(Network::build(&config, 1, side, side).unwrap().graph))
            };
            assert_eq!(bytes(256), 4 * bytes(128));
            let each = bytes_per_pixel(&config, None).unwrap();
            // At least the widest value of a block (4 widths of 4 bytes), at most 64 widths.
            let width = 4 * config.channels as u64;
            assert!(
                (4 * width..64 * width).contains(&each),
                "{preset:?}: {each}"
            );
        }
    }
}
