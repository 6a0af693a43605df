// What every pass of the selective scan shares: sizes, orders, weights, and the
// projected rows [r; B; C] of a sub-block of tokens in workgroup memory.
//
// constants: K directions, D channels, N states, R rank of Δ (RFULL whole vectors of 4
//            and RLAST more), TIED decays; PAIR: a lane holds two neighbouring channels;
//            CHANNEL_LANES × GROUP_CHUNKS = LANES lanes of a workgroup (channels
//            fastest), CHANNEL_BLOCKS workgroups over the channels of a chunk,
//            SUB tokens of a sub-block, NV and RV vectors of 4 states and of 4 components of r
// A chunk is `chunk` tokens next to each other in row-major (even directions) or
// column-major order (odd ones); directions 2 and 3 run through the same chunks
// from the last token to the first; FLIPPED: 0 and 1 do, and not 2 and 3. Places past the last token have v, gy, r, B and C 0:
// they come after all tokens, or before them while the states are still 0.
// Needs the bindings `p` [tokens, K·(R+2N)] of P2 and `weights` [K, SLOTS, D] of C.

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

#include scan_channels

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

// What one lane is: one or two channels of one chunk of a picture.
struct Lane {
    batch: u32,
    chunk: u32,
    channel: u32, // in units of a lane's
    live: bool, // whether channel and chunk exist
    place: u32, // of the chunk in the workgroup
    count: u32, // tokens of the chunk
}

// The workgroup's first place in its picture, in column-major order also as (x, y).
var<private> first_place: u32;
var<private> first_x: u32;
var<private> first_y: u32;
var<private> per_line: f32;

fn lane_of(batch: u32, chunk_group: u32, channel_block: u32, local: u32) -> Lane {
    first_place = chunk_group * GROUP_CHUNKS * params.chunk;
    first_x = first_place / params.height;
    first_y = first_place - first_x * params.height;
    per_line = 1.0 / f32(params.height);
    var l: Lane;
    l.place = local / CHANNEL_LANES;
    l.batch = batch;
    l.chunk = chunk_group * GROUP_CHUNKS + l.place;
    l.channel = channel_block * CHANNEL_LANES + local % CHANNEL_LANES;
    l.live = l.channel < DC && l.chunk < params.chunks;
    if (l.live) { l.count = min(params.chunk, params.tokens - l.chunk * params.chunk); }
    return l;
}

// Token `offset` places after the workgroup's first. The division is exact: fewer than 2^21 rows.
fn token_of(offset: u32, columns: bool) -> u32 {
    if (columns) {
        let y = first_y + offset;
        let line = u32((f32(y) + 0.5) * per_line);
        return (y - line * params.height) * params.width + first_x + line;
    }
    return first_place + offset;
}

// A lane's way through the tokens of its chunk, without divisions.
struct Walk {
    at: u32, // element of v
    index: u32, // of the token in its chunk
    step: u32,
    inner: u32, // in columns: tokens since the line began
    wrap: u32, // and what more to step where it ends
    back: u32, // 1 or −1
}

fn walk_start(l: Lane, columns: bool, reverse: bool) -> Walk {
    var w: Walk;
    w.index = select(0u, params.chunk - 1u, reverse);
    let offset = l.place * params.chunk + w.index;
    let token = token_of(offset, columns);
    w.at = (l.batch * params.tokens + token) * DC + l.channel;
    w.step = DC;
    if (columns) {
        let y = (first_y + offset) % params.height;
        w.inner = select(y, params.height - 1u - y, reverse);
        w.step = params.width * DC;
        w.wrap = (1u - params.tokens) * DC;
    }
    w.back = select(1u, 0xffffffffu, reverse);
    w.step *= w.back;
    w.wrap *= w.back;
    return w;
}

fn walk_next(last: Walk, columns: bool) -> Walk {
    var w = last;
    w.at += w.step;
    w.index += w.back;
    if (columns) {
        w.inner += 1u;
        let ends = w.inner == params.height;
        w.at += select(0u, w.wrap, ends);
        w.inner = select(w.inner, 0u, ends);
    }
    return w;
}

// Lanes past the last channel follow it: a branch here would have every load waited for.
fn weight(k: u32, slot: u32, l: Lane) -> C {
    return weights[(k * SLOTS + slot) * DC + min(l.channel, DC - 1u)];
}

// Rows of the sub-block: STAGED vectors a token, r then B then C; unused places are 0.
var<workgroup> rows: array<vec4<f32>, GROUP_CHUNKS * SUB * STAGED>;

// What a lane brings of a sub-block's rows, on its way from memory: STAGED_ITEMS vectors.
struct Fetched {
#for I STAGED_ITEMS
    row$I: vec4<E2>,
    left$I: u32, // components that exist
#endfor
}

// Starts to load the tokens from place `offset` of each of the workgroup's chunks.
fn fetch_rows(k: u32, batch: u32, offset: u32, local: u32) -> Fetched {
    var f: Fetched;
#for I STAGED_ITEMS
    {
        let i = local + $Iu * LANES;
        let column = i % STAGED;
        let slot = i / STAGED;
        let place = slot / SUB * params.chunk + offset + slot % SUB;
        var first = 4u * column;
        var left = R - 4u * column;
        if (column >= RV + NV) {
            left = N - 4u * (column - RV - NV);
            first = PROJECTED - left;
        } else if (column >= RV) {
            left = N - 4u * (column - RV);
            first = R + N - left;
        }
        let token = batch * params.tokens + token_of(place, (k & 1u) == 1u);
        let live = i < GROUP_CHUNKS * SUB * STAGED && first_place + place < params.tokens;
        first = select(0u, (token * K + k) * PROJECTED + first, live);
        f.left$I = select(0u, min(left, 4u), live);
#if P_VECTORS
        f.row$I = p[first / 4u];
#else
#if P_PAIRS
        f.row$I = vec4<E2>(p[first / 2u], p[first / 2u + select(0u, 1u, f.left$I > 2u)]);
#else
        f.row$I = vec4<E2>(p[first], p[first + select(0u, 1u, f.left$I > 1u)],
            p[first + select(0u, 2u, f.left$I > 2u)], p[first + select(0u, 3u, f.left$I > 3u)]);
#endif
#endif
    }
#endfor
    return f;
}

// Puts what was fetched into `rows`; a barrier must follow.
fn put_rows(f: Fetched, local: u32) {
#for I STAGED_ITEMS
    if (local + $Iu * LANES < GROUP_CHUNKS * SUB * STAGED) {
        let row = select(vec4<f32>(0.0), vec4<f32>(f.row$I), vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(f.left$I));
        rows[local + $Iu * LANES] = row;
    }
#endfor
}
