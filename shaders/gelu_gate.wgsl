// y[t, c] = GELU(x[t, c]) · x[t, E + c]. ACTIVATION is 2.
//
// bindings: 1 x [T, 2·CHANNELS], 2 y [T, CHANNELS] in V, count = T·CHANNELS
// layout:   flat over y
#include index
#include lane_activation
#include flat

struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S1>;
@group(0) @binding(2) var<storage, read_write> y: array<S2>;

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
            let at = i + (i / CHANNELS) * CHANNELS;
            y[i] = narrow2(activate(V(x[at])) * V(x[at + CHANNELS]));
        }
    }
}
