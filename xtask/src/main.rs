//! `cargo xtask`: see the library of the same name.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    xtask::main().await
}
