//! A configuration in one line, as cards and lists show it.

use std::fmt;

use super::{Ffn, NetworkConfig};

impl fmt::Display for NetworkConfig {
    /// Every switch that shapes the network: two lines are equal where the networks are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let depths: Vec<_> = self.depths.iter().map(ToString::to_string).collect();
        write!(
            f,
            "{} channels, depths {}, ",
            self.channels,
            depths.join(" ")
        )?;
        if self.patch > 1 {
            write!(f, "patches of {} × {}, ", self.patch, self.patch)?;
        }
        let directions = match self.directions {
            1 => "1 direction".to_owned(),
            k => format!("{k} directions"),
        };
        let alternating = if self.alternating {
            ", alternating"
        } else {
            ""
        };
        let decay = if self.tied_decay { "tied" } else { "free" };
        write!(
            f,
            "{} states, {directions}{alternating}, {decay} decays, expansion {}",
            self.states, self.expansion
        )?;
        f.write_str(match self.ffn {
            Ffn::Gated => "",
            Ffn::None => ", no feed-forward half",
            Ffn::ChannelAttention => ", channel attention",
        })?;
        if self.scale > 1 {
            write!(f, ", enlarging {} times", self.scale)?;
        }
        f.write_str(match self.noise_map {
            true => ", told the noise level",
            false => ", blind",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Preset;
    use super::*;

    #[test]
    fn networks_that_differ_read_differently() {
        let base = Preset::Base.config();
        assert_eq!(
            base.to_string(),
            "32 channels, depths 1 1 2 2, 8 states, 4 directions, free decays, expansion 2, blind"
        );
        let change = |change: fn(&mut NetworkConfig)| {
            let mut config = base.clone();
            change(&mut config);
            config.to_string()
        };
        let lines = [
            change(|c| c.channels = 48),
            change(|c| c.depths = vec![1, 2, 2, 3]),
            change(|c| c.patch = 2),
            change(|c| c.states = 4),
            change(|c| c.expansion = 1),
            change(|c| c.directions = 2),
            change(|c| c.ffn = Ffn::None),
            change(|c| c.ffn = Ffn::ChannelAttention),
            change(|c| c.tied_decay = true),
            change(|c| c.alternating = true),
            change(|c| c.scale = 4),
            change(|c| c.noise_map = true),
        ];
        for (i, line) in lines.iter().enumerate() {
            assert!(
                *line != base.to_string() && !lines[..i].contains(line),
                "{line}"
            );
        }
        let both = change(|c| (c.directions, c.alternating) = (2, true));
        assert!(both.contains("2 directions, alternating"), "{both}");
    }
}
