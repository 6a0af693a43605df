// Sums over the channels of a workgroup, for the gradient of p's rows, through workgroup
// memory: lanes put vectors of terms for BATCH tokens side by side, each sum is taken by
// PARTS lanes (vectors PARTS apart, so that neighbouring lanes read neighbouring memory),
// and the parts are added as the sub-block is written. A fixed order throughout.
// TERMS = CHANNEL_LANES / PARTS, rounded up (RAGGED) or not.
// Needs shared/scan. The other way is shared/scan_fold.

const MOST: u32 = RV + NV; // vectors of a token

var<workgroup> terms: array<vec4<f32>, BATCH * MOST * LANES>;
var<workgroup> parts: array<vec4<f32>, PARTS * GROUP_CHUNKS * SUB * MOST>;

fn put_terms(turn: u32, vector: u32, local: u32, value: vec4<f32>) {
    terms[(turn * MOST + vector) * LANES + local] = value;
}

// Takes the sums of `count` vectors for the tokens j .. j + BATCH in the sweep's order.
fn sum_terms(j: u32, count: u32, descending: bool, local: u32) {
    workgroupBarrier();
    for (var i = local; i < GROUP_CHUNKS * BATCH * count * PARTS; i += LANES) {
        let part = i % PARTS;
        let vector = i / PARTS % count;
        let turn = i / (PARTS * count) % BATCH;
        let place = i / (PARTS * count * BATCH);
        let at = (turn * MOST + vector) * LANES + place * CHANNEL_LANES + part;
        var sum = vec4<f32>(0.0);
#for T TERMS
#if RAGGED
        if (part + $Tu * PARTS < CHANNEL_LANES) { sum += terms[at + $Tu * PARTS]; }
#else
        sum += terms[at + $Tu * PARTS];
#endif
#endfor
        let s = select(j + turn, SUB - 1u - j - turn, descending);
        parts[((part * GROUP_CHUNKS + place) * SUB + s) * MOST + vector] = sum;
    }
    workgroupBarrier();
}

// The sum of a vector for the token at place s of chunk `place`'s sub-block.
fn sum_of(s: u32, place: u32, vector: u32, descending: bool) -> vec4<f32> {
    let at = (place * SUB + s) * MOST + vector;
    var sum = vec4<f32>(0.0);
#for P PARTS
    sum += parts[$Pu * GROUP_CHUNKS * SUB * MOST + at];
#endfor
    return sum;
}
