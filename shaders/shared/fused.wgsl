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
//   RUN: pixels below each other of which an invocation convolves its channels of a slice;
//   TURNS = 4·pixels / THREADS: tokens, THREADS / 4 apart, of which it makes four channels where
//   there is nothing to convolve, or sums without cooperative matrices; LOADS_IN, LOADS_OUT: vec4 of w_columns
//   and w_rows an invocation brings; STORES: vec4 of the result it takes out at a time.
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
const LD_TERMS: u32 = 6u;

// LANES invocations share a pixel's slice, PART channels each: two where they convolve, so that
// taps and neighbours of RUN pixels stay in registers.
#if HALO
const PART: u32 = 2u;
alias Part = vec2<f32>;
#if HALF4
alias GatedPart = vec2<f16>;
fn gated_part(v: Part) -> GatedPart {
    return GatedPart(clamp(v, Part(-65504.0), Part(65504.0)));
}
#else
alias GatedPart = Part;
fn gated_part(v: Part) -> GatedPart {
    return v;
}
#endif
#else
const PART: u32 = 4u;
alias Part = vec4<f32>;
alias GatedPart = Factor;
#endif
const LANES: u32 = 16u / PART;
// Parts from one row of `gated` to the next. Rows of `hidden` are not padded: what eight or sixteen
// neighbouring invocations read of two neighbouring pixels is all banks once.
const LD_GATED: u32 = 4u * LD_TERMS / PART;

var<workgroup> normal: array<Factor, ROWS * LD_NORMAL>;
#if EXPAND
// Whole rows of the result, padded.
const LD_RESULT: u32 = OUT / 4u + 1u;
var<workgroup> hidden: array<vec4<f32>, PIXELS * LD_RESULT>;
#else
// Sums of a norm take as much as four rows more.
var<workgroup> hidden: array<Part, max(ROWS + 4u, SUBGROUP_COLUMNS * PIXELS) * LANES>;

// The q-th four numbers of a row.
fn hidden4(row: u32, q: u32) -> vec4<f32> {
#if HALO
    return vec4<f32>(hidden[row * LANES + 2u * q], hidden[row * LANES + 2u * q + 1u]);
#else
    return hidden[row * LANES + q];
#endif
}

fn set_hidden4(row: u32, q: u32, v: vec4<f32>) {
#if HALO
    hidden[row * LANES + 2u * q] = v.xy;
    hidden[row * LANES + 2u * q + 1u] = v.zw;
#else
    hidden[row * LANES + q] = v;
#endif
}
#endif
#if !NORMED
var<workgroup> gated: array<GatedPart, PIXELS * LD_GATED>;

// The q-th four numbers of a row.
fn gated4(row: u32, q: u32) -> vec4<f32> {
#if HALO
    let at = row * LD_GATED + 2u * q;
    return vec4<f32>(vec2<f32>(gated[at]), vec2<f32>(gated[at + 1u]));
#else
    return vec4<f32>(gated[row * LD_GATED + q]);
#endif
}

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
#include fused_norm
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
