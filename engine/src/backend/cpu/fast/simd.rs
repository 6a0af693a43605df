//! Vectors of lanes and the functions the kernels need on them.
//!
//! Loops over [`Lanes`] compile to vector instructions of whatever width the clone of the
//! enclosing kernel may use ([`clones!`]).

/// Values handled together: one AVX-512 register, two of AVX2, four of SSE and NEON.
pub(super) const WIDTH: usize = 16;

/// One value a lane.
pub(super) type Lanes = [f32; WIDTH];

/// Defines functions compiled for AVX-512, for AVX2 with fused multiply–add, and for any
/// processor; the best is chosen at run time. The body is a generic function of whether
/// multiply–add is one instruction.
macro_rules! clones {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) = $body:ident;)*) => {$(
        $(#[$meta])*
        #[multiversion::multiversion(targets(
            "x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma",
            "x86_64+avx2+fma"
        ))]
        $vis fn $name($($arg: $ty),*) {
            if multiversion::target::target_cfg_f!(target_feature = "fma")
                || cfg!(target_arch = "aarch64")
            {
                $body::<true>($($arg),*)
            } else {
                $body::<false>($($arg),*)
            }
        }
    )*};
}
pub(super) use clones;

/// a·b + c, fused where that is one instruction.
#[inline(always)]
pub(super) fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// 2ˣ to 3e-7 relative for x ≤ 127; 2^−126 where it would be less.
#[inline(always)]
pub(super) fn exp2<const FMA: bool>(x: f32) -> f32 {
    // Adding 1.5·2²³ rounds to an integer, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -126.0 { -126.0 } else { x };
    let shifted = x + ROUND;
    let f = x - (shifted - ROUND);
    // (2^f − 1)/f on [−½, ½], so that 2⁰ is exactly 1; to 1e-7 of 2^f.
    let p = mul_add::<FMA>(f, 1.330_060_8e-3, 9.669_692e-3);
    let p = mul_add::<FMA>(f, p, 5.550_558_5e-2);
    let p = mul_add::<FMA>(f, p, 2.402_228_3e-1);
    let p = mul_add::<FMA>(f, p, std::f32::consts::LN_2);
    let p = mul_add::<FMA>(f, p, 1.0);
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// 1 / (1 + e^(−x))
#[inline(always)]
pub(super) fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    let x = -std::f32::consts::LOG2_E * x;
    1.0 / (1.0 + exp2::<FMA>(if x > 126.0 { 126.0 } else { x }))
}

/// x·σ(x)
#[inline(always)]
pub(super) fn silu<const FMA: bool>(x: f32) -> f32 {
    x * sigmoid::<FMA>(x)
}

/// GELU in its tanh form: ½(1 + tanh u) = σ(2u).
#[inline(always)]
pub(super) fn gelu<const FMA: bool>(x: f32) -> f32 {
    const SCALE: f32 = 2.0 * 0.797_884_6;
    x * sigmoid::<FMA>(SCALE * mul_add::<FMA>(0.044_715 * x * x, x, x))
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|)), the latter as 2·atanh(u / (2 + u)).
///
/// Above 20 the second term is below the last bit of the first: the identity.
#[inline(always)]
pub(super) fn softplus<const FMA: bool>(x: f32) -> f32 {
    let u = exp2::<FMA>(-std::f32::consts::LOG2_E * x.abs());
    let s = u / (2.0 + u);
    let w = s * s;
    let p = mul_add::<FMA>(w, 0.281_746_57, 0.279_614_2);
    let p = mul_add::<FMA>(w, p, 0.400_248_54);
    let p = mul_add::<FMA>(w, p, 0.666_663_2);
    let p = mul_add::<FMA>(w, p, 2.0);
    let positive = if x > 0.0 { x } else { 0.0 };
    mul_add::<FMA>(s, p, positive)
}

/// Sum of all lanes.
#[inline(always)]
pub(super) fn sum(x: &Lanes) -> f32 {
    let mut x = *x;
    let mut half = WIDTH / 2;
    while half > 0 {
        for l in 0..half {
            x[l] += x[l + half];
        }
        half /= 2;
    }
    x[0]
}

/// The lanes from `x[at]` on; those past `width` are zero.
#[inline(always)]
pub(super) fn load(x: &[f32], at: usize, width: usize) -> Lanes {
    let mut lanes = [0.0; WIDTH];
    if width == WIDTH {
        lanes.copy_from_slice(&x[at..at + WIDTH]);
    } else {
        lanes[..width].copy_from_slice(&x[at..at + width]);
    }
    lanes
}

/// Writes the first `width` lanes to `y[at]` on.
#[inline(always)]
pub(super) fn store(y: &mut [f32], at: usize, width: usize, lanes: &Lanes) {
    if width == WIDTH {
        y[at..at + WIDTH].copy_from_slice(lanes);
    } else {
        y[at..at + width].copy_from_slice(&lanes[..width]);
    }
}

/// Asks for element `at` of `x`, which may lie outside, to be brought into the cache.
#[inline(always)]
pub(super) fn prefetch(x: &[f32], at: isize) {
    prefetch_at(x.as_ptr(), at);
}

/// The same of what lies `at` elements from `x`.
#[inline(always)]
pub(super) fn prefetch_at(x: *const f32, at: isize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch does not access memory as far as the program can tell; any address may be given.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(x.wrapping_offset(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (x, at);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error of `f` against `g`, relative to |g| + floor, over [−low, high].
    fn error(
        f: impl Fn(f32) -> f32,
        g: impl Fn(f64) -> f64,
        low: f32,
        high: f32,
        floor: f64,
    ) -> f64 {
        (0..=200_000)
            .map(|i| low + (high - low) * i as f32 / 200_000.0)
            .map(|x| {
                let want = g(f64::from(x));
                (f64::from(f(x)) - want).abs() / (want.abs() + floor)
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn functions_are_exact_to_a_few_last_bits() {
        assert_eq!(exp2::<false>(0.0), 1.0);
        assert!(exp2::<true>(f32::NAN).is_nan());
        let sigma = |x: f64| 1.0 / (1.0 + (-x).exp());
        let tanh = |x: f64| 0.797_884_560_802_865_4 * (x + 0.044_715 * x * x * x);
        let cases = [
            error(exp2::<true>, f64::exp2, -120.0, 120.0, 0.0),
            error(exp2::<false>, f64::exp2, -1.0, 1.0, 0.0),
            error(softplus::<true>, |x| x.exp().ln_1p(), -15.0, 30.0, 0.0),
            error(sigmoid::<true>, sigma, -20.0, 30.0, 0.0),
            error(silu::<true>, |x| x * sigma(x), -15.0, 30.0, 1e-3),
            error(gelu::<true>, |x| x * sigma(2.0 * tanh(x)), -8.0, 30.0, 1e-3),
        ];
        for (i, e) in cases.into_iter().enumerate() {
            // The rounding of x·log2(e) costs |x| last bits.
            assert!(e < if i < 2 { 3e-7 } else { 2e-6 }, "case {i}: {e:e}");
        }
    }
}
