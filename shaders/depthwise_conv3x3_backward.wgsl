// The gradients of a depthwise 3×3 convolution, zero outside the picture:
//   gx[p, c] = Σ_k gy[p − k, c] · w[c, k],
// and partial sums of gw[c, k] = Σ_p gy[p − k, c] · x[p, c], with BIAS of gb[c] = Σ_p gy[p, c] too.
//
// bindings: 1 gy, 2 x [batch, height, width, CHANNELS] in V, 3 w [channels, 3, 3] (f32), 4 gx as x,
//           5 partials [segments, channels·9 [+ channels]] (f32)
// layout:   see shared/depthwise; a workgroup strides over places, each lane goes along a strip
//           of gy, keeps its 9 sums in registers, rows are folded once at the end
#include depthwise
#include fold_rows

struct Params {
    batch: u32,
    height: u32,
    width: u32,
    row_blocks: u32,
    strips: u32,
    strip: u32,
    segments: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gy: array<S1>;
@group(0) @binding(2) var<storage, read> x: array<S2>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> gx: array<S4>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
#include depthwise_tap

fn pixel(at: u32) -> V {
    return V(gy[at]);
}

// Tap or sum k of every lane of channels: [k][lane].
var<workgroup> taps: array<V, 9u * COLUMN_LANES>;

// Sums of a segment: gw, then gb.
#if BIAS
const ROW: u32 = CHANNELS * WIDTH * 10u;
#else
const ROW: u32 = CHANNELS * WIDTH * 9u;
#endif

fn keep(k: u32, value: V, local: u32) {
    let sum = fold_rows(value, local);
    if (local < COLUMN_LANES) {
        taps[k * COLUMN_LANES + local] = sum;
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    let first = (group % COLUMN_BLOCKS) * COLUMN_LANES;
    let segment = group / COLUMN_BLOCKS;
    let channel = first + local % COLUMN_LANES;
    for (var i = local; i < 9u * COLUMN_LANES; i += 256u) {
        taps[i] = tap(min(first + i % COLUMN_LANES, CHANNELS - 1u), i / COLUMN_LANES);
    }
    workgroupBarrier();
    let items = params.batch * params.row_blocks * params.strips;

#for K 9
    let w$K = taps[local % COLUMN_LANES + $Ku * COLUMN_LANES];
    var g$K = V(0.0);
#endfor
    var bias = V(0.0);
    if (channel < CHANNELS) {
        for (var item = segment; item < items; item += params.segments) {
            let p = place(item, local / COLUMN_LANES);
            if (p.row >= params.height) {
                continue;
            }
            let line = ((p.batch * params.height + p.row) * params.width) * CHANNELS + channel;
            // Gradients of the inputs left of and at the column of gy read, without it.
            var left = V(0.0);
            var centre = V(0.0);
            // x left of and at that column, zero outside the strip.
            var x_left = V(0.0);
            var x_centre = V(0.0);
            var next = input_column(p, i32(p.begin) - 1, channel);
            var x_next = V(x[line + p.begin * CHANNELS]);
            for (var column = i32(p.begin) - 1; column <= i32(p.end); column++) {
                let c = next;
                let x_right = select(V(0.0), x_next, column + 1 < i32(p.end));
                next = input_column(p, column + 1, channel);
                x_next = V(x[line + min(u32(column + 2), p.end - 1u) * CHANNELS]);
                g0 += x_left * c.below;
                g3 += x_left * c.level;
                g6 += x_left * c.above;
                g1 += x_centre * c.below;
                g4 += x_centre * c.level;
                g7 += x_centre * c.above;
                g2 += x_right * c.below;
                g5 += x_right * c.level;
                g8 += x_right * c.above;
                x_left = x_centre;
                x_centre = x_right;
                if (column > i32(p.begin)) {
                    gx[line + u32(column - 1) * CHANNELS] =
                        narrow4(left + w0 * c.below + w3 * c.level + w6 * c.above);
                }
                left = centre + w1 * c.below + w4 * c.level + w7 * c.above;
                centre = w2 * c.below + w5 * c.level + w8 * c.above;
#if BIAS
                bias += select(V(0.0), c.level, column >= i32(p.begin) && column < i32(p.end));
#endif
            }
        }
    }
    // The taps are in registers: their place takes the sums.
    workgroupBarrier();
#for K 9
    keep($Ku, g$K, local);
#endfor
    workgroupBarrier();

    // Written in the weights' own order, [channel][k].
    for (var i = local; i < 9u * COLUMN_LANES * WIDTH; i += 256u) {
        let at = first * WIDTH * 9u + i;
        if (segment < params.segments && at < CHANNELS * WIDTH * 9u) {
            let c = i / 9u;
            let lane = c / WIDTH;
            partials[segment * ROW + at] =
                component(taps[(i % 9u) * COLUMN_LANES + lane], c % WIDTH);
        }
    }
#if BIAS
    let sum = fold_rows(bias, local);
    if (segment < params.segments && local < COLUMN_LANES && channel < CHANNELS) {
        for (var j = 0u; j < WIDTH; j++) {
            partials[segment * ROW + (CHANNELS * 9u + channel) * WIDTH + j] = component(sum, j);
        }
    }
#endif
}
