//! What guards the whole account. Off unless asked for, because other stacks share the account.

use std::collections::BTreeSet;

use engine::Stack;

use crate::account_public_access_block::AccountPublicAccessBlock;
use crate::analyzer::Analyzer;
use crate::bucket::PublicAccessBlock;
use crate::detector::Detector;

/// Which guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GuardsSpec {
    /// GuardDuty. An account has one detector per region: leave this off where somebody else runs it.
    pub guardduty: bool,
    /// IAM Access Analyzer for the account.
    pub access_analyzer: bool,
    /// No bucket of the account can be public. It stays when the stack goes.
    pub block_public_access: bool,
}

/// Declares `security/guardduty`, `security/access-analyzer` and `security/public-access-block`, as
/// far as they are wanted.
pub fn declare_guards(stack: &mut Stack, spec: &GuardsSpec) {
    if spec.guardduty {
        let publishing_frequency = "FIFTEEN_MINUTES".into();
        stack.add("security/guardduty", Detector { enabled: true, publishing_frequency });
    }
    if spec.access_analyzer {
        let name = stack.name().of("access-analyzer");
        let external_findings = BTreeSet::new();
        let analyzer = Analyzer { name, zone: "ACCOUNT".into(), external_findings };
        stack.add("security/access-analyzer", analyzer);
    }
    if spec.block_public_access {
        let block = AccountPublicAccessBlock { block: PublicAccessBlock::ALL };
        stack.add("security/public-access-block", block);
    }
}
