//! Channel concatenation and slices, space-to-depth and back, bicubic upsampling.

use super::super::dispatch::Lowered;
use super::pointwise::flat;
use crate::graph::{Graph, Node, Op, RearrangeOrder, elements};

/// Dispatches of `node`, or nothing when its op is not of this family.
pub(super) fn lower(graph: &Graph, node: &Node) -> Option<Lowered> {
    let x = graph.dims(node.inputs[0]);
    let y = graph.dims(node.outputs[0]);
    // A lane holds 4 channels only where no lane straddles a boundary.
    let width = |sizes: &[usize]| match sizes.iter().all(|s| s.is_multiple_of(4)) {
        true => 4,
        false => 1,
    };
    Some(match node.op {
        Op::ConcatChannels => {
            let (a, b) = (x[3], graph.dims(node.inputs[1])[3]);
            let w = width(&[a, b]);
            let constants = vec![
                ("VEC4", (w == 4).into()),
                ("FIRST", (a / w).into()),
                ("SECOND", (b / w).into()),
            ];
            flat(node, "concat_channels", constants, elements(y) / w, &[])
        }
        Op::SliceChannels { start, len } => {
            let w = width(&[x[3], start, len]);
            let constants = vec![
                ("VEC4", (w == 4).into()),
                ("CHANNELS", (x[3] / w).into()),
                ("START", (start / w).into()),
                ("LENGTH", (len / w).into()),
            ];
            flat(node, "slice_channels", constants, elements(y) / w, &[])
        }
        Op::SpaceToDepth { factor, order } => {
            depth(node, "space_to_depth", factor, order, (x[3], y))
        }
        Op::DepthToSpace { factor, order } => {
            depth(node, "depth_to_space", factor, order, (y[3], x))
        }
        Op::UpsampleBicubic { factor } => {
            let constants = vec![("FACTOR", factor.into()), ("CHANNELS", x[3].into())];
            let params = [x[1] as u32, x[2] as u32];
            flat(node, "upsample_bicubic", constants, elements(y), &params)
        }
        _ => return None,
    })
}

/// Either direction between shallow `channels` and the tensor of sizes `deep`.
fn depth(
    node: &Node,
    kernel: &'static str,
    factor: usize,
    order: RearrangeOrder,
    (channels, deep): (usize, &[usize]),
) -> Lowered {
    let merge = order == RearrangeOrder::PatchMerge;
    // Only patch merging keeps neighbouring channels together.
    let w = match merge && channels.is_multiple_of(4) {
        true => 4,
        false => 1,
    };
    let constants = vec![
        ("VEC4", (w == 4).into()),
        ("FACTOR", factor.into()),
        ("CHANNELS", (channels / w).into()),
        ("PATCH_MERGE", merge.into()),
    ];
    let params = [deep[2] as u32];
    flat(node, kernel, constants, elements(deep) / w, &params)
}
