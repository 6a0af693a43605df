// A channel's Δ and decays in the passes over tokens. Needs shared/scan.

// Decays A·log2(e) and Δ projection in registers.
struct Channel {
    bias: C,
#for I RFULL
#for J 4
    w$I$J: C,
#endfor
#endfor
#for J RLAST
    v$J: C,
#endfor
#if TIED
    rate: C,
#else
#for I NV
#for J 4
    rate$I$J: C,
#endfor
#endfor
#endif
}

fn channel_of(k: u32, l: Lane) -> Channel {
    var c: Channel;
    c.bias = weight(k, SLOT_BIAS, l);
#for I RFULL
#for J 4
    c.w$I$J = weight(k, 4u * $Iu + $Ju, l);
#endfor
#endfor
#for J RLAST
    c.v$J = weight(k, 4u * RFULL + $Ju, l);
#endfor
#if TIED
    c.rate = weight(k, SLOT_DECAY, l);
#else
#for I NV
#for J 4
    if (4u * $Iu + $Ju < N) { c.rate$I$J = weight(k, SLOT_DECAY + 4u * $Iu + $Ju, l); }
#endfor
#endfor
#endif
    return c;
}

// Δ before softplus, from the staged row starting at `row`.
fn delta_input(c: Channel, row: u32) -> C {
    var sum = c.bias;
#for I RFULL
    let r$I = rows[row + $Iu];
#for J 4
    sum += c.w$I$J * r$I[$J];
#endfor
#endfor
#if RLAST
    let last = rows[row + RFULL];
#for J RLAST
    sum += c.v$J * last[$J];
#endfor
#endif
    return sum;
}

// e^-|x|, from which Δ and its slope follow.
fn fading(x: C) -> C {
    return exp2(abs(x) * -1.442695041);
}

// softplus: max(x, 0) + ln(1 + e) with e = e^-|x|. The logarithm as e·P(e) with the P that is nearest
// to ln(1+e)/e: relative error below 4e-7. Where v is kept in 16 bits the device's own, in fewer
// instructions: 1 + e is rounded, so that it is off by up to 6e-8, whatever Δ is.
fn delta_of(x: C, e: C) -> C {
#if HALF1
    let s = log2(1.0 + e) * 0.69314718;
#else
    let s = e * (0.99999994 + e * (-0.49999493 + e * (0.33319098 + e * (-0.24842982
        + e * (0.19106007 + e * (-0.13663246 + e * (0.07822596 + e * (-0.029505244
        + e * 0.0052326955))))))));
#endif
    return max(x, C(0.0)) + s;
}

// dΔ/dx = 1/(1 + e^-x).
fn delta_slope(x: C, e: C) -> C {
    return select(e, C(1.0), x >= C(0.0)) / (1.0 + e);
}

// exp(Δ·A) of all states; with tied decays A_n = n·A_1: one exp and its powers.
struct Decays {
#for I NV
#for J 4
    a$I$J: C,
#endfor
#endfor
}

fn decays(c: Channel, delta: C) -> Decays {
    var d: Decays;
#if TIED
    let power0 = exp2(delta * c.rate);
    let power1 = power0 * power0;
    let power2 = power1 * power0;
    let power3 = power1 * power1;
    var four = C(1.0);
#for I NV
#for J 4
    d.a$I$J = four * power$J;
#endfor
    four *= power3;
#endfor
#else
#for I NV
#for J 4
    d.a$I$J = exp2(delta * c.rate$I$J);
#endfor
#endfor
#endif
    return d;
}

// Where the states of a chunk lie: [kind, batch, K, chunks, 4·NV, D], kind 0 = h, 1 = u (backward).
fn state_index(kind: u32, k: u32, l: Lane) -> u32 {
    return (((kind * params.batch + l.batch) * K + k) * params.chunks + l.chunk) * (4u * NV * DC)
        + l.channel;
}

// The lane's channels of a state of a chunk; zero where there is no such lane. The load is in no branch.
fn state_of(kind: u32, k: u32, state: u32, l: Lane) -> C {
    let loaded = states[select(0u, state_index(kind, k, l) + state * DC, l.live)];
    return select(C(0.0), loaded, l.live);
}
