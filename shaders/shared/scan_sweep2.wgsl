// Sweep 2 of scan_backward, against the direction's order.
        let skip = weight(k, SLOT_SKIP, l);
        var g_bias = C(0.0);
#if TIED
        var g_rate = C(0.0);
#endif
#for I RFULL
#for J 4
        var g_w$I$J = C(0.0);
#endfor
#endfor
#for J RLAST
        var g_v$J = C(0.0);
#endfor
        let adds = columns || turn == 1u;
        w = walk_start(l, columns, !reverse);
#for T BATCH
        next$T = load(w, l, e_at, true, adds);
        w = walk_next(w, columns);
#endfor
        offset = select(params.chunk - SUB, 0u, reverse);
        fetched = fetch_rows(k, batch, offset, local);
        for (var done = SUB; done <= params.chunk; done += SUB) {
            workgroupBarrier();
            put_rows(fetched, local);
            if (done > SUB) { write_sums(k, l, channel_block, offset, RV, R, !reverse, local); }
            offset = select(params.chunk - SUB - (done - SUB), (done - SUB), reverse);
            workgroupBarrier();
            if (done < params.chunk) {
                fetched = fetch_rows(k, batch, select(params.chunk - SUB - done, done, reverse), local);
            }
            for (var j = 0u; j < SUB; j += BATCH) {
#for T BATCH
                let now$T = next$T;
                next$T = load(w, l, e_at, true, adds);
                w = walk_next(w, columns);
#endfor
#for T BATCH
                let row$T = (l.place * SUB + select(SUB - 1u - j - $Tu, j + $Tu, reverse)) * STAGED;
                let raw$T = delta_input(c, row$T);
                let fade$T = fading(raw$T);
                let delta$T = delta_of(raw$T, fade$T);
                let slope$T = delta_slope(raw$T, fade$T);
#endfor
#for T BATCH
#for I NV
                var part$I$T = 0.0;
#endfor
#for I RFULL
                var rank$I$T = 0.0;
#endfor
                var rest$T = 0.0;
                {
                    let v = select(C(0.0), C(now$T.v), now$T.live);
                    let gy = select(C(0.0), C(now$T.gy), now$T.live);
                    let d = decays(c, delta$T);
                    let input = delta$T * v;
                    var q_b = C(0.0);
                    var u_ab = C(0.0);
#for I NV
                    let b$I = rows[row$T + RV + $Iu];
                    let c$I = rows[row$T + RV + NV + $Iu];
#if TIED
                    let n$I = b$I * (vec4<f32>(1.0, 2.0, 3.0, 4.0) + 4.0 * $I.0);
#endif
#for J 4
                    let q$I$J = gy * c$I[$J] + u$I$J;
                    q_b += q$I$J * b$I[$J];
#if TIED
                    u_ab += u$I$J * n$I[$J];
#else
                    u_ab += (c.rate$I$J * u$I$J) * b$I[$J];
#endif
                    u$I$J = d.a$I$J * q$I$J;
#endfor
                    let t$I = vec4<f32>(
#for J 4
                        channel_dot(input, q$I$J),
#endfor
                    );
#if SUBGROUP
                    part$I$T = fold_vector(t$I);
#else
                    put_terms($Tu, RV + $Iu, local, t$I);
#endif
#endfor
#if TIED
                    u_ab *= c.rate;
#endif
                    z += select(C(0.0), now$T.e, now$T.live) - LN_2 * (input * u_ab);
#if TIED
                    g_rate += delta$T * z;
#endif
                    let g_raw = (v * q_b + z) * slope$T;
                    if (now$T.live) { gv[now$T.at] = narrow7(C(now$T.gv) + delta$T * q_b + skip * gy); }
                    g_bias += g_raw;
#for I RFULL
                    let r$I = rows[row$T + $Iu];
#for J 4
                    g_w$I$J += g_raw * r$I[$J];
#endfor
                    let o$I = vec4<f32>(
#for J 4
                        channel_dot(g_raw, c.w$I$J),
#endfor
                    );
#if SUBGROUP
                    rank$I$T = fold_vector(o$I);
#else
                    put_terms($Tu, $Iu, local, o$I);
#endif
#endfor
#if RLAST
                    let rest = rows[row$T + RFULL];
                    var o = vec4<f32>(0.0);
#for J RLAST
                    g_v$J += g_raw * rest[$J];
                    o[$J] = channel_dot(g_raw, c.v$J);
#endfor
#if SUBGROUP
                    rest$T = fold_vector(o);
#else
                    put_terms($Tu, RFULL, local, o);
#endif
#endif
                }
#endfor
#if SUBGROUP
#for I RFULL
                keep_parts(j, $Iu, local, fold_tokens(
#for T BATCH
                    rank$I$T,
#endfor
                ));
#endfor
#if RLAST
                keep_parts(j, RFULL, local, fold_tokens(
#for T BATCH
                    rest$T,
#endfor
                ));
#endif
#for I NV
                keep_parts(j, RV + $Iu, local, fold_tokens(
#for T BATCH
                    part$I$T,
#endfor
                ));
#endfor
#else
                sum_terms(j, RV + NV, !reverse, local);
#endif
            }
        }
        workgroupBarrier();
        write_sums(k, l, channel_block, offset, RV, R, !reverse, local);

        if (l.live) {
#for I RFULL
#for J 4
            put(row_at + channel * R + 4u * $Iu + $Ju, R, g_w$I$J);
#endfor
#endfor
#for J RLAST
            put(row_at + channel * R + 4u * RFULL + $Ju, R, g_v$J);
#endfor
            put(row_at + K * D * R + channel, 1u, g_bias);
#if TIED
            put(rate_at + channel, 1u, g_rate);
#endif
        }
