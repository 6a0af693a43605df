//! Losses and their gradients.

use serpent_engine::graph::{Loss, Op};
use serpent_tests::parity;

#[test]
fn losses() {
    // The last: more elements than one pass of all workgroups.
    let shapes = [
        [1, 1, 1, 1],
        [2, 3, 5, 3],
        [1, 33, 17, 3],
        [2, 8, 8, 4],
        [1, 700, 523, 3],
    ];
    for (i, x) in shapes.iter().enumerate() {
        for loss in [Loss::L1, Loss::Charbonnier { epsilon: 1e-3 }] {
            parity(Op::Loss(loss), &[x, x], i as u64, 1e-5);
            parity(Op::LossBackward(loss), &[x, x], i as u64, 1e-4);
        }
    }
}
