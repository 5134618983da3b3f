//! The full stack, as the command line deploys it.

use engine::{Stack, StackName};
use xtask::config::Config;
use xtask::stack::{FullStack, Site};

use crate::world::Goal;

/// The configuration of a first deploy: the defaults.
pub fn first() -> Config {
    Config::default()
}

/// Changes in place in every layer, and replacements.
pub fn second() -> Config {
    let mut config = first();
    config.service.port = 8081;
    config.security.key_rotation_days = 180;
    config.logs.retention_days = 400;
    config.api.throttling_burst = 300;
    config.api.waf_rate_limit = 1000;
    config.tags.insert("Owner".into(), "Records".into());
    config
}

/// The stack. Simulated as AWS, except that the certificate is self-signed: nobody can ask for a real one here.
pub fn stack(config: &Config) -> Stack {
    let site = Site {
        account_id: local::ACCOUNT_ID.into(),
        region: "us-east-1".into(),
        zones: vec!["us-east-1a".into(), "us-east-1b".into()],
        is_real: false,
    };
    let (stack, faults) = FullStack::declare(config, &site);
    assert!(faults.is_empty(), "the configuration is good");
    stack.graph
}

/// The goal of deploying it.
pub fn up(config: &Config) -> Goal {
    Goal::Up(Box::new(stack(config)))
}

/// The goal of destroying it, data included.
pub fn down() -> Goal {
    let Config { project, environment, .. } = first();
    Goal::Down(StackName::new(project, environment))
}
