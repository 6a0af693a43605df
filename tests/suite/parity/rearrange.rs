//! Ops that only move values, which must be exact, and bicubic enlargement.

use serpent_engine::graph::{Op, RearrangeOrder};
use serpent_tests::parity;

#[test]
fn concat_and_slice() {
    for (i, (a, b)) in [(1, 1), (3, 5), (8, 4), (33, 64), (4, 3)]
        .into_iter()
        .enumerate()
    {
        let shape = |c| [2, 7, 5, c];
        let seed = i as u64;
        parity(Op::ConcatChannels, &[&shape(a), &shape(b)], seed, 0.0);
        for (start, len) in [(0, a), (a, b), (a - 1, 2)] {
            let op = Op::SliceChannels { start, len };
            parity(op, &[&shape(a + b)], seed, 0.0);
        }
    }
}

#[test]
fn space_and_depth() {
    for order in [RearrangeOrder::PixelShuffle, RearrangeOrder::PatchMerge] {
        for factor in [1, 2, 3, 4, 8] {
            for (seed, c) in [1, 3, 4, 5, 16].into_iter().enumerate() {
                let shallow = [2, 3 * factor, 5 * factor, c];
                let deep = [2, 3, 5, c * factor * factor];
                let op = Op::SpaceToDepth { factor, order };
                parity(op, &[&shallow], seed as u64, 0.0);
                let op = Op::DepthToSpace { factor, order };
                parity(op, &[&deep], seed as u64, 0.0);
            }
        }
    }
}

#[test]
fn upsample_bicubic() {
    for factor in [1, 2, 3, 4, 8] {
        for x in [[1, 1, 1, 3], [2, 3, 5, 3], [1, 9, 4, 1], [1, 2, 7, 8]] {
            let op = Op::UpsampleBicubic { factor };
            parity(op, &[&x], factor as u64, 1e-5);
        }
    }
}
