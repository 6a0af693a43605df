// Partial sums of gw[o, i, k] = Σ_p gy[p, o] · x[p + k, i], zero outside the picture.
//
// bindings: 1 gy [batch, height, width, OUTPUTS], 2 x [batch, height, width, INPUTS],
//           3 partials [segments·SPLITS, OUTPUTS·INPUTS·9]
// layout:   a workgroup strides over strips of 32 pixels of a row, with gy and three
//           rows of x in workgroup memory; a lane owns 4 outputs of QUADS·4, one input of
//           INPUT_BLOCK, one row of taps: 12 sums in registers. SPLITS groups of lanes
//           share the strip's pixels and write a row of partial sums each
#include index
#include lanes

struct Params {
    batch: u32,
    height: u32,
    width: u32,
    strips: u32,
    segments: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gy: array<S1>;
@group(0) @binding(2) var<storage, read> x: array<S2>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

const STRIP: u32 = 32u;
const ITEMS: u32 = QUADS * INPUT_BLOCK * 3u;

// [pixel][quad of outputs]
var<workgroup> gradients: array<vec4<f32>, STRIP * QUADS>;
// [row of taps][pixel, from one left of the strip][input]
var<workgroup> inputs: array<f32, 3u * (STRIP + 2u) * INPUT_BLOCK>;

fn gradient(pixel: u32, o: u32) -> f32 {
    if (o >= OUTPUTS) {
        return 0.0;
    }
    return V(gy[pixel * OUTPUTS + o]);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var group = folded(id, num);
    let first_output = (group % OUTPUT_BLOCKS) * QUADS * 4u;
    group = group / OUTPUT_BLOCKS;
    let first_input = (group % INPUT_BLOCKS) * INPUT_BLOCK;
    let segment = group / INPUT_BLOCKS;

    let quad = local % QUADS;
    let i = (local / QUADS) % INPUT_BLOCK;
    let ky = (local / (QUADS * INPUT_BLOCK)) % 3u;
    let split = local / ITEMS;
    let begin = split * (STRIP / SPLITS);
    let end = select(begin, begin + STRIP / SPLITS, split < SPLITS);

    var g0 = vec4<f32>(0.0);
    var g1 = vec4<f32>(0.0);
    var g2 = vec4<f32>(0.0);
    let count = params.batch * params.height * params.strips;
    for (var item = segment; item < count; item += params.segments) {
        let column = (item % params.strips) * STRIP;
        let line = item / params.strips;
        let row = line % params.height;
        workgroupBarrier();
        for (var s = local; s < STRIP * QUADS; s += 256u) {
            let p = column + s / QUADS;
            let o = first_output + (s % QUADS) * 4u;
            var g = vec4<f32>(0.0);
            if (p < params.width) {
                let pixel = line * params.width + p;
                g = vec4<f32>(gradient(pixel, o), gradient(pixel, o + 1u), gradient(pixel, o + 2u), gradient(pixel, o + 3u));
            }
            gradients[s] = g;
        }
        for (var s = local; s < 3u * (STRIP + 2u) * INPUT_BLOCK; s += 256u) {
            let input = first_input + s % INPUT_BLOCK;
            // One more than the picture column and row, so that none is negative.
            let p = column + (s / INPUT_BLOCK) % (STRIP + 2u);
            let tap = s / (INPUT_BLOCK * (STRIP + 2u));
            var v = 0.0;
            if (input < INPUTS && p >= 1u && p <= params.width && row + tap >= 1u && row + tap <= params.height) {
                v = V(x[((line + tap - 1u) * params.width + p - 1u) * INPUTS + input]);
            }
            inputs[s] = v;
        }
        workgroupBarrier();
        if (split < SPLITS) {
            let taps_row = ky * (STRIP + 2u) * INPUT_BLOCK + i;
            var left = inputs[taps_row + begin * INPUT_BLOCK];
            var centre = inputs[taps_row + (begin + 1u) * INPUT_BLOCK];
            for (var p = begin; p < end; p++) {
                let right = inputs[taps_row + (p + 2u) * INPUT_BLOCK];
                let g = gradients[p * QUADS + quad];
                g0 += g * left;
                g1 += g * centre;
                g2 += g * right;
                left = centre;
                centre = right;
            }
        }
    }

    if (split < SPLITS && segment < params.segments && first_input + i < INPUTS) {
        let start = (segment * SPLITS + split) * OUTPUTS * INPUTS * 9u;
        for (var j = 0u; j < 4u; j++) {
            let o = first_output + quad * 4u + j;
            if (o < OUTPUTS) {
                let at = start + (o * INPUTS + first_input + i) * 9u + ky * 3u;
                partials[at] = g0[j];
                partials[at + 1u] = g1[j];
                partials[at + 2u] = g2[j];
            }
        }
    }
}
