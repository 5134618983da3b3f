//! FERPA-TLS-07: certificates in use are good, and stay so.

use std::collections::BTreeSet;

use compute::{Certificate, Listener};
use engine::{Inspected, Live};
use jiff::{SignedDuration, Timestamp};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-TLS-07",
    title: "Certificates in use are issued and do not expire soon",
    statement: "Every certificate that is in use is issued, and is good for longer than the configured number of days.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.8"],
    why: "An expired certificate cuts students off from their records, or teaches clients to accept any certificate.",
    reads: &[&[
        "acm.certificate.status",
        "acm.certificate.not_after",
        "acm.certificate.in_use",
        "elbv2.listener.certificate",
    ]],
    remedy: Remedy {
        stack: "`deploy` renews the self-signed certificate; for your own, `certificate.arn`",
        api: "acm:RequestCertificate with DNS validation, or acm:ImportCertificate with the same CertificateArn",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let (listeners, unread) = facts.listed::<Listener>();
    let mut judgements = Vec::new();
    judgements.extend(unread.map(|unread| facts.whole(Listener::KIND, Err(unread))));
    let own = |live: &&Live<Listener>| facts.is_subject(Listener::KIND, &live.id);
    let listeners: Vec<&Live<Listener>> = listeners.iter().filter(own).collect();
    let shown = |live: &Live<Listener>| live.spec.certificate.as_ref().map(ToString::to_string);
    let named: BTreeSet<String> = listeners.iter().copied().filter_map(shown).collect();
    let (certificates, unread) = facts.listed::<Certificate>();
    let own = |live: &Live<Certificate>| facts.is_subject(Certificate::KIND, &live.id);
    let is_named = |live: &Live<Certificate>| {
        named.contains(&live.id) || live.arn.as_ref().is_some_and(|arn| named.contains(arn))
    };
    let used = certificates.iter().filter(|live| is_named(live) || (live.spec.in_use && own(live)));
    judgements.extend(used.map(Seen::of).map(|seen| facts.about(&seen, verdict(facts, &seen))));
    judgements.extend(unread.map(|unread| facts.whole(Certificate::KIND, Err(unread))));
    judgements.extend(listeners.iter().filter_map(|live| {
        let name = shown(live)?;
        let missing = match facts.find::<Certificate>(&name) {
            Ok(None) => missing(&name),
            // Judged above, or said there to be unknown.
            _ => return None,
        };
        Some(facts.about(&Seen::of(live), missing))
    }));
    judgements
}

fn verdict(facts: &Facts<'_>, certificate: &Seen<'_, Certificate>) -> Result<Verdict, Unread> {
    let spec = certificate.read(&["status", "not_after"])?;
    let floor = facts.settings().floors.certificate_days;
    let end = spec.not_after.as_deref().map(|text| (text, text.parse::<Timestamp>()));
    let soon = facts.now() + SignedDuration::from_hours(24 * i64::from(floor));
    let verdict = match end {
        _ if spec.status != "ISSUED" => Verdict::fail(format!("its status is {}", spec.status)),
        // Before it is made.
        None => Verdict::pass("it is issued"),
        Some((text, Ok(end))) if end <= facts.now() => Verdict::fail(format!("it expired on {text}")),
        Some((text, Ok(end))) if end <= soon => {
            Verdict::fail(format!("it expires on {text}, within {floor} days"))
        }
        Some((text, Ok(_))) => Verdict::pass(format!("it is issued, and good until {text}")),
        Some((text, Err(_))) => {
            let what = format!("the day on which {} expires ({text})", certificate.live().id);
            return Err(Unread { what, error: None });
        }
    };
    let call = "acm:ListCertificates";
    Ok(verdict.with(call, "Status", spec.status.clone()).with(
        call,
        "NotAfter",
        spec.not_after.clone(),
    ))
}

/// A listener's certificate that ACM does not list here.
fn missing(name: &str) -> Result<Verdict, Unread> {
    if name.contains(":server-certificate/") {
        return Err(Unread { what: format!("{name}, which is kept in IAM,"), error: None });
    }
    let bad = Verdict::fail(format!("its certificate {name} does not exist"));
    Ok(bad.with("elasticloadbalancing:DescribeListeners", "CertificateArn", name))
}

#[cfg(test)]
mod tests {
    use aws_sdk_acm::operation::list_certificates::ListCertificatesOutput;
    use aws_sdk_acm::operation::list_tags_for_certificate::ListTagsForCertificateOutput;
    use aws_sdk_acm::types::builders::CertificateSummaryBuilder;
    use aws_sdk_acm::types::{CertificateStatus, CertificateSummary};
    use aws_sdk_elasticloadbalancingv2::operation::describe_listeners::DescribeListenersOutput;
    use aws_sdk_elasticloadbalancingv2::types::{
        Action, ActionTypeEnum, Certificate, Listener, ProtocolEnum,
    };
    use aws_smithy_mocks::{Rule, mock};
    use aws_smithy_types::DateTime;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{BALANCER, NOW, balancer, denied, judged, only};

    const CERTIFICATE: &str = "arn:aws:acm:us-east-1:123456789012:certificate/1";

    fn certificate(
        days: i64,
        change: fn(CertificateSummaryBuilder) -> CertificateSummaryBuilder,
    ) -> Vec<Rule> {
        let end = NOW.as_second() + days * 24 * 60 * 60;
        let listed = mock!(aws_sdk_acm::Client::list_certificates).then_output(move || {
            let one = CertificateSummary::builder()
                .certificate_arn(CERTIFICATE)
                .domain_name("records.example.edu")
                .status(CertificateStatus::Issued)
                .not_after(DateTime::from_secs(end))
                .in_use(true);
            let list = ListCertificatesOutput::builder();
            list.certificate_summary_list(change(one).build()).build()
        });
        let tags = mock!(aws_sdk_acm::Client::list_tags_for_certificate)
            .then_output(|| ListTagsForCertificateOutput::builder().build());
        vec![listed, tags]
    }

    fn listener(certificate: &'static str) -> Vec<Rule> {
        let listeners = mock!(aws_sdk_elasticloadbalancingv2::Client::describe_listeners)
            .then_output(move || {
                let shown = Certificate::builder().certificate_arn(certificate).build();
                let action = Action::builder().r#type(ActionTypeEnum::FixedResponse);
                let listener = Listener::builder()
                    .listener_arn("arn:listener")
                    .load_balancer_arn(BALANCER)
                    .port(443)
                    .protocol(ProtocolEnum::Https)
                    .certificates(shown)
                    .default_actions(action.build());
                DescribeListenersOutput::builder().listeners(listener.build()).build()
            });
        let mut rules = vec![listeners];
        rules.extend(balancer(|it| it));
        rules
    }

    #[tokio::test]
    async fn a_certificate_that_is_good_for_longer_is_wanted() {
        assert_eq!(only(&judged(&CONTROL, &certificate(31, |it| it)).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn one_that_ends_soon_or_was_never_issued_fails() {
        let found = judged(&CONTROL, &certificate(29, |it| it)).await;
        assert_eq!(only(&found).0, Status::Fail);
        assert!(only(&found).1.contains("within 30 days"), "{}", only(&found).1);
        let found = judged(&CONTROL, &certificate(-1, |it| it)).await;
        assert!(only(&found).1.starts_with("it expired on"), "{}", only(&found).1);
        let waiting = certificate(99, |it| it.status(CertificateStatus::PendingValidation));
        let found = judged(&CONTROL, &waiting).await;
        assert_eq!(only(&found), (Status::Fail, "its status is PENDING_VALIDATION"));
    }

    #[tokio::test]
    async fn what_is_not_in_use_is_no_concern_unless_a_listener_shows_it() {
        let unused = || certificate(1, |it| it.in_use(false));
        assert_eq!(only(&judged(&CONTROL, &unused()).await).0, Status::NotApplicable);
        let mut rules = unused();
        rules.extend(listener(CERTIFICATE));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
        let found = judged(&CONTROL, &listener(CERTIFICATE)).await;
        assert!(only(&found).1.ends_with("does not exist"), "{}", only(&found).1);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let denied = denied!(aws_sdk_acm, list_certificates, ListCertificatesError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
        let silent = certificate(99, |it| it.set_not_after(None));
        assert_eq!(only(&judged(&CONTROL, &silent).await).0, Status::Unknown);
        let in_iam = listener("arn:aws:iam::123456789012:server-certificate/old");
        assert_eq!(only(&judged(&CONTROL, &in_iam).await).0, Status::Unknown);
    }
}
