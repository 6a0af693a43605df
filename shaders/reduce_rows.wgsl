// result[b, s, c] = scale · Σ_r rows[b, r, c], r over the rows of segment s.
//
// The second stage of every deterministic reduction (bias, norm and weight
// gradients from partial sums), and a first stage over tokens.
//
// bindings: 1 rows [batches, rows, columns], 2 result [batches, segments, columns]; columns in V
// layout:   a workgroup is ROW_LANES × COLUMN_LANES = 256 lanes over one block of
//           columns of one segment; neighbouring lanes are neighbouring columns
// numerics: sums of 8 rows pairwise, then one lane's sums in order, then lanes
//           pairwise: a fixed order, error growing with rows / (8·ROW_LANES)
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
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<S1>;
@group(0) @binding(2) var<storage, read_write> result: array<S2>;

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

    let columns = params.columns;
    let end = min((segment + 1u) * params.segment_rows, params.rows);
    var row = segment * params.segment_rows + local / COLUMN_LANES;
    var total = V(0.0);
    if (live) {
        let step = ROW_LANES * columns;
        var at = (batch * params.rows + row) * columns + column;
        for (; row + 7u * ROW_LANES < end; row += 8u * ROW_LANES) {
            let a = (V(rows[at]) + V(rows[at + step])) + (V(rows[at + 2u * step]) + V(rows[at + 3u * step]));
            let b = (V(rows[at + 4u * step]) + V(rows[at + 5u * step]))
                + (V(rows[at + 6u * step]) + V(rows[at + 7u * step]));
            total += a + b;
            at += 8u * step;
        }
        for (; row < end; row += ROW_LANES) {
            total += V(rows[at]);
            at += step;
        }
    }
    let sum = fold_rows(total, local);
    if (live && local < COLUMN_LANES) {
        result[slot * columns + column] = narrow2(sum * params.scale);
    }
}
