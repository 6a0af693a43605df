// y[p, o] = b[o] + Σ_{i,k} w[o, i, k] · x[p + k, i], zero outside the picture.
// With TRANSPOSED, w is [INPUTS, OUTPUTS, 3, 3] read as [i, o, 8 − k]: the
// gradient of the input, from gy as x.
//
// bindings: 1 x [batch, height, width, INPUTS] (X: 4 channels when INPUT_VEC4), 2 w (f32),
//           3 y [batch, height, width, OUTPUTS] (4 channels when OUTPUT_VEC4), [4 b [OUTPUTS] with BIAS]
// layout:   a lane makes 4 neighbouring pixels × 4 outputs; OUTPUT_LANES lanes side
//           by side, 256/OUTPUT_LANES groups of pixels; weights of CHUNK inputs at
//           a time in workgroup memory
#include index

struct Params {
    batch: u32,
    height: u32,
    width: u32,
    tiles: u32,
}

// X, Y: what one load and one store take; as they lie in memory: half of that where HALF… says so.
#if INPUT_VEC4
alias X = vec4<f32>;
const X_WIDTH: u32 = 4u;
#if HALF1
alias StoredX = vec4<f16>;
#else
alias StoredX = X;
#endif
#else
alias X = f32;
alias StoredX = f32;
const X_WIDTH: u32 = 1u;
#endif
#if OUTPUT_VEC4
alias Y = vec4<f32>;
#if HALF3
alias StoredY = vec4<f16>;

fn narrow(v: Y) -> StoredY {
    return StoredY(clamp(v, Y(-65504.0), Y(65504.0)));
}
#else
alias StoredY = Y;

fn narrow(v: Y) -> Y {
    return v;
}
#endif
#else
alias StoredY = f32;
#endif

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<StoredX>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<StoredY>;
#if BIAS
@group(0) @binding(4) var<storage, read> b: array<f32>;
#endif

// [input of the chunk][tap][lane of outputs]
var<workgroup> weights: array<vec4<f32>, CHUNK * 9u * OUTPUT_LANES>;

// Four outputs at four neighbouring pixels.
struct Tile {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

fn weight(o: u32, i: u32, k: u32) -> f32 {
    if (o >= OUTPUTS || i >= INPUTS) {
        return 0.0;
    }
#if TRANSPOSED
    return w[(i * OUTPUTS + o) * 9u + 8u - k];
#else
    return w[(o * INPUTS + i) * 9u + k];
#endif
}

// One input channel, six neighbouring pixels of one row, into the tile; `at` is the row's first tap.
fn multiply(t: Tile, at: u32, p: vec4<f32>, q: vec2<f32>) -> Tile {
    let w0 = weights[at];
    let w1 = weights[at + OUTPUT_LANES];
    let w2 = weights[at + 2u * OUTPUT_LANES];
    return Tile(
        t.a + w0 * p.x + w1 * p.y + w2 * p.z,
        t.b + w0 * p.y + w1 * p.z + w2 * p.w,
        t.c + w0 * p.z + w1 * p.w + w2 * q.x,
        t.d + w0 * p.w + w1 * q.x + w2 * q.y,
    );
}

fn input(line: u32, column: i32, i: u32) -> X {
    if (column < 0 || column >= i32(params.width)) {
        return X(0.0);
    }
    return X(x[(line * params.width + u32(column)) * (INPUTS / X_WIDTH) + i]);
}

// Adds what the CHUNK inputs from `first` contribute to a tile.
fn accumulate(start: Tile, first: u32, line: u32, row: u32, column: i32, lane: u32) -> Tile {
    var tile = start;
    for (var ky = 0u; ky < 3u; ky++) {
        if (row + ky < 1u || row + ky > params.height) {
            continue;
        }
        let input_line = line + ky - 1u;
        for (var i = 0u; i < min(CHUNK, INPUTS - first); i += X_WIDTH) {
            let at = (first + i) / X_WIDTH;
            let tap = (i * 9u + ky * 3u) * OUTPUT_LANES + lane;
            let p0 = input(input_line, column - 1, at);
            let p1 = input(input_line, column, at);
            let p2 = input(input_line, column + 1, at);
            let p3 = input(input_line, column + 2, at);
            let p4 = input(input_line, column + 3, at);
            let p5 = input(input_line, column + 4, at);
#if INPUT_VEC4
            let next = 9u * OUTPUT_LANES;
            tile = multiply(tile, tap, vec4<f32>(p0.x, p1.x, p2.x, p3.x), vec2<f32>(p4.x, p5.x));
            tile = multiply(tile, tap + next, vec4<f32>(p0.y, p1.y, p2.y, p3.y), vec2<f32>(p4.y, p5.y));
            tile = multiply(tile, tap + 2u * next, vec4<f32>(p0.z, p1.z, p2.z, p3.z), vec2<f32>(p4.z, p5.z));
            tile = multiply(tile, tap + 3u * next, vec4<f32>(p0.w, p1.w, p2.w, p3.w), vec2<f32>(p4.w, p5.w));
#else
            tile = multiply(tile, tap, vec4<f32>(p0, p1, p2, p3), vec2<f32>(p4, p5));
#endif
        }
    }
    return tile;
}

fn store(pixel: u32, o: u32, v: vec4<f32>) {
#if OUTPUT_VEC4
    y[(pixel * OUTPUTS + o) / 4u] = narrow(v);
#else
    for (var j = 0u; j < 4u; j++) {
        if (o + j < OUTPUTS) {
            y[pixel * OUTPUTS + o + j] = v[j];
        }
    }
#endif
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    let block = (group % OUTPUT_BLOCKS) * OUTPUT_LANES;
    let lane = local % OUTPUT_LANES;
    let o = (block + lane) * 4u;
    let item = (group / OUTPUT_BLOCKS) * (256u / OUTPUT_LANES) + local / OUTPUT_LANES;
    let column = i32(item % params.tiles) * 4;
    // Batch and row together.
    let line = item / params.tiles;
    let row = line % params.height;
    let live = line < params.batch * params.height && o < OUTPUTS;

    var start = vec4<f32>(0.0);
#if BIAS
    for (var j = 0u; j < 4u; j++) {
        start[j] = b[min(o + j, OUTPUTS - 1u)];
    }
#endif
    var tile = Tile(start, start, start, start);
    for (var first = 0u; first < INPUTS; first += CHUNK) {
        workgroupBarrier();
        for (var s = local; s < CHUNK * 9u * OUTPUT_LANES; s += 256u) {
            let out = (block + s % OUTPUT_LANES) * 4u;
            let k = (s / OUTPUT_LANES) % 9u;
            let i = first + s / (OUTPUT_LANES * 9u);
            weights[s] = vec4<f32>(weight(out, i, k), weight(out + 1u, i, k), weight(out + 2u, i, k), weight(out + 3u, i, k));
        }
        workgroupBarrier();
        if (live) {
            tile = accumulate(tile, first, line, row, column, lane);
        }
    }
    if (live) {
        let pixel = line * params.width + u32(column);
        let left = params.width - u32(column);
        store(pixel, o, tile.a);
        if (left > 1u) {
            store(pixel + 1u, o, tile.b);
        }
        if (left > 2u) {
            store(pixel + 2u, o, tile.c);
        }
        if (left > 3u) {
            store(pixel + 3u, o, tile.d);
        }
    }
}
