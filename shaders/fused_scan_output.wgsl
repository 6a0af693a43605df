// result = x + s ⊙ (LN₂(y) ⊙ SiLU(LN(x)·w_zᵀ))·w_outᵀ: what becomes of a scan's result y, as one kernel.
//
// bindings: 1 x [T, 4·CHANNELS], 2 γ, 3 β, 4 w_z [4·INNER, 4·CHANNELS], 5 y [T, 4·INNER],
//           6 γ₂, 7 β₂ [4·INNER], 8 w_out [4·CHANNELS, 4·INNER], 9 s, 10 result as x
// layout, numerics: shared/fused, without HALO; y is read twice, for its mean and variance and
//           when its slice comes
#include fused

@group(0) @binding(5) var<storage, read> y: array<S5>;
@group(0) @binding(6) var<storage, read> gamma2: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> beta2: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> w_out: array<S8>;
@group(0) @binding(9) var<storage, read> scale: array<vec4<f32>>;
@group(0) @binding(10) var<storage, read_write> result: array<S10>;

#include fused_columns

fn before(pixel: u32, quad: u32) -> vec4<f32> {
    return vec4<f32>(x[pixel * CHANNELS + quad]);
}

fn emit(pixel: u32, quad: u32, sum: vec4<f32>, before: vec4<f32>) {
    result[pixel * CHANNELS + quad] = narrow10(fma(scale[quad], sum, before));
}

// Where `measure` leaves its sums, behind those of `normalise`.
const OF_Y: u32 = 8u * LD_SUMS;

// The first of a token's y, from which differences are taken.
fn first_of(row: u32) -> f32 {
    return vec4<f32>(y[pixel_at(i32(row), 0).index * INNER]).x;
}

// Leaves the sums over the channels of each token of y.
fn measure(thread: u32) {
    let quad = thread % 4u;
#for R TURNS
    let row$R = thread / 4u + THREADS / 4u * $Ru;
    let at$R = pixel_at(i32(row$R), 0).index * INNER + quad;
    let shift$R = first_of(row$R);
#for S SLICES
    let y$R_$S = y[at$R + $Su * 4u];
#endfor
#endfor
#for R TURNS
    {
        var sum = vec4<f32>();
        var squares = vec4<f32>();
#for S SLICES
        let d$S = vec4<f32>(y$R_$S) - shift$R;
        sum += d$S;
        squares += d$S * d$S;
#endfor
        leave(OF_Y, row$R, quad, sum, squares);
    }
#endfor
}

#include fused_main
#for L LOADS_IN
    var wi$L = fetch_columns(0u, $Lu * THREADS + thread);
#endfor
    measure(thread);
    normalise(thread);
    let quad = thread % 4u;
#for R TURNS
    let row$R = thread / 4u + THREADS / 4u * $Ru;
    let from$R = pixel_at(i32(row$R), 0).index * INNER + quad;
    let spread$R = spread_of(OF_Y, row$R, first_of(row$R), f32(4u * INNER));
#endfor
    let after = min(1u, SLICES - 1u) * 16u;
#include fused_first
    for (var slice = 0u; slice < SLICES; slice++) {
        let gain = gamma2[slice * 4u + quad];
        let start = beta2[slice * 4u + quad];
#for R TURNS
        let y$R = vec4<f32>(y[from$R + slice * 4u]);
#endfor
#include fused_in
        workgroupBarrier();
#include fused_next
#for R TURNS
        let n$R = (y$R - spread$R.x) * spread$R.y * gain + start;
        let z$R = hidden[row$R * LANES + quad];
        gated[row$R * LD_TERMS + quad] = factor(n$R * silu4(z$R));
#endfor
        workgroupBarrier();
#include fused_out
    }
    workgroupBarrier();
#include fused_store
}
