//! The selective scan, forward and backward.

use super::super::dispatch::Lowered;
use crate::graph::{Graph, Node};

/// Dispatches of `node`, or nothing when its op is not of this family.
pub(super) fn lower(_graph: &Graph, _node: &Node) -> Option<Lowered> {
    None
}
