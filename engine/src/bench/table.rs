//! Sums of launches by kernel, op or place.

use std::collections::{BTreeMap, HashSet};

use super::{Ceilings, floor_seconds, stored_cost};
use crate::backend::wgpu::ProfileRow;
use crate::graph::Graph;

/// Launches that share a name.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Sum {
    /// What they share.
    pub name: String,
    /// How many.
    pub launches: usize,
    /// Their time.
    pub ms: f64,
    /// Least time of their nodes; nothing where ceilings or nodes are unknown, or where other
    /// launches share the nodes.
    pub floor_ms: Option<f64>,
}

/// Sums of the rows that share a key, largest first.
pub fn sums(
    rows: &[ProfileRow],
    graph: &Graph,
    ceilings: Option<&Ceilings>,
    key: impl Fn(&ProfileRow) -> String,
) -> Vec<Sum> {
    let mut found: BTreeMap<String, (Sum, HashSet<usize>)> = BTreeMap::new();
    // A node whose launches fall under several names has no floor under any of them.
    let mut names: BTreeMap<usize, HashSet<String>> = BTreeMap::new();
    for row in rows {
        let name = key(row);
        let (sum, nodes) = found.entry(name.clone()).or_insert_with(|| {
            let sum = Sum {
                name: name.clone(),
                launches: 0,
                ms: 0.0,
                floor_ms: None,
            };
            (sum, HashSet::new())
        });
        sum.launches += 1;
        sum.ms += row.microseconds / 1e3;
        if let Some(node) = row.node {
            nodes.insert(node);
            names.entry(node).or_default().insert(name);
        }
    }
    let mut all: Vec<Sum> = found
        .into_values()
        .map(|(mut sum, nodes)| {
            let alone = nodes.iter().all(|n| names[n].len() == 1);
            if let Some(ceilings) = ceilings.filter(|_| alone && !nodes.is_empty()) {
                let floor = nodes.iter().filter_map(|&n| graph.nodes.get(n));
                let seconds = floor.map(|n| floor_seconds(&stored_cost(graph, n), ceilings));
                sum.floor_ms = Some(1e3 * seconds.sum::<f64>());
            }
            sum
        })
        .collect();
    all.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    all
}
