//! A signature tells which texts can't contain a word, without their being unpacked.
//!
//! It is a Bloom filter with one hash over the text's trigrams of octets (in the form that is compared, so case and
//! accents are out of the way). A text can contain a word only if it has all the word's trigrams; a word of eight letters
//! has six, so with a third of the bits set one text in a thousand is looked at in vain. Its size is a power of two, as
//! small as leaves about a third of the bits set: some 1 KiB for a message of 8 KiB.
//!
//! Rejected: whole words (RFC 9051 wants substrings), a full-text index of trigrams (its upkeep costs more than storing
//! the message), several hashes (the trigrams of a word are its hashes), bit slices over many messages (copies and moves
//! would have to take their bits along, and reading a row per message is fast enough).

/// The smallest and the largest signature in bits.
const BITS_MIN: usize = 1 << 9;
const BITS_MAX: usize = 1 << 18;
/// Signatures are halved as long as no more than this share of their bits is set, in hundredths.
const FILL_MAX: usize = 36;

/// A number for three octets, of which the low bits are used.
fn hash(trigram: u32) -> u32 {
    // Multiplying mixes upwards, so the low bits are taken from further up.
    trigram.wrapping_mul(0x9E37_79B1) >> 13
}

fn trigram(octets: &[u8]) -> u32 {
    u32::from(octets[0]) | u32::from(octets[1]) << 8 | u32::from(octets[2]) << 16
}

/// The signature of a text.
pub(crate) fn signature(text: &[u8]) -> Vec<u8> {
    // Twice as many bits as trigrams leave three fifths unset if all differ; mostly they repeat.
    let bits = (text.len() * 2).next_power_of_two().clamp(BITS_MIN, BITS_MAX);
    let mask = bits as u32 - 1;
    let mut words = vec![0_u64; bits / 64];
    for window in text.windows(3) {
        let bit = hash(trigram(window)) & mask;
        words[(bit >> 6) as usize] |= 1 << (bit & 63);
    }
    while words.len() * 64 > BITS_MIN {
        let (low, high) = words.split_at(words.len() / 2);
        let folded: Vec<u64> = low.iter().zip(high).map(|(low, high)| low | high).collect();
        let set: usize = folded.iter().map(|word| word.count_ones() as usize).sum();
        if set * 100 > folded.len() * 64 * FILL_MAX {
            break;
        }
        words = folded;
    }
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// What a text must have to contain a word.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    hashes: Vec<u32>,
}

impl Probe {
    /// Of a word in the form that is compared. Words of less than three octets are nowhere ruled out.
    pub(super) fn of(word: &str) -> Self {
        let mut hashes: Vec<u32> = word.as_bytes().windows(3).map(|window| hash(trigram(window))).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self { hashes }
    }

    /// Whether the text with this signature may contain the word. `false` is certain.
    pub(super) fn may_match(&self, signature: &[u8]) -> bool {
        let bits = signature.len() * 8;
        if !bits.is_power_of_two() || bits < BITS_MIN {
            // Not made by us: it rules nothing out.
            return true;
        }
        let mask = bits as u32 - 1;
        self.hashes.iter().all(|hash| {
            let bit = hash & mask;
            signature[(bit >> 3) as usize] & 1 << (bit & 7) != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_follow_the_text() {
        let check = |text: &str, expected: usize| assert_eq!(signature(text.as_bytes()).len(), expected, "{text:.20}");
        check("", BITS_MIN / 8);
        check("ab", BITS_MIN / 8);
        check(&"the same words again ".repeat(1000), BITS_MIN / 8);
        check(&"x".repeat(1_000_000), BITS_MIN / 8);
        let varied: String = (0..3000_u32).map(|n| format!("{:x} ", n.wrapping_mul(2_654_435_761))).collect();
        assert!(signature(varied.as_bytes()).len() >= 1024);
    }

    #[test]
    fn absent_words_are_mostly_ruled_out() {
        let text: String = (0..1000_u32).map(|n| format!("word{} ", n.wrapping_mul(2_654_435_761) % 9973)).collect();
        let signature = signature(text.as_bytes());
        let words = (0..1000_u32).map(|n| format!("absent{:x}", n.wrapping_mul(40_503)));
        let passed = words.filter(|word| Probe::of(word).may_match(&signature)).count();
        assert!(passed < 20, "{passed} of 1000");
        assert!(Probe::of("ab").may_match(&signature));
        assert!(Probe::of("anything").may_match(&[]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_there_is_never_ruled_out(text in "[a-f ÄÖ\n]{0,400}", from in 0..400_usize, length in 0..12_usize) {
            let signature = signature(text.as_bytes());
            let word: String = text.chars().skip(from).take(length).collect();
            prop_assert!(Probe::of(&word).may_match(&signature));
        }
    }
}
