// The finished sums of a tile at row m0 on their way out of matmul_coop, 16 rows of every share at a
// time: through workgroup memory, then with their epilogue to global memory.
// What is written has a name, because naga 30 computes what is written in place after the write.
#for I TM
#for J TN
        let d$I$J = c$I$J;
        let at$I$J = c0 + $Ju * 4u;
        coopStoreT(d$I$J, &c_tile[at$I$J], LDC);
        c$I$J = coop_mat16x16<f32, C>();
#endfor
        workgroupBarrier();
#for E STORES
        let place$I$E = place($Eu, thread, SG_M * 16u, BN / 4u / AT_ONCE);
        let r$I$E = place$I$E.x;
        let q$I$E = place$I$E.y * AT_ONCE;
        let row$I$E = m0 + (r$I$E / 16u * TM + $Iu) * 16u + r$I$E % 16u;
        let from$I$E = (r$I$E / 16u * SG_N + q$I$E / (4u * TN)) * C_SIZE + r$I$E % 16u * LDC + q$I$E % (4u * TN);
#if EIGHTS
        // Every second invocation takes the second four first: no bank twice.
        let v$I$E = c_tile[from$I$E + thread % 2u];
        let u$I$E = c_tile[from$I$E + 1u - thread % 2u];
        let w$I$E = finished(row$I$E, n0 / 4u + q$I$E, select(v$I$E, u$I$E, odd));
        let x$I$E = finished(row$I$E, n0 / 4u + q$I$E + 1u, select(u$I$E, v$I$E, odd));
#else
        var v$I$E = vec4<f32>();
#for K SG_K
        v$I$E += c_tile[from$I$E + $Ku * SHARES * C_SIZE];
#endfor
#if VECTOR_C
        let w$I$E = finished(row$I$E, n0 / 4u + q$I$E, v$I$E);
#endif
#endif
#endfor
#for E STORES
#if VECTOR_C
#if WHOLE
        {
#else
        if row$I$E < params.m && n0 + 4u * q$I$E < params.n {
#endif
            let to$I$E = (slab * params.m + row$I$E) * row_words() + n0 / 4u + q$I$E;
#if EIGHTS
            c[to$I$E / 2u] = vec4<u32>(packed(w$I$E), packed(x$I$E));
#else
            c[to$I$E] = WordC(w$I$E);
#endif
        }
#else
        store(slab, row$I$E, n0 + 4u * q$I$E, v$I$E);
#endif
#endfor
        workgroupBarrier();
#endfor
