//! How one value is read out of TOML, and how its default is shown in the example.

use crate::telemetry::Secret;
use crate::types::{Domain, HostPort, ListenAddress, Network, Networks};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use toml::Spanned;
use toml::de::DeValue;

/// A type that a key may have.
pub(super) trait Value: Sized {
    const SECRET: bool = false;
    /// On failure: what would have been allowed.
    fn read(value: &DeValue<'_>) -> Result<Self, String>;
    /// As TOML.
    fn show(&self) -> String;
    /// Values of the type at its ends: what a key's check says of them is more than what the type can say.
    fn ends() -> Vec<Self> {
        Vec::new()
    }
}

impl Value for bool {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| "true or false".to_owned())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! number {
    ($($type:ty)+) => {$(
        impl Value for $type {
            fn read(value: &DeValue<'_>) -> Result<Self, String> {
                value
                    .as_integer()
                    .and_then(|digits| Self::from_str_radix(digits.as_str(), digits.radix()).ok())
                    .ok_or_else(|| format!("a whole number from 0 to {}", Self::MAX))
            }
            fn show(&self) -> String {
                self.to_string()
            }
            fn ends() -> Vec<Self> {
                vec![Self::MIN, Self::MAX]
            }
        }
    )+};
}
number!(u16 u32 u64 usize);

impl Value for String {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value.as_str() {
            // Nothing we configure spans lines, and control characters would end up in replies and logs.
            Some(text) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
            _ => Err("a text in quotes, without control characters".to_owned()),
        }
    }
    fn show(&self) -> String {
        quote(self)
    }
}

impl Value for Secret<String> {
    const SECRET: bool = true;
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        String::read(value).map(Self::new)
    }
    fn show(&self) -> String {
        // Only the default is ever shown, and that is empty.
        quote("")
    }
}

impl Value for PathBuf {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_str().and_then(<Self as Item>::parse).ok_or_else(|| <Self as Item>::ALLOWED.to_owned())
    }
    fn show(&self) -> String {
        quote(&self.print())
    }
}

/// The empty text stands for "none": TOML has no null, and an absent key means the default.
impl<T: Item> Value for Option<T> {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value.as_str() {
            Some("") => Ok(None),
            Some(text) => T::parse(text).map(Some).ok_or_else(|| format!("{}, or \"\" for none", T::ALLOWED)),
            None => Err(format!("{}, or \"\" for none", T::ALLOWED)),
        }
    }
    fn show(&self) -> String {
        quote(&self.as_ref().map(Item::print).unwrap_or_default())
    }
}

impl<T: Item> Value for Vec<T> {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let allowed = || format!("a list in brackets, each {}", T::ALLOWED);
        let items = value.as_array().ok_or_else(allowed)?;
        items.iter().map(|item| item.get_ref().as_str().and_then(T::parse).ok_or_else(allowed)).collect()
    }
    fn show(&self) -> String {
        let items: Vec<String> = self.iter().map(|item| quote(&item.print())).collect();
        format!("[{}]", items.join(", "))
    }
}

impl Value for Networks {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        Vec::<Network>::read(value).map(Self)
    }
    fn show(&self) -> String {
        self.0.show()
    }
}

/// A type written as one text, alone or in a list.
pub(super) trait Item: Sized {
    const ALLOWED: &str;
    fn parse(text: &str) -> Option<Self>;
    fn print(&self) -> String;
}

impl Item for Domain {
    const ALLOWED: &str = "a host name such as \"mail.example.org\"";
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok().filter(|name| !name.is_literal())
    }
    fn print(&self) -> String {
        self.to_string()
    }
}

impl Item for PathBuf {
    const ALLOWED: &str = "a path in quotes, absolute or relative to this file";
    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }
    fn print(&self) -> String {
        self.to_string_lossy().into_owned()
    }
}

impl Item for HostPort {
    const ALLOWED: &str = "a host with or without a port from 1 to 65535, such as \"relay.example.org:587\"";
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
    fn print(&self) -> String {
        self.to_string()
    }
}

impl Item for ListenAddress {
    const ALLOWED: &str =
        "an address with a port or a socket's path: \"[::]:25\", \"127.0.0.1:24\", \"unix:lmtp.sock\"";
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
    fn print(&self) -> String {
        self.to_string()
    }
}

impl Item for Network {
    const ALLOWED: &str = "a network such as \"192.0.2.0/24\", \"2001:db8::/32\" or \"127.0.0.1\"";
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
    fn print(&self) -> String {
        self.to_string()
    }
}

/// The default port is DNS's.
impl Item for SocketAddr {
    const ALLOWED: &str = "a DNS server's IP address with or without a port: \"192.0.2.53\", \"[::1]:5353\"";
    fn parse(text: &str) -> Option<Self> {
        let with_port = text.parse().ok().filter(|address: &Self| address.port() != 0);
        with_port.or_else(|| text.parse::<IpAddr>().ok().map(|ip| Self::new(ip, 53)))
    }
    fn print(&self) -> String {
        self.to_string()
    }
}

/// A choice of few words: the table of words is the type's only description.
pub(super) trait Choice: Sized + Copy + PartialEq + 'static {
    const WORDS: &[(&'static str, Self)];
}

impl<T: Choice> Value for T {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let found = value.as_str().and_then(|text| T::WORDS.iter().find(|(word, _)| *word == text));
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<String> = T::WORDS.iter().map(|(word, _)| quote(word)).collect();
            words.join(" or ")
        })
    }
    fn show(&self) -> String {
        quote(T::WORDS.iter().find(|(_, other)| other == self).map_or("", |(word, _)| word))
    }
}

/// What was found, cut short: an administrator wants to recognise it, not to read it again.
pub(super) fn shown(value: &Spanned<DeValue<'_>>, source: &str) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 60;
    let text = source.get(value.span()).unwrap_or("this value");
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(SHOWN_CHARACTERS_MAX).collect();
    if short.len() == text.len() { short } else { format!("{short}…") }
}

/// A TOML basic string. Defaults hold nothing that needs an escape but these two.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
