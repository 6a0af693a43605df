//! Backward ops against finite differences in 64-bit.
