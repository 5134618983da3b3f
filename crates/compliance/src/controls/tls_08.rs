//! FERPA-TLS-08: CloudFront and OpenSearch enforce HTTPS.

use std::collections::BTreeSet;

use account::{Distribution, SearchDomain};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-TLS-08",
    title: "CloudFront and OpenSearch enforce HTTPS",
    statement: "Every CloudFront distribution speaks only HTTPS, TLS 1.2 or later, to viewers and to origins; every OpenSearch domain requires HTTPS with TLS 1.2 or later, and TLS between its nodes.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.8"],
    why: "What goes over the wire in plain, or under a broken version of TLS, is read by whoever sits on the wire.",
    reads: &[&[
        "cloudfront.distribution.enabled",
        "cloudfront.distribution.viewer_protocol_policies",
        "cloudfront.distribution.minimum_tls_version",
        "cloudfront.distribution.origin_protocol_policies",
        "cloudfront.distribution.origin_tls_versions",
        "opensearch.domain.enforce_https",
        "opensearch.domain.tls_policy",
        "opensearch.domain.node_to_node_encryption",
    ]],
    remedy: Remedy {
        stack: "the stack has no distributions and no search domains; mend or remove those beside it",
        api: "cloudfront:UpdateDistribution with ViewerProtocolPolicy https-only, MinimumProtocolVersion TLSv1.2_2021 (which needs a certificate of one's own) and OriginProtocolPolicy https-only with OriginSslProtocols TLSv1.2; es:UpdateDomainConfig with DomainEndpointOptions (EnforceHTTPS, TLSSecurityPolicy) and NodeToNodeEncryptionOptions",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let distributions = facts.each::<Distribution>(|distribution| {
        let spec = distribution.read(&[
            "enabled",
            "viewer_protocol_policies",
            "minimum_tls_version",
            "origin_protocol_policies",
            "origin_tls_versions",
        ])?;
        if !spec.enabled {
            return Ok(Verdict::not_applicable("the distribution is switched off")
                .with(LIST, "Enabled", false));
        }
        let mut faults = Vec::new();
        let viewers = &spec.viewer_protocol_policies;
        let plain = |policy: &str| !matches!(policy, "https-only" | "redirect-to-https");
        for (path, policy) in viewers.iter().filter(|(_, policy)| plain(policy)) {
            faults.push(format!("viewers may use plain HTTP for {path} ({policy})"));
        }
        let tls = spec.minimum_tls_version.as_deref();
        if !tls.is_some_and(is_current) {
            let version = tls.unwrap_or("no least version of TLS");
            faults.push(format!("viewers may speak less than TLS 1.2 ({version})"));
        }
        let mut unread = None;
        for (origin, policy) in &spec.origin_protocol_policies {
            // As the viewer speaks: in plain only if a viewer may.
            if policy == "http-only" {
                faults.push(format!("the origin {origin} is spoken to in plain HTTP"));
                continue;
            }
            let Some(versions) = spec.origin_tls_versions.get(origin) else { continue };
            let old = versions.iter().filter(|version| !is_current(version));
            let old: Vec<&str> = old.map(String::as_str).collect();
            if versions.is_empty() {
                let what = format!("the versions of TLS that the origin {origin} is spoken to with");
                unread = Some(Unread { what, error: None });
            } else if !old.is_empty() {
                faults.push(format!("the origin {origin} may be spoken to with {}", old.join(", ")));
            }
        }
        if viewers.is_empty() {
            faults.push("no behaviour says what viewers may speak".into());
        }
        if let Some(unread) = unread.filter(|_| faults.is_empty()) {
            return Err(unread);
        }
        let versions: BTreeSet<String> = spec.origin_tls_versions.values().flatten().cloned().collect();
        Ok(Verdict::of(faults.is_empty(), "it speaks only HTTPS with TLS 1.2 or later", faults.join("; "))
            .with(LIST, "ViewerProtocolPolicy", texts(viewers.values()))
            .with(LIST, "MinimumProtocolVersion", tls)
            .with(LIST, "OriginProtocolPolicy", texts(spec.origin_protocol_policies.values()))
            .with(LIST, "OriginSslProtocols", texts(versions.iter())))
    });
    let domains = facts.each::<SearchDomain>(|domain| {
        let spec = domain.read(&["enforce_https", "tls_policy", "node_to_node_encryption"])?;
        let tls = spec.tls_policy.as_deref();
        let mut faults = Vec::new();
        if !spec.enforce_https {
            faults.push("it answers over plain HTTP");
        }
        if !tls.is_some_and(|policy| policy.starts_with("Policy-Min-TLS-1-2-") || policy.starts_with("Policy-Min-TLS-1-3-")) {
            faults.push("it speaks versions of TLS before 1.2");
        }
        if !spec.node_to_node_encryption {
            faults.push("its nodes speak to each other in plain");
        }
        let call = "es:DescribeDomains";
        Ok(Verdict::of(faults.is_empty(), "it requires HTTPS with TLS 1.2 or later", faults.join("; "))
            .with(call, "EnforceHTTPS", spec.enforce_https)
            .with(call, "TLSSecurityPolicy", tls)
            .with(call, "NodeToNodeEncryptionOptions.Enabled", spec.node_to_node_encryption))
    });
    distributions.into_iter().chain(domains).collect()
}

const LIST: &str = "cloudfront:ListDistributions";

fn is_current(version: &str) -> bool {
    version.starts_with("TLSv1.2") || version.starts_with("TLSv1.3")
}

fn texts<'a>(all: impl Iterator<Item = &'a String>) -> Vec<String> {
    all.cloned().collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_opensearch::types::{
        DomainEndpointOptions, NodeToNodeEncryptionOptions, TlsSecurityPolicy,
    };
    use aws_smithy_mocks::Rule;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{beside, denied, judged};

    async fn of(kind: &str, rules: &[Rule]) -> (Status, String) {
        let found = judged(&CONTROL, rules).await;
        let one = found.into_iter().find(|one| one.resource.kind == kind).unwrap();
        (one.status, one.message)
    }

    #[tokio::test]
    async fn a_distribution_speaks_https_on_both_sides() {
        let kind = "cloudfront.distribution";
        for viewer in ["https-only", "redirect-to-https"] {
            let good = beside::distribution(viewer, "TLSv1.2_2021", "match-viewer", &["TLSv1.2"]);
            assert_eq!(of(kind, &good).await.0, Status::Pass, "{viewer}");
        }
        let current: &[&str] = &["TLSv1.2"];
        for (viewer, tls, origin, versions, why) in [
            ("allow-all", "TLSv1.2_2021", "https-only", current, "plain HTTP for *"),
            ("https-only", "TLSv1", "https-only", current, "less than TLS 1.2 (TLSv1)"),
            ("https-only", "TLSv1.2_2021", "http-only", current, "the origin alb"),
            (
                "https-only",
                "TLSv1.2_2021",
                "https-only",
                &["SSLv3", "TLSv1.2"],
                "the origin alb may be spoken to with SSLv3",
            ),
        ] {
            let rules = beside::distribution(viewer, tls, origin, versions);
            let (status, message) = of(kind, &rules).await;
            assert_eq!(status, Status::Fail);
            assert!(message.contains(why), "{message}");
        }
        let silent = beside::distribution("https-only", "TLSv1.2_2021", "https-only", &[]);
        assert_eq!(of(kind, &silent).await.0, Status::Unknown);
    }

    #[tokio::test]
    async fn a_domain_requires_https() {
        let kind = "opensearch.domain";
        let good = beside::domain(|it| {
            let endpoint = DomainEndpointOptions::builder()
                .enforce_https(true)
                .tls_security_policy(TlsSecurityPolicy::PolicyMinTls12Pfs202310);
            let nodes = NodeToNodeEncryptionOptions::builder().enabled(true).build();
            it.domain_endpoint_options(endpoint.build()).node_to_node_encryption_options(nodes)
        });
        assert_eq!(of(kind, &good).await.0, Status::Pass);
        let (status, message) = of(kind, &beside::domain(|it| it)).await;
        assert_eq!((status, message.matches(';').count()), (Status::Fail, 2), "{message}");
    }

    #[tokio::test]
    async fn what_cannot_be_listed_is_unknown() {
        let denied = denied!(aws_sdk_cloudfront, list_distributions, ListDistributionsError);
        assert_eq!(of("cloudfront.distribution", &[denied]).await.0, Status::Unknown);
    }
}
