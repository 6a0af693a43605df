// y[b, f·Y + dy, f·X + dx, c] = x[b, Y, X, deep], f = FACTOR, with
//   deep = (dx·f + dy)·CHANNELS + c when PATCH_MERGE, else c·f² + dy·f + dx (pixel shuffle).
// width: of x.
//
// bindings: 1 x [B, height, width, f²·CHANNELS], 2 y [B, f·height, f·width, CHANNELS]; in V when PATCH_MERGE allows
// layout:   flat over y
#include index
#include lanes
#include depth
#include flat

struct Params {
    count: u32,
    width: u32,
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
            y[i] = narrow2(V(x[deep_of_shallow(i, params.width)]));
        }
    }
}
