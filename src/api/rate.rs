//! How often something may happen, as users write it: `10/s`, `600/m`.
//!
//! It says how often; nothing is counted here.

use std::{num::NonZeroU32, str::FromStr, time::Duration};

/// So many at once, and one more in each interval.
///
/// Over any time `t` that is no more than `burst + t / interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time in which one is earned.
    pub interval: Duration,
    /// How many can be saved up.
    pub burst: NonZeroU32,
}

/// Why a text is not a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a number from 1 to {most} and `/s`, `/m` or `/h`, such as `600/m`: so many at once, and again so many in each second, minute or hour",
    most = Rate::MOST
)]
pub struct InvalidRate;

impl Rate {
    /// How often the deliveries of one Receiver trigger targets unless somebody says otherwise, `1200/m`: more at once
    /// than most Receivers have, and then 20 a second, less than half of the API budget that there is by default.
    pub const OF_RECEIVERS: Self = Self {
        interval: Duration::from_millis(50),
        burst: NonZeroU32::new(1200).unwrap(),
    };

    /// The largest number that can stand before the slash.
    pub const MOST: u32 = 1_000_000;
}

impl FromStr for Rate {
    type Err = InvalidRate;

    /// Reads `600/m`: 600 at once, and one more every tenth of a second.
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (count, unit) = text.split_once('/').ok_or(InvalidRate)?;
        let unit = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            _ => return Err(InvalidRate),
        };
        // A sign would be read as part of the number.
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count.parse::<NonZeroU32>().ok();
        let burst = count.filter(|count| digits && count.get() <= Self::MOST);
        let burst = burst.ok_or(InvalidRate)?;
        Ok(Self {
            interval: unit / burst.get(),
            burst,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_unit() {
        for (text, millis, burst) in [
            ("10/s", 100, 10),
            ("600/m", 100, 600),
            ("1/m", 60_000, 1),
            ("1/h", 3_600_000, 1),
            ("0010/s", 100, 10),
        ] {
            let rate: Rate = text.parse().unwrap();
            let interval = Duration::from_millis(millis);
            assert_eq!(
                (rate.interval, rate.burst.get()),
                (interval, burst),
                "{text}"
            );
        }
        let most = format!("{}/s", Rate::MOST);
        assert_eq!(
            most.parse::<Rate>().unwrap().interval,
            Duration::from_micros(1)
        );
    }

    #[test]
    fn anything_else_is_told_how_to_write_one() {
        for text in [
            "",
            "/",
            "10",
            "10/",
            "/s",
            "0/s",
            "-1/s",
            "+1/s",
            "1.5/s",
            "10/d",
            "10/ s",
            " 10/s",
            "10/s ",
            "1000001/s",
            "99999999999/s",
            "10/s/s",
            "٣/s",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text:?}");
        }
        assert!(InvalidRate.to_string().contains("such as `600/m`"));
    }
}
