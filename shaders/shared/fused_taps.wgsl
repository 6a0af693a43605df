// t0 .. t8: the taps of the invocation's two channels of the slice from `column` on. They are
// 18 neighbouring numbers of w_conv, channel by channel.
        let taps_at = (column / PART + thread % LANES) * 9u;
#for K 9
        let taps$K = w_conv[taps_at + $Ku];
#endfor
        let t0 = vec2<f32>(taps0.x, taps4.y);
        let t1 = vec2<f32>(taps0.y, taps5.x);
        let t2 = vec2<f32>(taps1.x, taps5.y);
        let t3 = vec2<f32>(taps1.y, taps6.x);
        let t4 = vec2<f32>(taps2.x, taps6.y);
        let t5 = vec2<f32>(taps2.y, taps7.x);
        let t6 = vec2<f32>(taps3.x, taps7.y);
        let t7 = vec2<f32>(taps3.y, taps8.x);
        let t8 = vec2<f32>(taps4.x, taps8.y);
