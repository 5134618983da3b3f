//! Reading a secret at the moment it is used.

use aws_sdk_secretsmanager::types::error as _;
use engine::{Aws, Error, Result, client};
use secrecy::{SecretString, zeroize::Zeroize};
use serde_json::Value;
