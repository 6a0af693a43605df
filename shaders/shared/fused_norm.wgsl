// LayerNorm of the fused kernels (shared/fused): `normalise` fills `normal` from x, γ and β; sums go
// through `hidden`, number by number, before it holds a slice. Subgroup shuffles instead took longer
// than a whole kernel does.

fn put(i: u32, v: f32) {
    hidden[i / PART][i % PART] = v;
}

fn got(i: u32) -> f32 {
    return hidden[i / PART][i % PART];
}

// Four neighbouring invocations share a row: each leaves the sums over its quarter of the
// channels, from `base` on; after a barrier all of them know the row's mean and
// 1/√(variance + EPSILON). Differences are taken from `shift`, one of the row's own numbers.
const LD_SUMS: u32 = ROWS + 4u;

fn leave(base: u32, row: u32, quad: u32, sum: vec4<f32>, squares: vec4<f32>) {
    put(base + quad * LD_SUMS + row, component_sum(sum));
    put(base + (4u + quad) * LD_SUMS + row, component_sum(squares));
}

fn spread_of(base: u32, row: u32, shift: f32, count: f32) -> vec2<f32> {
    var sum = 0.0;
    var squares = 0.0;
#for Q 4
    sum += got(base + $Qu * LD_SUMS + row);
    squares += got(base + (4u + $Qu) * LD_SUMS + row);
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
