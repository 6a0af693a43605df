// t0 .. t8: the taps of the invocation's four channels of the slice from `column` on. They are
// 36 neighbouring numbers of w_conv, channel by channel.
        let taps_at = (column / 4u + thread % 4u) * 9u;
#for K 9
        let taps$K = w_conv[taps_at + $Ku];
#endfor
        let t0 = vec4<f32>(taps0.x, taps2.y, taps4.z, taps6.w);
        let t1 = vec4<f32>(taps0.y, taps2.z, taps4.w, taps7.x);
        let t2 = vec4<f32>(taps0.z, taps2.w, taps5.x, taps7.y);
        let t3 = vec4<f32>(taps0.w, taps3.x, taps5.y, taps7.z);
        let t4 = vec4<f32>(taps1.x, taps3.y, taps5.z, taps7.w);
        let t5 = vec4<f32>(taps1.y, taps3.z, taps5.w, taps8.x);
        let t6 = vec4<f32>(taps1.z, taps3.w, taps6.x, taps8.y);
        let t7 = vec4<f32>(taps1.w, taps4.x, taps6.y, taps8.z);
        let t8 = vec4<f32>(taps2.x, taps4.y, taps6.z, taps8.w);
