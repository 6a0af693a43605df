// Partial sums of gw[c, k] = Σ_p gy[p, c] · x[p + k, c], zero outside the picture;
// with BIAS of gb[c] = Σ_p gy[p, c] too.
//
// bindings: 1 gy, 2 x [batch, height, width, CHANNELS] in V,
//           3 partials [segments, channels·9 [+ channels]] (f32)
// layout:   see shared/depthwise; a workgroup strides over places, each lane keeps
//           its 9 sums in registers, rows are folded once at the end
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
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

// Sum k of every lane of channels: [k][lane].
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
    let items = params.batch * params.row_blocks * params.strips;

    var g00 = V(0.0);
    var g01 = V(0.0);
    var g02 = V(0.0);
    var g10 = V(0.0);
    var g11 = V(0.0);
    var g12 = V(0.0);
    var g20 = V(0.0);
    var g21 = V(0.0);
    var g22 = V(0.0);
    var bias = V(0.0);
    if (channel < CHANNELS) {
        for (var item = segment; item < items; item += params.segments) {
            let p = place(item, local / COLUMN_LANES);
            if (p.row >= params.height) {
                continue;
            }
            let line = ((p.batch * params.height + p.row) * params.width) * CHANNELS + channel;
            // Gradients of the outputs left of, at and right of the input column read.
            var left = V(0.0);
            var centre = V(0.0);
            var next = input_column(p, i32(p.begin) - 1, channel);
            var after = V(gy[line + p.begin * CHANNELS]);
            for (var column = i32(p.begin) - 1; column <= i32(p.end); column++) {
                let right = select(V(0.0), after, column + 1 < i32(p.end));
                after = V(gy[line + min(u32(column + 2), p.end - 1u) * CHANNELS]);
#if BIAS
                bias += right;
#endif
                let c = next;
                next = input_column(p, column + 1, channel);
                g00 += right * c.above;
                g10 += right * c.level;
                g20 += right * c.below;
                g01 += centre * c.above;
                g11 += centre * c.level;
                g21 += centre * c.below;
                g02 += left * c.above;
                g12 += left * c.level;
                g22 += left * c.below;
                left = centre;
                centre = right;
            }
        }
    }
    keep(0u, g00, local);
    keep(1u, g01, local);
    keep(2u, g02, local);
    keep(3u, g10, local);
    keep(4u, g11, local);
    keep(5u, g12, local);
    keep(6u, g20, local);
    keep(7u, g21, local);
    keep(8u, g22, local);
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
