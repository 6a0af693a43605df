// Bicubic enlargement by FACTOR: Keys' kernel with a = −0.5, half-pixel
// centres, edges replicated. No antialiasing is needed to enlarge.
//
// bindings: 1 x [B, height, width, CHANNELS], 2 y [B, f·height, f·width, CHANNELS]
// layout:   flat over y; 16 taps a value, which neighbours share in the cache
#include index
#include lanes
#include flat

struct Params {
    count: u32,
    height: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S1>;
@group(0) @binding(2) var<storage, read_write> y: array<S2>;

// Weights of the taps at −1, 0, 1, 2 for a point t in [0, 1) past tap 0.
fn keys(t: f32) -> vec4<f32> {
    let far = vec4<f32>(t + 1.0, t, 1.0 - t, 2.0 - t);
    let inner = (1.5 * far - 2.5) * far * far + 1.0;
    let outer = ((-0.5 * far + 2.5) * far - 4.0) * far + 2.0;
    return vec4<f32>(outer.x, inner.y, inner.z, outer.w);
}

// First tap and weights of an enlarged coordinate, exactly: the phase is a fraction of 2·FACTOR.
struct Taps {
    first: i32,
    weights: vec4<f32>,
}

fn taps(at: u32) -> Taps {
    // Source coordinate (at + ½)/f − ½ = (2·at + 1 − f) / 2f, made positive by one whole source pixel.
    let shifted = 2u * at + 1u + FACTOR;
    let whole = shifted / (2u * FACTOR);
    let phase = f32(shifted % (2u * FACTOR)) / f32(2u * FACTOR);
    return Taps(i32(whole) - 2, keys(phase));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    let last_row = i32(params.height) - 1;
    let last_column = i32(params.width) - 1;
    for (var k = 0u; k < FLAT_ITEMS; k++) {
        let i = flat(group, local, k);
        if (i < params.count) {
            let c = i % CHANNELS;
            let pixel = i / CHANNELS;
            let across = taps(pixel % (params.width * FACTOR));
            let line = pixel / (params.width * FACTOR);
            let down = taps(line % (params.height * FACTOR));
            let batch = line / (params.height * FACTOR);
            var sum = 0.0;
            for (var dy = 0; dy < 4; dy++) {
                let row = u32(clamp(down.first + dy, 0, last_row));
                let start = (batch * params.height + row) * params.width;
                var line_sum = 0.0;
                for (var dx = 0; dx < 4; dx++) {
                    let column = u32(clamp(across.first + dx, 0, last_column));
                    line_sum += across.weights[dx] * V(x[(start + column) * CHANNELS + c]);
                }
                sum += down.weights[dy] * line_sum;
            }
            y[i] = narrow2(sum);
        }
    }
}
