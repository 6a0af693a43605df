// Backward of a multiplication by one scale a channel, x·s: gx = s ⊙ gy, and
// for each segment of tokens the partial sum of gs = Σ x ⊙ gy.
//
// bindings: 1 x [batches, rows, columns], 2 s [batches, columns], 3 gy as x,
//           4 gx as x, 5 partials [batches, segments, columns]; columns in V
// layout:   ROW_LANES × COLUMN_LANES lanes over a block of columns of a segment of rows
#include index
#include lanes
#include fold_rows

struct Params {
    batches: u32,
    rows: u32,
    columns: u32,
    column_blocks: u32,
    segments: u32,
    segment_rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S1>;
@group(0) @binding(2) var<storage, read> s: array<V>;
@group(0) @binding(3) var<storage, read> gy: array<S3>;
@group(0) @binding(4) var<storage, read_write> gx: array<S4>;
@group(0) @binding(5) var<storage, read_write> partials: array<V>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    let column = (group % params.column_blocks) * COLUMN_LANES + local % COLUMN_LANES;
    let slot = group / params.column_blocks;
    let segment = slot % params.segments;
    let batch = slot / params.segments;
    let live = column < params.columns && batch < params.batches;

    var total = V(0.0);
    if (live) {
        let scale = s[batch * params.columns + column];
        let end = min((segment + 1u) * params.segment_rows, params.rows);
        for (var row = segment * params.segment_rows + local / COLUMN_LANES; row < end; row += ROW_LANES) {
            let at = (batch * params.rows + row) * params.columns + column;
            let g = V(gy[at]);
            gx[at] = narrow4(scale * g);
            total += V(x[at]) * g;
        }
    }
    let sum = fold_rows(total, local);
    if (live && local < COLUMN_LANES) {
        partials[slot * params.columns + column] = sum;
    }
}
