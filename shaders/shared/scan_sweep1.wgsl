// Sweep 1 of scan_backward, in the direction's order; leaves e, z and u for sweep 2.
#for I NV
#for J 4
        var h$I$J = state_of(0u, k, 4u * $Iu + $Ju, l);
#if !TIED
        var s$I$J = C(0.0);
        var g_rate$I$J = C(0.0);
#endif
#endfor
#endfor
        var g_skip = C(0.0);
        var w = walk_start(l, columns, reverse);
#for T BATCH
        var next$T = load(w, l, e_at, false, false);
        w = walk_next(w, columns);
#endfor
        var offset = select(0u, params.chunk - SUB, reverse);
        var fetched = fetch_rows(k, batch, offset, local);
        for (var done = SUB; done <= params.chunk; done += SUB) {
            workgroupBarrier();
            put_rows(fetched, local);
            if (done > SUB) { write_sums(k, l, channel_block, offset, 0u, R + N, reverse, local); }
            offset = select((done - SUB), params.chunk - SUB - (done - SUB), reverse);
            workgroupBarrier();
            if (done < params.chunk) {
                fetched = fetch_rows(k, batch, select(done, params.chunk - SUB - done, reverse), local);
            }
            for (var j = 0u; j < SUB; j += BATCH) {
#for T BATCH
                let now$T = next$T;
                next$T = load(w, l, e_at, false, false);
                w = walk_next(w, columns);
#endfor
#for T BATCH
                let row$T = (l.place * SUB + select(j + $Tu, SUB - 1u - j - $Tu, reverse)) * STAGED;
                let raw$T = delta_input(c, row$T);
                let delta$T = delta_of(raw$T, fading(raw$T));
#endfor
#for T BATCH
#for I NV
                var part$I$T = 0.0;
#endfor
                {
                    let v = select(C(0.0), C(now$T.v), now$T.live);
                    let gy = select(C(0.0), C(now$T.gy), now$T.live);
                    let input = delta$T * v;
                    let d = decays(c, delta$T);
                    var e = C(0.0);
#for I NV
                    let b$I = rows[row$T + RV + $Iu];
                    let c$I = rows[row$T + RV + NV + $Iu];
#if TIED
                    let n$I = c$I * (vec4<f32>(1.0, 2.0, 3.0, 4.0) + 4.0 * $I.0);
#endif
#for J 4
                    let m$I$J = d.a$I$J * h$I$J;
#if TIED
                    e += n$I[$J] * m$I$J;
#else
                    let z$I$J = c.rate$I$J * m$I$J;
                    let g$I$J = gy * c$I[$J];
                    s$I$J = d.a$I$J * s$I$J + delta$T * z$I$J;
                    g_rate$I$J += g$I$J * s$I$J;
                    e += g$I$J * z$I$J;
#endif
                    h$I$J = m$I$J + input * b$I[$J];
#endfor
                    let t$I = vec4<f32>(
#for J 4
                        channel_dot(gy, h$I$J),
#endfor
                    );
#if SUBGROUP
                    part$I$T = fold_vector(t$I);
#else
                    put_terms($Tu, $Iu, local, t$I);
#endif
#endfor
                    g_skip += gy * v;
#if TIED
                    e *= gy * c.rate;
#endif
                    if (now$T.live) { put(e_at + now$T.index * D, DC, e * LN_2); }
                }
#endfor
#if SUBGROUP
#for I NV
                keep_parts(j, $Iu, local, fold_tokens(
#for T BATCH
                    part$I$T,
#endfor
                ));
#endfor
#else
                sum_terms(j, NV, reverse, local);
#endif
            }
        }
        workgroupBarrier();
        write_sums(k, l, channel_block, offset, 0u, R + N, reverse, local);

        var z = C(0.0);
#for I NV
#for J 4
        var u$I$J = state_of(1u, k, 4u * $Iu + $Ju, l);
#if TIED
        z += (4.0 * $I.0 + $J.0 + 1.0) * (u$I$J * h$I$J);
#else
        z += c.rate$I$J * (u$I$J * h$I$J);
        g_rate$I$J += u$I$J * s$I$J;
#endif
#endfor
#endfor
#if TIED
        z *= c.rate;
#endif
        z *= LN_2;
        if (l.live) {
#if !TIED
#for I NV
#for J 4
            if (4u * $Iu + $Ju < N) {
                put(rate_at + channel * A + 4u * $Iu + $Ju, A, LN_2 * g_rate$I$J);
            }
#endfor
#endfor
#endif
            put(row_at + K * D * (R + 1u + A) + channel, 1u, g_skip);
        }
