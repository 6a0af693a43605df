// What every pass of the selective scan shares: sizes, orders, decays, and the
// projected rows [r; B; C] of a sub-block of tokens in workgroup memory.
//
// constants: K directions, D channels, N states, R rank of Δ, TIED decays;
//            CHANNEL_LANES × GROUP_CHUNKS = LANES lanes of a workgroup (channels
//            fastest), CHANNEL_BLOCKS workgroups over the channels of a chunk,
//            SUB tokens of a sub-block
// A chunk is `chunk` tokens next to each other in row-major (even directions) or
// column-major order (odd ones); directions 2 and 3 run through the same chunks
// from the last token to the first. Places past the last token change nothing:
// Δ, v, B and C are 0 there.
// Needs the bindings `p` [tokens, K·(R+2N)] and `weights` [K, SLOTS, D].

struct Params {
    batch: u32,
    tokens: u32, // of one picture
    height: u32,
    width: u32,
    chunk: u32, // tokens of a chunk, a multiple of SUB
    chunks: u32, // of one picture
    chunk_groups: u32, // workgroups over the chunks
}

@group(0) @binding(0) var<uniform> params: Params;

// Vectors of 4 states, of 4 components of r, of a row; unused places are 0.
const NV: u32 = (N + 3u) / 4u;
const RV: u32 = (R + 3u) / 4u;
const PROJECTED: u32 = R + 2u * N;
const LANES: u32 = CHANNEL_LANES * GROUP_CHUNKS;

// Slots of a channel's weights: w_dt (R), b_dt, d, then A·log2(e), one for each state or one.
const SLOT_BIAS: u32 = R;
const SLOT_SKIP: u32 = R + 1u;
const SLOT_DECAY: u32 = R + 2u;
#if TIED
const SLOTS: u32 = R + 3u;
#else
const SLOTS: u32 = R + 2u + N;
#endif

// What one lane is: a channel of one chunk of a picture.
struct Lane {
    batch: u32,
    chunk: u32,
    channel: u32,
    live: bool, // whether channel and chunk exist
    place: u32, // of the chunk in the workgroup
}

fn lane_of(batch: u32, chunk_group: u32, channel_block: u32, local: u32) -> Lane {
    var l: Lane;
    l.place = local / CHANNEL_LANES;
    l.batch = batch;
    l.chunk = chunk_group * GROUP_CHUNKS + l.place;
    l.channel = channel_block * CHANNEL_LANES + local % CHANNEL_LANES;
    l.live = l.channel < D && l.chunk < params.chunks;
    return l;
}

// A place in an order and its token; `next` needs no division.
struct Walk {
    token: u32,
    inner: u32,
}

fn walk_to(place: u32, columns: bool) -> Walk {
    if (columns) {
        let x = place / params.height;
        let y = place - x * params.height;
        return Walk(y * params.width + x, y);
    }
    return Walk(place, 0u);
}

fn walk_next(w: Walk, columns: bool) -> Walk {
    if (!columns) {
        return Walk(w.token + 1u, 0u);
    }
    if (w.inner + 1u == params.height) {
        return Walk(w.token + params.width + 1u - params.tokens, 0u);
    }
    return Walk(w.token + params.width, w.inner + 1u);
}

fn weight(k: u32, slot: u32, l: Lane) -> f32 {
    if (!l.live) {
        return 0.0;
    }
    return weights[(k * SLOTS + slot) * D + l.channel];
}

// A channel's decays and Δ projection in registers.
struct Channel {
    bias: f32,
    w_dt: array<vec4<f32>, RV>,
#if TIED
    decay: f32,
#else
    decay: array<vec4<f32>, NV>,
#endif
}

fn channel_of(k: u32, l: Lane) -> Channel {
    var c: Channel;
    c.bias = weight(k, SLOT_BIAS, l);
    for (var i = 0u; i < 4u * RV; i++) {
        if (i < R) {
            c.w_dt[i / 4u][i % 4u] = weight(k, i, l);
        }
    }
#if TIED
    c.decay = weight(k, SLOT_DECAY, l);
#else
    for (var i = 0u; i < 4u * NV; i++) {
        if (i < N) {
            c.decay[i / 4u][i % 4u] = weight(k, SLOT_DECAY + i, l);
        }
    }
#endif
    return c;
}

// Rows of the sub-block: STAGED vectors a token, r then B then C.
var<workgroup> rows: array<vec4<f32>, GROUP_CHUNKS * SUB * STAGED>;

// Fills `rows` with the tokens from place `offset` of each of the workgroup's chunks.
fn stage_rows(k: u32, batch: u32, chunk_group: u32, offset: u32, local: u32) {
    for (var i = local; i < GROUP_CHUNKS * SUB * STAGED; i += LANES) {
        let column = i % STAGED;
        let token = i / STAGED;
        let place = (chunk_group * GROUP_CHUNKS + token / SUB) * params.chunk + offset + token % SUB;
        var row = vec4<f32>(0.0);
        if (place < params.tokens) {
            let at = (batch * params.tokens + walk_to(place, (k & 1u) == 1u).token) * (K * PROJECTED)
                + k * PROJECTED;
            var first = at + 4u * column;
            var left = R - 4u * column;
            if (column >= RV + NV) {
                first = at + R + N + 4u * (column - RV - NV);
                left = N - 4u * (column - RV - NV);
            } else if (column >= RV) {
                first = at + R + 4u * (column - RV);
                left = N - 4u * (column - RV);
            }
            row.x = p[first];
            if (left > 1u) { row.y = p[first + 1u]; }
            if (left > 2u) { row.z = p[first + 2u]; }
            if (left > 3u) { row.w = p[first + 3u]; }
        }
        rows[i] = row;
    }
}

// Δ before softplus, from the staged row starting at `row`.
fn delta_input(c: Channel, row: u32) -> f32 {
    var sum = c.bias;
    for (var i = 0u; i < RV; i++) {
        sum += dot(c.w_dt[i], rows[row + i]);
    }
    return sum;
}

// max(x, 0) + ln(1 + e^-|x|), the logarithm as 2·artanh(e/(2+e)): relative error
// below 3e-7 for any Δ, where a driver's log near 1 is only good to 5e-7 absolute.
fn delta_of(x: f32) -> f32 {
    let e = exp(-abs(x));
    let z = e / (2.0 + e);
    let s = z * z;
    let series = 1.0 + s * (0.33333334 + s * (0.2 + s * (0.14285715 + s * (0.11111111 + s * 0.09090909))));
    return max(x, 0.0) + 2.0 * z * series;
}

// exp(Δ·A) of all states; with tied decays A_n = n·A_1: one exp and its powers.
fn decays(c: Channel, delta: f32) -> array<vec4<f32>, NV> {
    var a: array<vec4<f32>, NV>;
#if TIED
    let e = exp2(delta * c.decay);
    let e2 = e * e;
    var power = vec4<f32>(e, e2, e2 * e, e2 * e2);
    let step = power.w;
    for (var i = 0u; i < NV; i++) {
        a[i] = power;
        power *= step;
    }
#else
    for (var i = 0u; i < NV; i++) {
        a[i] = exp2(delta * c.decay[i]);
    }
#endif
    return a;
}

// Where the states of a chunk lie: [kind, batch, K, chunks, NV, D], kind 0 = h, 1 = u (backward).
fn state_index(kind: u32, k: u32, l: Lane) -> u32 {
    return (((kind * params.batch + l.batch) * K + k) * params.chunks + l.chunk) * (NV * D) + l.channel;
}

// A·log2(e) of 4 states.
fn rates(c: Channel, i: u32) -> vec4<f32> {
#if TIED
    return c.decay * (vec4<f32>(1.0, 2.0, 3.0, 4.0) + f32(4u * i));
#else
    var decay = c.decay;
    return decay[i];
#endif
}

// dΔ/dx = 1/(1 + e^-x) of Δ = softplus(x).
fn delta_slope(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}
