// What the fused kernels of a block share: a workgroup of THREADS makes a tile of pixels from
// LayerNorm to the last product, with nothing of what lies between in global memory.
//
//   normal: LN(x) of the tile, with HALO a pixel more on every side, zero outside the picture.
//   hidden: one slice of 16 channels of a product of it, in 32 bits.
//   gated:  what becomes of a slice (NORMED: there is none, `normal` is that factor), as the left
//           factor of the last product, whose sums stay in registers from slice to slice.
//   w_columns, w_rows: a slice's share of both matrices, fetched into registers one slice ahead:
//           matrices loaded straight from global memory cost ten times as much.
// A slice is made in two strides, each ended by a barrier: hidden from normal (shared/fused_in),
// then gated from hidden by the kernel, then the sums from gated (shared/fused_out).
//
// Constants: CHANNELS of x and INNER of the hidden side in vec4; OUT columns of the result;
//   TILE_WIDTH × TILE_HEIGHT pixels (without HALO a picture is one line of tokens); HALO;
//   RUN = 4·pixels / THREADS: what an invocation makes of a slice, four channels of RUN pixels
//   below each other (without HALO: THREADS / 4 apart); LOADS_IN, LOADS_OUT: vec4 of w_columns
//   and w_rows an invocation brings; STORES: vec4 of the result it takes out at a time.
// A token is normalised by one invocation: several with subgroup shuffles between them took twice
// as long as the whole kernel does now.
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
}

const PIXELS: u32 = TILE_WIDTH * TILE_HEIGHT;
const ROW: u32 = TILE_WIDTH + 2u * HALO;
// Rows of normal and hidden, whole matrices of 16.
const ROWS: u32 = (ROW * (TILE_HEIGHT + 2u * HALO) + 15u) / 16u * 16u;
// vec4 from one row to the next, padded against bank conflicts.
const LD_NORMAL: u32 = CHANNELS + 2u;
const LD_HIDDEN: u32 = 5u;
const LD_TERMS: u32 = 6u;

var<workgroup> normal: array<Factor, ROWS * LD_NORMAL>;
#if EXPAND
// Whole rows of the result, padded.
const LD_RESULT: u32 = OUT / 4u + 1u;
var<workgroup> hidden: array<vec4<f32>, PIXELS * LD_RESULT>;
#else
var<workgroup> hidden: array<vec4<f32>, max(ROWS, SUBGROUP_COLUMNS * PIXELS) * LD_HIDDEN>;
#endif
#if !NORMED
var<workgroup> gated: array<Factor, PIXELS * LD_TERMS>;
var<workgroup> w_columns: array<Factor, 16u * LD_NORMAL>;
var<workgroup> w_rows: array<Factor, OUT * LD_TERMS>;
#else
// Of two slices in turn.
var<workgroup> w_rows: array<Factor, 2u * OUT * LD_TERMS>;
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

// The tile's first pixel, and the first row of its picture in all of them.
var<private> tile_left: i32;
var<private> tile_top: i32;
var<private> first_row: i32;

fn find_tile(tile: u32) {
    let line = tile / params.tiles_x;
    tile_left = i32(tile % params.tiles_x * TILE_WIDTH);
    tile_top = i32(line % params.tiles_y * TILE_HEIGHT);
    first_row = i32(line / params.tiles_y * params.height);
}

// The pixel `right` of and `below` the first of the tile.
fn pixel_at(right: i32, below: i32) -> Pixel {
    let px = tile_left + right;
    let py = tile_top + below;
    let nx = clamp(px, 0, i32(params.width) - 1);
    let ny = clamp(py, 0, i32(params.height) - 1);
    return Pixel(u32((first_row + ny) * i32(params.width) + nx), nx == px && ny == py);
}

// The same of a row of normal.
fn pixel_of(row: u32) -> Pixel {
    return pixel_at(i32(row % ROW) - i32(HALO), i32(row / ROW) - i32(HALO));
}

#if !EXPAND
// Numbers of `hidden` one by one, before it holds a slice.
fn put(i: u32, v: f32) {
    hidden[i / 4u][i % 4u] = v;
}

fn got(i: u32) -> f32 {
    return hidden[i / 4u][i % 4u];
}

// Four neighbouring invocations share a row: each leaves the sums over its quarter of the
// channels, from `base` on; after a barrier all of them know the row's mean and
// 1/√(variance + EPSILON). Differences are taken from `shift`, one of the row's own numbers.
const LD_PARTS: u32 = ROWS + 4u;

fn leave(base: u32, row: u32, quad: u32, sum: vec4<f32>, squares: vec4<f32>) {
    put(base + quad * LD_PARTS + row, component_sum(sum));
    put(base + (4u + quad) * LD_PARTS + row, component_sum(squares));
}

fn spread_of(base: u32, row: u32, shift: f32, count: f32) -> vec2<f32> {
    var sum = 0.0;
    var squares = 0.0;
#for Q 4
    sum += got(base + $Qu * LD_PARTS + row);
    squares += got(base + (4u + $Qu) * LD_PARTS + row);
#endfor
    let mean = sum / count;
    let variance = max(squares / count - mean * mean, 0.0);
    return vec2<f32>(shift + mean, inverseSqrt(variance + EPSILON));
}

// Fills `normal`, with a barrier in between.
fn normalise(thread: u32) {
    let quad = thread % 4u;
#for R NORM_RUN
    let row$R = min(thread / 4u + $Ru * (THREADS / 4u), ROWS - 1u);
    let at$R = pixel_of(row$R);
    let shift$R = vec4<f32>(x[at$R.index * CHANNELS]).x;
#for D DEPTH
    let x$R_$D = x[at$R.index * CHANNELS + $Du * 4u + quad];
#endfor
#endfor
#for R NORM_RUN
    {
        var sum = vec4<f32>();
        var squares = vec4<f32>();
#for D DEPTH
        let d$D = vec4<f32>(x$R_$D) - shift$R;
        sum += d$D;
        squares += d$D * d$D;
#endfor
        leave(0u, row$R, quad, sum, squares);
    }
#endfor
#for D DEPTH
    let gain$D = gamma[$Du * 4u + quad];
    let start$D = beta[$Du * 4u + quad];
#endfor
    workgroupBarrier();
#for R NORM_RUN
    {
        let spread = spread_of(0u, row$R, shift$R, f32(4u * CHANNELS));
#for D DEPTH
        let n$D = (vec4<f32>(x$R_$D) - spread.x) * spread.y * gain$D + start$D;
        normal[row$R * LD_NORMAL + $Du * 4u + quad] = select(Factor(), factor(n$D), at$R.inside);
#endfor
    }
#endfor
}
#endif

#if !NORMED
// The i-th vec4 of w_columns for the slice from `column` of w_in on; past the end, the last.
fn fetch_columns(column: u32, i: u32) -> Factor {
    return Factor(w_in[column * CHANNELS + min(i, 16u * CHANNELS - 1u)]);
}

fn keep_columns(i: u32, v: Factor) {
    let word = min(i, 16u * CHANNELS - 1u);
    w_columns[word / CHANNELS * LD_NORMAL + word % CHANNELS] = v;
}
#endif

// The same of w_rows, which begins at `start`.
fn fetch_rows(slice: u32, i: u32) -> Factor {
    let word = min(i, 4u * OUT - 1u);
    return Factor(w_out[word / 4u * INNER + slice * 4u + word % 4u]);
}

fn keep_rows(start: u32, i: u32, v: Factor) {
    let word = min(i, 4u * OUT - 1u);
    w_rows[start + word / 4u * LD_TERMS + word % 4u] = v;
}


fn silu4(v: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(silu(v.x), silu(v.y), silu(v.z), silu(v.w));
}
