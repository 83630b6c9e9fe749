//! Random names and tokens.

use anyhow::{Result, anyhow};

/// `bytes` random bytes of the operating system, as lower-case hex: two digits a byte.
pub fn random_hex(bytes: usize) -> Result<String> {
    let mut buffer = vec![0_u8; bytes];
    getrandom::fill(&mut buffer).map_err(|error| anyhow!("read random bytes: {error}"))?;
    Ok(data_encoding::HEXLOWER.encode(&buffer))
}
