// Depthwise 3×3 convolution of `hidden`: c0 .. of the invocation's two channels in the
// RUN pixels from (left, top) of the tile downwards. Needs their taps, t0 ..
        let part = thread % LANES;
        let left = thread / LANES % TILE_WIDTH;
        let top = thread / LANES / TILE_WIDTH * RUN;
        let corner = (top * ROW + left) * LANES + part;
#for X 3
        var above$X = hidden[corner + $Xu * LANES];
        var level$X = hidden[corner + (ROW + $Xu) * LANES];
#endfor
#for R RUN
#for X 3
        let below$R_$X = hidden[corner + (($Ru + 2u) * ROW + $Xu) * LANES];
#endfor
        let c$R = t0 * above0 + t1 * above1 + t2 * above2
            + t3 * level0 + t4 * level1 + t5 * level2
            + t6 * below$R_0 + t7 * below$R_1 + t8 * below$R_2;
#for X 3
        above$X = level$X;
        level$X = below$R_$X;
#endfor
#endfor
