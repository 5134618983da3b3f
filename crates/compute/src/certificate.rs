//! `acm.certificate`: a certificate for a listener; ours are self-signed and imported, for targets
//! where nobody owns a domain.

use std::time::{Duration, SystemTime};

use aws_sdk_acm::primitives::Blob;
use aws_sdk_acm::types::{CertificateSummary, Filters, KeyAlgorithm, Tag};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use engine::vocabulary::CertificateArn;
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Replacement, Resource,
    Result, Scope, Tags, Traits, client,
};
use futures::StreamExt;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use serde::{Deserialize, Serialize};

use crate::gathered::{gathered, incomplete};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a certificate of ours is valid: thirteen months, as browsers took them at most for years.
const VALIDITY: Duration = Duration::from_secs(397 * 24 * 60 * 60);
/// When it is time for the next one.
const RENEWAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How many certificates are read at a time.
const CONCURRENT: usize = 8;

/// A certificate in ACM. Its id is its ARN.
///
/// What [`create`](Resource::create) makes is self-signed: good for encryption on the way to a load
/// balancer whose clients know the certificate, not for browsers. The private key goes to ACM and is
/// kept nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The domain that it stands for, at most 64 characters.
    pub domain: String,
    /// `IMPORTED`, `AMAZON_ISSUED` or `PRIVATE`. Ours are `IMPORTED`.
    pub origin: String,
    /// ACM's status word: `ISSUED` where it works.
    pub status: String,
    /// Whether it expires within 30 days, or has.
    pub renewal_due: bool,
    /// When it expires (RFC 3339). Only ever read.
    #[serde(default)]
    pub not_after: Option<String>,
    /// Whether a load balancer, an API or another service shows it. Only ever read.
    #[serde(default)]
    pub in_use: bool,
}

impl Certificate {
    /// A self-signed certificate.
    pub fn self_signed(domain: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            origin: "IMPORTED".into(),
            status: "ISSUED".into(),
            renewal_due: false,
            not_after: None,
            in_use: false,
        }
    }
}

impl Resource for Certificate {
    const TRAITS: Traits = Traits {
        immutable: &["domain", "origin"],
        write_only: &["not_after", "in_use"],
        // A listener moves to the new one before the old one goes.
        replacement: Replacement::CreateFirst,
        permissions: Permissions {
            read: &[Allow::to(&["acm:ListCertificates", "acm:ListTagsForCertificate"])],
            make: &[
                Allow::to(&["acm:ImportCertificate", "acm:AddTagsToCertificate"])
                    .on(&["acm:{here}:certificate/*"])
                    .for_stack(),
                Allow::to(&[
                    "acm:ImportCertificate",
                    "acm:AddTagsToCertificate",
                    "acm:RemoveTagsFromCertificate",
                ])
                .on(&["acm:{here}:certificate/*"])
                .of_stack(),
            ],
            remove: &[Allow::to(&["acm:DeleteCertificate"])
                .on(&["acm:{here}:certificate/*"])
                .of_stack()],
        },
        ..Traits::of("acm.certificate")
    };
    type Id = CertificateArn;
    type Arn = CertificateArn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        match summaries(aws).await {
            Ok(summaries) => {
                let now = SystemTime::now();
                let reads = summaries.into_iter().map(|summary| read(aws, summary, now));
                gathered(futures::stream::iter(reads).buffer_unordered(CONCURRENT)).await
            }
            Err(error) => Collected::failed(error),
        }
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        if self.origin != "IMPORTED" {
            let why = "only self-signed certificates are made here; name the ARN of any other";
            return Err(Error::invalid(format!("a certificate of origin {}", self.origin), why));
        }
        let expires = SystemTime::now() + VALIDITY;
        let arn = import(aws, &self.domain, expires, None, Some(&new.tags)).await?;
        let spec = Self { not_after: Some(rfc3339(expires.into())), ..self.clone() };
        Ok(Live::new(&arn, spec).with_arn(arn).with_tags(new.tags.clone()))
    }

    /// Whatever changes, the answer is a new certificate in the old one's place.
    async fn update(&self, aws: &Aws, live: &Live<Self>, _: &Changes) -> Result<()> {
        let expires = SystemTime::now() + VALIDITY;
        import(aws, &self.domain, expires, Some(&live.id), None).await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let acm = client!(aws, aws_sdk_acm);
        if !put.is_empty() {
            let call = acm
                .add_tags_to_certificate()
                .certificate_arn(&live.id)
                .set_tags(Some(to_acm(put)?));
            aws.call("acm:AddTagsToCertificate", call.send()).await?;
        }
        if !remove.is_empty() {
            let gone: Result<Vec<Tag>> = remove.iter().map(|key| tag(key, None)).collect();
            let call =
                acm.remove_tags_from_certificate().certificate_arn(&live.id).set_tags(Some(gone?));
            aws.call("acm:RemoveTagsFromCertificate", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_acm).delete_certificate().certificate_arn(&live.id);
        aws.find("acm:DeleteCertificate", call.send()).await?;
        Ok(())
    }
}

/// Makes a key and a certificate and gives both to ACM: a new certificate, or in the place of `arn`.
async fn import(
    aws: &Aws,
    domain: &str,
    expires: SystemTime,
    arn: Option<&str>,
    tags: Option<&Tags>,
) -> Result<String> {
    let action = "acm:ImportCertificate";
    let (certificate, private_key) = self_signed(domain, expires)?;
    let call = client!(aws, aws_sdk_acm)
        .import_certificate()
        .certificate(Blob::new(certificate))
        .private_key(Blob::new(private_key))
        .set_certificate_arn(arn.map(str::to_owned))
        .set_tags(tags.map(to_acm).transpose()?);
    let made = aws.call(action, call.send()).await?;
    made.certificate_arn.ok_or_else(|| Error::incomplete(action, "the certificate's ARN"))
}

/// A certificate and its private key, both as PEM.
fn self_signed(domain: &str, expires: SystemTime) -> Result<(String, String)> {
    let wrong = |why: rcgen::Error| Error::invalid(format!("a certificate for {domain}"), why);
    let mut params = CertificateParams::new(vec![domain.to_owned()]).map_err(wrong)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, domain);
    params.distinguished_name = subject;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Clocks differ.
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = expires.into();
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate = params.self_signed(&key).map_err(wrong)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

async fn summaries(aws: &Aws) -> Result<Vec<CertificateSummary>> {
    // Unless told otherwise, the call lists certificates with short RSA keys only.
    let all = KeyAlgorithm::values().iter().copied().map(KeyAlgorithm::from).collect();
    let call = client!(aws, aws_sdk_acm)
        .list_certificates()
        .includes(Filters::builder().set_key_types(Some(all)).build())
        .into_paginator()
        .items();
    aws.call("acm:ListCertificates", call.send().try_collect()).await
}

/// A certificate's name says nothing of its owner: tags are read of each.
async fn read(aws: &Aws, summary: CertificateSummary, now: SystemTime) -> Collected<Certificate> {
    let mut live = match live(summary, now) {
        Ok(live) => live,
        Err(error) => return Collected::failed(error),
    };
    let call = client!(aws, aws_sdk_acm).list_tags_for_certificate().certificate_arn(&live.id);
    match aws.find("acm:ListTagsForCertificate", call.send()).await {
        Ok(Some(found)) => {
            let tags = found.tags.unwrap_or_default().into_iter();
            live.tags = tags.map(|tag| (tag.key, tag.value.unwrap_or_default())).collect();
            Collected::of(vec![live])
        }
        Ok(None) => Collected::default(),
        Err(error) => incomplete(live, error),
    }
}

fn live(summary: CertificateSummary, now: SystemTime) -> Result<Live<Certificate>> {
    let action = "acm:ListCertificates";
    let arn =
        summary.certificate_arn.ok_or_else(|| Error::incomplete(action, "a certificate's ARN"))?;
    let expires = summary.not_after.map(|at| (at, SystemTime::try_from(at)));
    let renewal_due = match &expires {
        Some((_, Ok(at))) => *at < now + RENEWAL,
        // Not issued yet, so not about to expire; its status says the rest.
        _ => false,
    };
    let spec = Certificate {
        domain: summary.domain_name.unwrap_or_default(),
        origin: summary.r#type.map_or_else(String::new, |word| word.as_str().to_owned()),
        status: summary.status.map_or_else(String::new, |word| word.as_str().to_owned()),
        renewal_due,
        not_after: expires.map(|(at, _)| rfc3339(at)),
        in_use: summary.in_use.unwrap_or(false),
    };
    let expiry_is_missing = spec.status == "ISSUED" && spec.not_after.is_none();
    let mut live = Live::new(&arn, spec).with_arn(arn);
    if expiry_is_missing {
        let missing = Error::incomplete(action, "when an issued certificate expires");
        live.read("not_after", Err::<(), _>(missing), |_, ()| {});
    }
    Ok(live)
}

fn rfc3339(at: DateTime) -> String {
    // Only years beyond 9999 cannot be written.
    at.fmt(Format::DateTime).unwrap_or_else(|_| at.secs().to_string())
}

fn to_acm(tags: &Tags) -> Result<Vec<Tag>> {
    tags.iter().map(|(key, value)| tag(key, Some(value))).collect()
}

fn tag(key: &str, value: Option<&str>) -> Result<Tag> {
    let tag = Tag::builder().key(key).set_value(value.map(str::to_owned)).build();
    tag.map_err(|why| Error::invalid(format!("the tag {key}"), why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(days_left: i64) -> CertificateSummary {
        let now = DateTime::from(SystemTime::UNIX_EPOCH + VALIDITY).secs();
        CertificateSummary::builder()
            .certificate_arn("arn:aws:acm:us-east-1:123456789012:certificate/1")
            .domain_name("students.internal")
            .r#type(aws_sdk_acm::types::CertificateType::Imported)
            .status(aws_sdk_acm::types::CertificateStatus::Issued)
            .not_after(DateTime::from_secs(now + days_left * 24 * 60 * 60))
            .build()
    }

    #[test]
    fn renewal_is_due_thirty_days_before_the_end() {
        let now = SystemTime::UNIX_EPOCH + VALIDITY;
        assert!(!live(summary(31), now).unwrap().spec.renewal_due);
        assert!(live(summary(29), now).unwrap().spec.renewal_due);
        assert!(live(summary(-1), now).unwrap().spec.renewal_due);
    }

    #[test]
    fn a_new_certificate_is_what_is_wanted() {
        let now = SystemTime::UNIX_EPOCH + VALIDITY;
        let mut spec = live(summary(396), now).unwrap().spec;
        spec.not_after = None;
        assert_eq!(spec, Certificate::self_signed("students.internal"));
    }

    #[test]
    fn the_key_is_not_part_of_the_certificate() {
        let (certificate, key) =
            self_signed("students.internal", SystemTime::now() + VALIDITY).unwrap();
        assert!(certificate.contains("BEGIN CERTIFICATE") && !certificate.contains("PRIVATE"));
        assert!(key.contains("PRIVATE KEY"));
    }
}
