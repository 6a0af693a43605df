//! Memory for whole pictures. It is new for every picture, and the system makes room for it page by
//! page as it is first touched, which for pages of 4 KiB takes longer than what is written into them.

/// So many zeros, on Linux in pages of 2 MiB where the system has them for those who ask.
pub(super) fn zeros(len: usize) -> Vec<f32> {
    let mut new = vec![0.0; len];
    ask_for_large(&mut new);
    new
}

/// Makes `vec` so long; what was in it is not kept where it has to move.
pub(super) fn resize(vec: &mut Vec<f32>, len: usize) {
    match len <= vec.capacity() {
        true => vec.resize(len, 0.0),
        false => *vec = zeros(len),
    }
}

#[cfg(target_os = "linux")]
fn ask_for_large(memory: &mut [f32]) {
    use rustix::mm::{Advice, madvise};

    const LARGE: usize = 2 << 20;
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(memory);
    let skipped = bytes.as_ptr().align_offset(LARGE);
    let Some(whole) = bytes.get_mut(skipped..) else {
        return;
    };
    let len = whole.len() / LARGE * LARGE;
    if len > 0 {
        // SAFETY: the range is ours alone, and its bytes stay what they are. What the system answers
        // changes nothing but the time.
        let _ = unsafe { madvise(whole.as_mut_ptr().cast(), len, Advice::LinuxHugepage) };
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large(_: &mut [f32]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_is_zero_and_can_be_written() {
        for len in [0, 1, 524_287, 524_289, 3_000_000] {
            let mut new = zeros(len);
            assert!(new.len() == len && new.iter().all(|&v| v == 0.0), "{len}");
            new.fill(1.0);
            assert!(new.iter().all(|&v| v == 1.0), "{len}");
        }
    }

    #[test]
    fn memory_that_is_there_is_used_again() {
        let mut vec = zeros(1000);
        let first = vec.as_ptr();
        resize(&mut vec, 10);
        resize(&mut vec, 1000);
        assert!(vec.len() == 1000 && vec.as_ptr() == first);
        resize(&mut vec, 2_000_000);
        assert_eq!(vec.len(), 2_000_000);
    }
}
