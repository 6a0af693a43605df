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

// Mean and 1/√(variance + EPSILON) of each token of y.
var<workgroup> spread: array<vec2<f32>, PIXELS>;

fn measure(thread: u32) {
    let count = f32(4u * INNER);
    for (var row = thread; row < PIXELS; row += THREADS) {
        let at = pixel_at(i32(row), 0).index * INNER;
        var sum = vec4<f32>();
        for (var c = 0u; c < INNER; c++) {
            sum += vec4<f32>(y[at + c]);
        }
        let mean = component_sum(sum) / count;
        var squares = vec4<f32>();
        for (var c = 0u; c < INNER; c++) {
            let d = vec4<f32>(y[at + c]) - mean;
            squares += d * d;
        }
        spread[row] = vec2<f32>(mean, inverseSqrt(component_sum(squares) / count + EPSILON));
    }
}

#include fused_main
#for L LOADS_IN
    var wi$L = fetch_columns(0u, $Lu * THREADS + thread);
#endfor
    normalise(thread);
    measure(thread);
    let after = min(1u, SLICES - 1u) * 16u;
#include fused_first
    let quad = thread % 4u;
#for R RUN
    let row$R = thread / 4u + THREADS / 4u * $Ru;
    let from$R = pixel_at(i32(row$R), 0).index * INNER + quad;
    let spread$R = spread[row$R];
#endfor
    for (var slice = 0u; slice < SLICES; slice++) {
        let gain = gamma2[slice * 4u + quad];
        let start = beta2[slice * 4u + quad];
#for R RUN
        let y$R = vec4<f32>(y[from$R + slice * 4u]);
#endfor
#include fused_in
        workgroupBarrier();
#include fused_next
#for R RUN
        let n$R = (y$R - spread$R.x) * spread$R.y * gain + start;
        let z$R = hidden[row$R * LD_HIDDEN + quad];
        gated[row$R * LD_TERMS + quad] = factor(n$R * silu4(z$R));
#endfor
        workgroupBarrier();
#include fused_out
    }
    workgroupBarrier();
#include fused_store
}
