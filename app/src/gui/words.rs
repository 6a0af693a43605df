//! Numbers as people say them.

use std::time::Duration;

/// The geometric self-ensemble, as people call for it.
pub const EIGHT_TURNS: &str = "Mean of eight turns";
/// What it is and costs.
pub const EIGHT_TURNS_WHY: &str = "Restores every photo turned and mirrored all eight ways and takes the mean: a little better, eight times as long.";

/// `3.4 MB`.
pub fn bytes(n: u64) -> String {
    let n = n as f64;
    match n {
        n if n < 1e3 => format!("{n:.0} B"),
        n if n < 1e6 => format!("{:.0} kB", n / 1e3),
        n if n < 1e9 => format!("{:.1} MB", n / 1e6),
        n => format!("{:.1} GB", n / 1e9),
    }
}

/// `4000 × 3000`.
pub fn size([width, height]: [usize; 2]) -> String {
    format!("{width} × {height}")
}

/// A time still to go, no more exact than it can be known: `about 2 min left`.
pub fn time_left(left: Duration) -> String {
    let seconds = left.as_secs_f64();
    match seconds {
        s if s < 1.5 => "almost done".to_owned(),
        s if s < 10.0 => format!("{s:.0} s left"),
        s if s < 55.0 => format!("about {:.0} s left", (s / 5.0).ceil() * 5.0),
        s if s < 3300.0 => format!("about {:.0} min left", (s / 60.0).ceil()),
        s => {
            let minutes = (s / 60.0).ceil() as u64;
            format!("about {} h {} min left", minutes / 60, minutes % 60)
        }
    }
}

/// A time that was taken: `0.8 s`, `2 min 5 s`.
pub fn took(seconds: f64) -> String {
    match seconds {
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 60.0 => format!("{s:.0} s"),
        s => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

/// `1 photo`, `3 photos`.
pub fn count(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(7_200_000), "7.2 MB");
        assert_eq!(count(1, "photo") + &count(2, "photo"), "1 photo2 photos");
        let left = |s| time_left(Duration::from_secs_f64(s));
        assert_eq!(left(0.3), "almost done");
        assert_eq!(left(7.2), "7 s left");
        assert_eq!(left(31.0), "about 35 s left");
        assert_eq!(left(61.0), "about 2 min left");
        assert_eq!(left(4000.0), "about 1 h 7 min left");
        assert_eq!(took(0.84), "0.8 s");
        assert_eq!(took(125.0), "2 min 5 s");
    }
}
