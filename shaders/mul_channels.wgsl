// y[b, p, c] = x[b, p, c] · s[b, c].
//
// bindings: 1 x [B, pixels, CHANNELS], 2 s [B, CHANNELS], 3 y [B, pixels, CHANNELS] in V
// layout:   flat
#include index
#include lanes
#include flat

struct Params {
    count: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S1>;
@group(0) @binding(2) var<storage, read> s: array<V>;
@group(0) @binding(3) var<storage, read_write> y: array<S3>;

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
            let batch = i / (params.pixels * CHANNELS);
            y[i] = narrow3(V(x[i]) * s[batch * CHANNELS + i % CHANNELS]);
        }
    }
}
