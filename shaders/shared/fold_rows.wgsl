// Sum over the rows of a workgroup laid out as ROW_LANES rows of COLUMN_LANES
// lanes (both powers of two, product 256), pairwise in a fixed order.
// The result is valid in row 0 (local < COLUMN_LANES). Needs `lanes`.
var<workgroup> fold_sums: array<V, 256>;

// Must be called by the whole workgroup. May be called again at once: every
// lane only writes its own slot before the next barrier.
fn fold_rows(value: V, local: u32) -> V {
    fold_sums[local] = value;
    workgroupBarrier();
    for (var lanes = 128u; lanes >= COLUMN_LANES; lanes = lanes >> 1u) {
        if (local < lanes) {
            fold_sums[local] = fold_sums[local] + fold_sums[local + lanes];
        }
        workgroupBarrier();
    }
    return fold_sums[local];
}
