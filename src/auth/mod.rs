//! Layer 2: credentials to Authenticated, its only maker.
#![allow(dead_code)] // until the service that joins the parts is here

mod app_password;
mod authenticated;
mod channel_binding;
mod client;
mod hasher;
mod password;
mod recent;
mod sasl;
mod scram;
mod throttle;
mod verified;

pub use app_password::LabelError;
pub use authenticated::Authenticated;
pub use channel_binding::{ChannelBinding, TLS_EXPORTER_LABEL, TLS_EXPORTER_OCTETS};
pub use client::{Client, ClientError};
pub use hasher::{HashError, HashSettings, Hasher};
pub use password::{Password, PasswordError};
pub use sasl::{FinalData, Mechanism, Plaintext, SaslError, Security, decode, encode, offered};
pub use scram::server::ScramError;
pub use scram::{KEY_OCTETS, KeyPair, ScramKeys};
