// y[p, c] = GELU(u) · v of u = (w ∗ x + b)[p, c] and v = (w ∗ x + b)[p, GATES + c]: a depthwise
// 3×3 convolution, zero outside the picture, whose result never goes to memory. ACTIVATION is 2.
// With GRADIENT the gradient of that result: y[p, c] = gy·v·GELU'(u), y[p, GATES + c] = gy·GELU(u).
//
// bindings: 1 x [batch, height, width, CHANNELS], 2 w [channels, 3, 3] (f32), 3 y [.., GATES], as x with
//           GRADIENT, [4 gy [.., GATES]], [b at BIAS_BINDING, with BIAS]; CHANNELS = 2·GATES in V
// layout:   as depthwise_conv3x3, over the first half of the channels; a lane makes
//           both convolutions that a gate takes
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
#if BIAS
@group(0) @binding(BIAS_BINDING) var<storage, read> b: array<V>;
#endif
#include depthwise_tap

fn pixel(at: u32) -> V {
    return V(x[at]);
}

// Tap k of every lane of channels of both halves: [half][k][lane].
var<workgroup> taps: array<V, 18u * COLUMN_LANES>;

// Writes what becomes of the convolution's two results at a pixel.
fn emit(pixel: u32, channel: u32, u: V, v: V) {
    let at = pixel * GATES + channel;
#if GRADIENT
    let g = V(gy[at]);
    let to = pixel * CHANNELS + channel;
    y[to] = narrow3(g * v * derivative(u));
    y[to + GATES] = narrow3(g * activate(u));
#else
    y[at] = narrow3(activate(u) * v);
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
    for (var i = local; i < 18u * COLUMN_LANES; i += 256u) {
        let k = i / COLUMN_LANES;
        let channel = min(first + i % COLUMN_LANES, GATES - 1u);
        taps[i] = tap(channel + (k / 9u) * GATES, k % 9u);
    }
    workgroupBarrier();

    let lane = local % COLUMN_LANES;
    let channel = first + lane;
    let p = place(group / COLUMN_BLOCKS, local / COLUMN_LANES);
    if (channel >= GATES || p.row >= params.height || p.batch >= params.batch) {
        return;
    }
#for H 2
#for K 9
    let w$H_$K = taps[lane + ($Hu * 9u + $Ku) * COLUMN_LANES];
#endfor
#if BIAS
    let start$H = b[channel + $Hu * GATES];
#else
    let start$H = V(0.0);
#endif
    // Sums of the outputs left of and at the column being read.
    var left$H = start$H;
    var centre$H = start$H;
    var next$H = input_column(p, i32(p.begin) - 1, channel + $Hu * GATES);
#endfor

    let line = (p.batch * params.height + p.row) * params.width;
    for (var column = i32(p.begin) - 1; column <= i32(p.end); column++) {
#for H 2
        let c$H = next$H;
        next$H = input_column(p, column + 1, channel + $Hu * GATES);
        let sum$H = left$H + w$H_2 * c$H.above + w$H_5 * c$H.level + w$H_8 * c$H.below;
        left$H = centre$H + w$H_1 * c$H.above + w$H_4 * c$H.level + w$H_7 * c$H.below;
        centre$H = start$H + w$H_0 * c$H.above + w$H_3 * c$H.level + w$H_6 * c$H.below;
#endfor
        if (column > i32(p.begin)) {
            emit(line + u32(column - 1), channel, sum0, sum1);
        }
    }
}
