// y[p, c] = f(b[c] + Σ_k w[c, k] · x[p + k, c]), zero outside the picture; f by ACTIVATION.
// With GRADIENT (gy [+ gy2, with PAIR]) · f'(..) instead of f(..): the gradient of the convolution's result.
//
// bindings: 1 x [batch, height, width, CHANNELS], 2 w [channels, 3, 3] (f32), 3 y as x,
//           [gy as x], [gy2 as x], [b at BIAS_BINDING, with BIAS]; CHANNELS in V
// layout:   see shared/depthwise: neighbouring lanes are neighbouring channels; a
//           lane goes along a strip of a row, loads each input column once
//           (3 loads) and keeps the sums of the three outputs it reaches
#include depthwise
#include lane_activation

struct Params {
    batch: u32,
    height: u32,
    width: u32,
    row_blocks: u32,
    strips: u32,
    strip: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S1>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<S3>;
#if GRADIENT
@group(0) @binding(4) var<storage, read> gy: array<S4>;
#endif
#if PAIR
@group(0) @binding(5) var<storage, read> gy2: array<S5>;
#endif
#if BIAS
@group(0) @binding(BIAS_BINDING) var<storage, read> b: array<V>;
#endif
#include depthwise_tap

fn pixel(at: u32) -> V {
    return V(x[at]);
}

// Tap k of every lane of channels: [k][lane].
var<workgroup> taps: array<V, 9u * COLUMN_LANES>;

// What becomes of the convolution's result at a place.
fn epilogue(sum: V, at: u32) -> V {
#if GRADIENT
#if PAIR
    return (V(gy[at]) + V(gy2[at])) * derivative(sum);
#else
    return V(gy[at]) * derivative(sum);
#endif
#else
    return activate(sum);
#endif
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    let first = (group % COLUMN_BLOCKS) * COLUMN_LANES;
    for (var i = local; i < 9u * COLUMN_LANES; i += 256u) {
        let channel = min(first + i % COLUMN_LANES, CHANNELS - 1u);
        taps[i] = tap(channel, i / COLUMN_LANES);
    }
    workgroupBarrier();

    let lane = local % COLUMN_LANES;
    let channel = first + lane;
    let p = place(group / COLUMN_BLOCKS, local / COLUMN_LANES);
    if (channel >= CHANNELS || p.row >= params.height || p.batch >= params.batch) {
        return;
    }
    let w00 = taps[lane];
    let w01 = taps[lane + COLUMN_LANES];
    let w02 = taps[lane + 2u * COLUMN_LANES];
    let w10 = taps[lane + 3u * COLUMN_LANES];
    let w11 = taps[lane + 4u * COLUMN_LANES];
    let w12 = taps[lane + 5u * COLUMN_LANES];
    let w20 = taps[lane + 6u * COLUMN_LANES];
    let w21 = taps[lane + 7u * COLUMN_LANES];
    let w22 = taps[lane + 8u * COLUMN_LANES];
#if BIAS
    let start = b[channel];
#else
    let start = V(0.0);
#endif

    // Sums of the outputs left of and at the column being read.
    var left = start;
    var centre = start;
    let out = ((p.batch * params.height + p.row) * params.width) * CHANNELS + channel;
    var next = input_column(p, i32(p.begin) - 1, channel);
    for (var column = i32(p.begin) - 1; column <= i32(p.end); column++) {
        let c = next;
        next = input_column(p, column + 1, channel);
        if (column > i32(p.begin)) {
            let at = out + u32(column - 1) * CHANNELS;
            y[at] = narrow3(epilogue(left + w02 * c.above + w12 * c.level + w22 * c.below, at));
        }
        left = centre + w01 * c.above + w11 * c.level + w21 * c.below;
        centre = start + w00 * c.above + w10 * c.level + w20 * c.below;
    }
}
