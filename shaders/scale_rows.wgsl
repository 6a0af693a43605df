// y[o, i] = s[o] · w[o, i]
//
// bindings: 1 w [O, columns], 2 s [O], 3 y [O, columns]; columns in V, count = O·columns
// layout:   flat over y
#include index
#include lanes
#include flat

struct Params {
    count: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> w: array<V>;
@group(0) @binding(2) var<storage, read> s: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<V>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    for (var k = 0u; k < FLAT_ITEMS; k++) {
        let i = flat(group, local, k);
        if (i < params.count) {
            y[i] = s[i / params.columns] * w[i];
        }
    }
}
