// What the fused kernels of a block share: a workgroup of 128 makes a tile of pixels from
// LayerNorm to the last product, with nothing of what lies between in global memory.
//
//   normal: LN(x) of the tile, with HALO a pixel more on every side, zero outside the picture.
//   hidden: one slice of 16 channels of a product of it, in 32 bits.
//   gated:  what becomes of a slice (NORMED: there is none, `normal` is that factor), as the left factor of the last product, whose sums stay
//           in registers from slice to slice.
// A slice is made in two strides, each ended by a barrier: hidden from normal (shared/fused_in),
// then gated from hidden by the kernel, then the sums from gated (shared/fused_out).
//
// Constants: CHANNELS of x and INNER of the hidden side in vec4; OUT columns of the result;
//   TILE_WIDTH × TILE_HEIGHT pixels (without HALO a picture is one line of tokens); HALO;
//   LANES of a token in LayerNorm, PER_LANE vec4 each; RUN = pixels / 32: what an invocation
//   makes of a slice, four channels of RUN pixels below each other (without HALO: 32 apart).
// Numerics: factors of products in 16 bits where weights are, else 32; sums, norms, convolutions in 32.
#include activation
#include lanes

#if HALF4
alias Factor = vec4<f16>;
fn factor(v: vec4<f32>) -> Factor {
    return Factor(clamp(v, vec4(-65504.0), vec4(65504.0)));
}
#else
alias Factor = vec4<f32>;
fn factor(v: vec4<f32>) -> Factor {
    return v;
}
#endif

struct Params {
    batch: u32,
    height: u32,
    width: u32,
    tiles_x: u32,
    tiles_y: u32,
#if MERGE
    line: u32, // tokens of a line of the result
#endif
}

const THREADS: u32 = 128u;
const PIXELS: u32 = TILE_WIDTH * TILE_HEIGHT;
const ROW: u32 = TILE_WIDTH + 2u * HALO;
// Rows of normal and hidden, whole matrices of 16.
const ROWS: u32 = (ROW * (TILE_HEIGHT + 2u * HALO) + 15u) / 16u * 16u;
// vec4 from one row to the next, padded by 16 bytes of 16-bit numbers against bank conflicts.
const LD_NORMAL: u32 = CHANNELS + 2u;
const LD_HIDDEN: u32 = 4u;
const LD_GATED: u32 = 6u;

var<workgroup> normal: array<Factor, ROWS * LD_NORMAL>;
#if EXPAND
// Whole rows of the result, padded.
const LD_RESULT: u32 = OUT / 4u + 1u;
var<workgroup> hidden: array<vec4<f32>, PIXELS * LD_RESULT>;
#else
var<workgroup> hidden: array<vec4<f32>, max(ROWS, SUBGROUP_COLUMNS * PIXELS) * LD_HIDDEN>;
#endif
#if !NORMED
var<workgroup> gated: array<Factor, PIXELS * LD_GATED>;
#endif

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S1>;
@group(0) @binding(2) var<storage, read> gamma: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> beta: array<vec4<f32>>;
#if NORMED
@group(0) @binding(4) var<storage, read> w_out: array<S4>;
#else
@group(0) @binding(4) var<storage, read> w_in: array<S4>;
#endif

// A pixel of the picture, the nearest one where there is none.
struct Pixel {
    index: u32,
    inside: bool,
}

// The pixel `right` of and `below` the first of a tile.
fn pixel_at(tile: u32, right: i32, below: i32) -> Pixel {
    let line = tile / params.tiles_x;
    let px = i32(tile % params.tiles_x * TILE_WIDTH) + right;
    let py = i32(line % params.tiles_y * TILE_HEIGHT) + below;
    let nx = clamp(px, 0, i32(params.width) - 1);
    let ny = clamp(py, 0, i32(params.height) - 1);
    let picture = line / params.tiles_y;
    return Pixel((picture * params.height + u32(ny)) * params.width + u32(nx), nx == px && ny == py);
}

// The same of a row of normal.
fn pixel_of(tile: u32, row: u32) -> Pixel {
    return pixel_at(tile, i32(row % ROW) - i32(HALO), i32(row / ROW) - i32(HALO));
}

// Where the vector c of a token is in x; with MERGE a token is 2×2 pixels, one column first.
fn place(token: u32, c: u32) -> u32 {
#if MERGE
    let part = c / (CHANNELS / 4u);
    let row = token / params.line * 2u + part % 2u;
    let column = token % params.line * 2u + part / 2u;
    return (row * params.line * 2u + column) * (CHANNELS / 4u) + c % (CHANNELS / 4u);
#else
    return token * CHANNELS + c;
#endif
}

#if !EXPAND
// Fills `normal`.
fn normalise(tile: u32, thread: u32) {
    let count = f32(4u * CHANNELS);
#if SUBGROUPS
    let lane = thread % LANES;
    for (var row = thread / LANES; row < ROWS; row += THREADS / LANES) {
        let at = pixel_of(tile, row);
        var sum = vec4<f32>();
#for K PER_LANE
        let x$K = vec4<f32>(x[place(at.index, lane + $Ku * LANES)]);
        sum += x$K;
#endfor
        let mean = over_lanes(component_sum(sum)) / count;
        var squares = vec4<f32>();
#for K PER_LANE
        squares += (x$K - mean) * (x$K - mean);
#endfor
        let rstd = 1.0 / sqrt(over_lanes(component_sum(squares)) / count + EPSILON);
#for K PER_LANE
        let c$K = lane + $Ku * LANES;
        let n$K = (x$K - mean) * rstd * gamma[c$K] + beta[c$K];
        normal[row * LD_NORMAL + c$K] = select(Factor(), factor(n$K), at.inside);
#endfor
    }
#else
    for (var row = thread; row < ROWS; row += THREADS) {
        let at = pixel_of(tile, row);
        var sum = vec4<f32>();
        for (var c = 0u; c < CHANNELS; c++) {
            sum += vec4<f32>(x[place(at.index, c)]);
        }
        let mean = component_sum(sum) / count;
        var squares = vec4<f32>();
        for (var c = 0u; c < CHANNELS; c++) {
            let d = vec4<f32>(x[place(at.index, c)]) - mean;
            squares += d * d;
        }
        let rstd = 1.0 / sqrt(component_sum(squares) / count + EPSILON);
        for (var c = 0u; c < CHANNELS; c++) {
            let n = (vec4<f32>(x[place(at.index, c)]) - mean) * rstd * gamma[c] + beta[c];
            normal[row * LD_NORMAL + c] = select(Factor(), factor(n), at.inside);
        }
    }
#endif
}
#endif

#if SUBGROUPS
fn over_lanes(value: f32) -> f32 {
    var sum = value;
    for (var stride = 1u; stride < LANES; stride *= 2u) {
        sum += subgroupShuffleXor(sum, stride);
    }
    return sum;
}
#endif

fn silu4(v: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(silu(v.x), silu(v.y), silu(v.z), silu(v.w));
}
