// gx[b, p, c] = scale · gy[b, c]: the gradient of a mean over pixels.
//
// bindings: 1 gy [B, CHANNELS], 2 gx [B, pixels, CHANNELS]; channels in V
// layout:   flat over gx
#include index
#include lanes
#include flat

struct Params {
    count: u32,
    pixels: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gy: array<S1>;
@group(0) @binding(2) var<storage, read_write> gx: array<S2>;

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
            gx[i] = narrow2(V(gy[batch * CHANNELS + i % CHANNELS]) * params.scale);
        }
    }
}
