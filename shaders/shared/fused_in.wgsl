// hidden [ROWS, 16] = normal · w_columnsᵀ; needs `thread`.
// On tensor cores a subgroup makes IN_MATRICES of its rows, the last ones again at the end.
#if COOP
#for I IN_MATRICES
        let m$I = min(thread / 32u + THREADS / 32u * $Iu, ROWS / 16u - 1u) * 16u;
        var h$I = coop_mat16x16<f32, C>();
#endfor
#for K DEPTH
        let b$K = coopLoad<coop_mat16x16<f16, B>>(&w_columns[$Ku * 4u], LD_NORMAL);
#for I IN_MATRICES
        let a$I_$K = coopLoadT<coop_mat16x16<f16, A>>(&normal[m$I * LD_NORMAL + $Ku * 4u], LD_NORMAL);
        h$I = coopMultiplyAdd(a$I_$K, b$K, h$I);
#endfor
#endfor
#for I IN_MATRICES
        // With names, because naga 30 computes what is written in place after the write.
        let d$I = h$I;
        let to$I = m$I * LANES;
        coopStoreT(d$I, &hidden[to$I], LANES);
#endfor
#else
        for (var row = thread / 4u; row < ROWS; row += THREADS / 4u) {
            let at = 4u * (thread % 4u) * LD_NORMAL;
            var sum = vec4<f32>();
            for (var c = 0u; c < CHANNELS; c++) {
                let v = vec4<f32>(normal[row * LD_NORMAL + c]);
                sum += vec4<f32>(
#for J 4
                    dot(v, vec4<f32>(w_columns[at + $Ju * LD_NORMAL + c])),
#endfor
                );
            }
            set_hidden4(row, thread % 4u, sum);
        }
#endif
