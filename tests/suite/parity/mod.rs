//! Every op and whole networks: CPU reference against WGSL.

mod conv;
mod fused;
mod linear;
mod linear_coop;
mod loss;
mod norm;
mod pointwise;
mod rearrange;
mod scan;
