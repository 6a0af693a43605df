// v = SiLU(w_conv ∗ (LN(x)·w_inᵀ) + b) and p = v·w_xᵀ: what a selective scan reads, as one kernel.
//
// bindings: 1 x [batch, height, width, 4·CHANNELS], 2 γ, 3 β, 4 w_in [4·INNER, 4·CHANNELS],
//           5 w_conv [4·INNER, 3, 3] (f32), 6 b [4·INNER], 7 w_x [OUT, 4·INNER],
//           8 v [.., 4·INNER], 9 p [.., OUT]
// layout, numerics: shared/fused
#include fused

#if HALF8
alias VPart = vec2<f16>;
fn narrow_v(v: Part) -> VPart {
    return VPart(clamp(v, Part(-65504.0), Part(65504.0)));
}
#else
alias VPart = Part;
fn narrow_v(v: Part) -> VPart {
    return v;
}
#endif

@group(0) @binding(5) var<storage, read> w_conv: array<Part>;
@group(0) @binding(6) var<storage, read> bias: array<Part>;
@group(0) @binding(7) var<storage, read> w_out: array<S7>;
@group(0) @binding(8) var<storage, read_write> v: array<VPart>;
@group(0) @binding(9) var<storage, read_write> p: array<S9>;

#include fused_columns

fn before(pixel: u32, quad: u32) -> vec4<f32> {
    return vec4<f32>();
}

fn emit(pixel: u32, quad: u32, sum: vec4<f32>, before: vec4<f32>) {
    p[pixel * (OUT / 4u) + quad] = narrow9(sum);
}

#include fused_main
#for L LOADS_IN
    var wi$L = fetch_columns(0u, $Lu * THREADS + thread);
#endfor
    normalise(thread);
    let after = min(1u, SLICES - 1u) * 16u;
#include fused_first
    for (var slice = 0u; slice < SLICES; slice++) {
        let column = slice * 16u;
        let start = bias[slice * LANES + thread % LANES];
#include fused_in
#include fused_taps
        workgroupBarrier();
#include fused_next
#include fused_conv
#for R RUN
        let u$R = c$R + start;
        let v$R = Part(silu(u$R.x), silu(u$R.y));
        let at$R = pixel_at(i32(left), i32(top + $Ru));
        if at$R.inside {
            v[at$R.index * (4u * INNER / PART) + slice * LANES + part] = narrow_v(v$R);
        }
        gated[((top + $Ru) * TILE_WIDTH + left) * LD_GATED + part] = gated_part(v$R);
#endfor
        workgroupBarrier();
#include fused_out
    }
    workgroupBarrier();
#include fused_store
}
