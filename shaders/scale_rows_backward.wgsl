// Of s ⊙ w with the gradient s ⊙ g: gw[o, i] = s[o] · g[o, i], gs[o] = Σ_i w[o, i] · g[o, i].
//
// bindings: 1 w [rows, columns], 2 s [rows], 3 g as w, 4 gw as w, 5 gs [rows]; columns in V
// layout:   a workgroup is ROW_LANES rows of COLUMN_LANES lanes, which share a row's columns
// numerics: one lane's terms in order, then lanes in a fixed order
#include index
#include lanes
#include token_sum

struct Params {
    rows: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> w: array<V>;
@group(0) @binding(2) var<storage, read> s: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<V>;
@group(0) @binding(4) var<storage, read_write> gw: array<V>;
@group(0) @binding(5) var<storage, read_write> gs: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = folded(id, num) * ROW_LANES + local / COLUMN_LANES;
    let lane = local % COLUMN_LANES;
    var total = V(0.0);
    if (row < params.rows) {
        let scale = s[row];
        for (var i = lane; i < params.columns; i += COLUMN_LANES) {
            let at = row * params.columns + i;
            gw[at] = scale * g[at];
            total += w[at] * g[at];
        }
    }
    let sum = token_sum(0u, component_sum(total), local);
    if (row < params.rows && lane == 0u) {
        gs[row] = sum;
    }
}
