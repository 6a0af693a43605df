// Many sums over rows in one launch: result[columns] = Σ_r rows[r, columns] for each task.
//
// The last stage of the parameters' gradients, whose partial sums lie in one buffer.
//
// bindings: 1 tasks [workgroups], 2 rows, 3 result; places and strides in V
// layout:   a workgroup of 256 is one task: 256 / lanes rows of `lanes` neighbouring
//           columns; columns past the end idle
// numerics: sums of 8 rows pairwise, then one lane's sums in order, then lanes
//           pairwise: a fixed order for given sizes
#include index
#include lanes

struct Task {
    // First row's and result's first column of this workgroup.
    source: u32,
    result: u32,
    // From row to row.
    stride: u32,
    rows: u32,
    // Columns of this workgroup that exist, at most `lanes`.
    columns: u32,
    // Lanes side by side, a power of two.
    lanes: u32,
}

@group(0) @binding(1) var<storage, read> tasks: array<Task>;
@group(0) @binding(2) var<storage, read> rows: array<V>;
@group(0) @binding(3) var<storage, read_write> result: array<V>;

var<workgroup> sums: array<V, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    if (group >= arrayLength(&tasks)) {
        return;
    }
    let task = tasks[group];
    let column = local % task.lanes;
    let row_lanes = 256u / task.lanes;
    var total = V(0.0);
    if (column < task.columns) {
        let step = row_lanes * task.stride;
        var row = local / task.lanes;
        var at = task.source + row * task.stride + column;
        for (; row + 7u * row_lanes < task.rows; row += 8u * row_lanes) {
            let a = (rows[at] + rows[at + step]) + (rows[at + 2u * step] + rows[at + 3u * step]);
            let b = (rows[at + 4u * step] + rows[at + 5u * step])
                + (rows[at + 6u * step] + rows[at + 7u * step]);
            total += a + b;
            at += 8u * step;
        }
        for (; row < task.rows; row += row_lanes) {
            total += rows[at];
            at += step;
        }
    }
    sums[local] = total;
    workgroupBarrier();
    for (var half = 128u; half >= task.lanes; half = half >> 1u) {
        if (local < half) {
            sums[local] = sums[local] + sums[local + half];
        }
        workgroupBarrier();
    }
    if (local < task.columns) {
        result[task.result + local] = sums[local];
    }
}
