//! ACM: imported certificates. Their private keys are not kept: nothing here uses them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use winterbaume_acm::{model, wire};
use winterbaume_core::MockResponse;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::parse_x509_pem;
use x509_parser::public_key::PublicKey;

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;

/// What ListCertificates shows where nothing else is asked for.
const DEFAULT_KEY_TYPES: &[&str] = &["RSA_1024", "RSA_2048"];

/// What ACM holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By ARN.
    pub certificates: BTreeMap<String, Certificate>,
}

/// A certificate.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Certificate {
    /// What DescribeCertificate says.
    pub detail: model::CertificateDetail,
    /// The certificate and its chain, as PEM.
    pub body: model::GetCertificateResponse,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let body = call.request.body.clone();
    match call.target() {
        "ImportCertificate" => import(call, wire::deserialize_import_certificate_request(&body)?),
        "DescribeCertificate" => {
            let input = wire::deserialize_describe_certificate_request(&body)?;
            let certificate = shown(call, certificate(call, &input.certificate_arn)?);
            Ok(wire::serialize_describe_certificate_response(&model::DescribeCertificateResponse {
                certificate: Some(certificate),
            }))
        }
        "GetCertificate" => {
            let input = wire::deserialize_get_certificate_request(&body)?;
            let certificate = certificate(call, &input.certificate_arn)?;
            Ok(wire::serialize_get_certificate_response(&certificate.body))
        }
        "ListCertificates" => list(call, wire::deserialize_list_certificates_request(&body)?),
        "ListTagsForCertificate" => {
            let input = wire::deserialize_list_tags_for_certificate_request(&body)?;
            let tags = certificate(call, &input.certificate_arn)?.tags.clone();
            let tag = |(key, value)| model::Tag { key, value: Some(value) };
            let answer = model::ListTagsForCertificateResponse {
                tags: Some(tags.into_iter().map(tag).collect()),
            };
            Ok(wire::serialize_list_tags_for_certificate_response(&answer))
        }
        "AddTagsToCertificate" => {
            let input = wire::deserialize_add_tags_to_certificate_request(&body)?;
            let tags = checked_tags(input.tags)?;
            certificate_mut(call, &input.certificate_arn)?.tags.extend(tags);
            Ok(wire::serialize_add_tags_to_certificate_response())
        }
        "RemoveTagsFromCertificate" => {
            let input = wire::deserialize_remove_tags_from_certificate_request(&body)?;
            let certificate = certificate_mut(call, &input.certificate_arn)?;
            for tag in input.tags {
                // A tag that is given with a value goes only if it has that value.
                let same = |value: &String| tag.value.as_ref().is_none_or(|given| given == value);
                if certificate.tags.get(&tag.key).is_some_and(same) {
                    certificate.tags.remove(&tag.key);
                }
            }
            Ok(wire::serialize_remove_tags_from_certificate_response())
        }
        "DeleteCertificate" => {
            let arn = wire::deserialize_delete_certificate_request(&body)?.certificate_arn;
            certificate(call, &arn)?;
            if !users(call, &arn).is_empty() {
                let account = call.account_id();
                return Err(Fault::new(
                    "ResourceInUseException",
                    format!("Certificate {arn} in account {account} is in use."),
                ));
            }
            call.region().acm.certificates.remove(&arn);
            Ok(wire::serialize_delete_certificate_response())
        }
        other => Err(Fault::unknown_operation("acm", other)),
    }
}

/// That a certificate exists in the request's region and is issued.
pub(crate) fn require_issued(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    let certificate = certificate(call, arn)?;
    match shown(call, certificate).status.as_deref() {
        Some("ISSUED") => Ok(()),
        status => {
            let status = status.unwrap_or_default();
            Err(Fault::new("InvalidStateException", format!("The certificate {arn} is {status}.")))
        }
    }
}

fn certificate<'a>(call: &'a Call<'_>, arn: &str) -> Result<&'a Certificate, Fault> {
    let region = call.account.region_if_any(call.region_name);
    let found = region.and_then(|region| region.acm.certificates.get(arn));
    found.ok_or_else(|| missing(&call.account.id, arn))
}

fn certificate_mut<'a>(call: &'a mut Call<'_>, arn: &str) -> Result<&'a mut Certificate, Fault> {
    let fault = missing(&call.account.id, arn);
    call.region().acm.certificates.get_mut(arn).ok_or(fault)
}

fn missing(account: &str, arn: &str) -> Fault {
    let message = format!("Could not find certificate {arn} in account {account}.");
    Fault::new("ResourceNotFoundException", message)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

/// The listeners that use a certificate.
fn users(call: &Call<'_>, arn: &str) -> Vec<String> {
    let region = call.account.region_if_any(call.region_name);
    let listeners =
        region.into_iter().flat_map(|region| region.elasticloadbalancing.listeners.values());
    listeners
        .filter(|listener| {
            let certificates = listener.certificates.as_ref().map(|list| list.items.as_slice());
            certificates
                .unwrap_or_default()
                .iter()
                .any(|one| one.certificate_arn.as_deref() == Some(arn))
        })
        .filter_map(|listener| listener.load_balancer_arn.clone())
        .collect()
}

/// The certificate as it is now: who uses it, and whether it has expired.
fn shown(call: &Call<'_>, certificate: &Certificate) -> model::CertificateDetail {
    let mut detail = certificate.detail.clone();
    let arn = detail.certificate_arn.clone().unwrap_or_default();
    detail.in_use_by = Some(users(call, &arn));
    if detail.not_after.is_some_and(|at| at <= call.epoch()) {
        detail.status = Some("EXPIRED".into());
    }
    detail
}

fn list(call: &Call<'_>, input: model::ListCertificatesRequest) -> Result<MockResponse, Fault> {
    let types = input.includes.and_then(|includes| includes.key_types);
    let types = types.unwrap_or_else(|| DEFAULT_KEY_TYPES.iter().map(|t| t.to_string()).collect());
    let region = call.account.region_if_any(call.region_name);
    let all = region.into_iter().flat_map(|region| region.acm.certificates.values());
    let summaries: Vec<model::CertificateSummary> = all
        .map(|certificate| shown(call, certificate))
        .filter(|detail| detail.key_algorithm.as_ref().is_some_and(|word| types.contains(word)))
        .filter(|detail| {
            let status = detail.status.clone().unwrap_or_default();
            input.certificate_statuses.as_ref().is_none_or(|statuses| statuses.contains(&status))
        })
        .map(|detail| model::CertificateSummary {
            certificate_arn: detail.certificate_arn,
            created_at: detail.created_at,
            domain_name: detail.domain_name,
            exported: Some(false),
            extended_key_usages: Some(Vec::new()),
            has_additional_subject_alternative_names: Some(false),
            imported_at: detail.imported_at,
            in_use: Some(detail.in_use_by.is_some_and(|users| !users.is_empty())),
            key_algorithm: detail.key_algorithm,
            key_usages: Some(Vec::new()),
            not_after: detail.not_after,
            not_before: detail.not_before,
            renewal_eligibility: detail.renewal_eligibility,
            status: detail.status,
            subject_alternative_name_summaries: detail.subject_alternative_names,
            r#type: detail.r#type,
            ..Default::default()
        })
        .collect();
    let limit = input.max_items.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1000);
    let (summaries, next_token) = page(summaries, input.next_token.as_deref(), limit)
        .ok_or_else(|| invalid("The pagination token is not valid."))?;
    Ok(wire::serialize_list_certificates_response(&model::ListCertificatesResponse {
        certificate_summary_list: Some(summaries),
        next_token,
    }))
}

fn checked_tags(tags: Vec<model::Tag>) -> Result<BTreeMap<String, String>, Fault> {
    for tag in &tags {
        let value = tag.value.as_deref().unwrap_or_default();
        if tag.key.is_empty() || tag.key.len() > 128 || value.len() > 256 {
            return Err(Fault::new(
                "InvalidTagException",
                format!("The tag {:?} is not valid.", tag.key),
            ));
        }
        if tag.key.starts_with("aws:") {
            return Err(Fault::new("InvalidTagException", "Tags cannot begin with aws:."));
        }
    }
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect())
}

fn import(
    call: &mut Call<'_>,
    input: model::ImportCertificateRequest,
) -> Result<MockResponse, Fault> {
    let pem = text(&input.certificate)
        .ok_or_else(|| invalid("The certificate is not PEM-encoded or is not valid."))?;
    let key = text(&input.private_key).filter(|key| key.contains("PRIVATE KEY-----"));
    if key.is_none() {
        return Err(invalid("The private key is not PEM-encoded or is not valid."));
    }
    let mut detail = parsed(call, &pem)?;
    let chain = match &input.certificate_chain {
        Some(chain) => {
            Some(text(chain).ok_or_else(|| invalid("The certificate chain is not valid."))?)
        }
        None => None,
    };
    let tags = checked_tags(input.tags.unwrap_or_default())?;
    let now = call.epoch();
    let (arn, tags) = match input.certificate_arn {
        Some(arn) => {
            let old = certificate(call, &arn)?;
            if !tags.is_empty() {
                return Err(invalid("You cannot add tags while reimporting a certificate."));
            }
            if old.detail.key_algorithm != detail.key_algorithm {
                return Err(invalid("The key type and size of a certificate cannot change."));
            }
            detail.created_at = old.detail.created_at;
            (arn, old.tags.clone())
        }
        None => {
            let id = call.new_uuid();
            detail.created_at = Some(now);
            (call.arn("acm", &format!("certificate/{id}")), tags)
        }
    };
    detail.certificate_arn = Some(arn.clone());
    detail.imported_at = Some(now);
    let body = model::GetCertificateResponse { certificate: Some(pem), certificate_chain: chain };
    call.region().acm.certificates.insert(arn.clone(), Certificate { detail, body, tags });
    Ok(wire::serialize_import_certificate_response(&model::ImportCertificateResponse {
        certificate_arn: Some(arn),
    }))
}

/// The protocol carries blobs as base64.
fn text(blob: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(blob).ok()?).ok()
}

/// What a certificate says of itself.
fn parsed(call: &Call<'_>, pem: &str) -> Result<model::CertificateDetail, Fault> {
    let malformed = || invalid("The certificate is not PEM-encoded or is not valid.");
    let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|_| malformed())?;
    let certificate = pem.parse_x509().map_err(|_| malformed())?;
    let validity = certificate.validity();
    let (from, to) =
        (validity.not_before.timestamp() as f64, validity.not_after.timestamp() as f64);
    if to <= call.epoch() {
        return Err(invalid("The certificate has expired, is not valid."));
    }
    if from > call.epoch() {
        return Err(invalid("The certificate is not in effect yet, is not valid."));
    }
    let common_name = |name: &x509_parser::x509::X509Name<'_>| {
        name.iter_common_name().next().and_then(|one| one.as_str().ok()).map(str::to_owned)
    };
    let names = alternative_names(&certificate);
    let domain = common_name(certificate.subject()).or_else(|| names.first().cloned());
    Ok(model::CertificateDetail {
        domain_name: domain,
        issuer: common_name(certificate.issuer()),
        key_algorithm: Some(key_algorithm(&certificate).ok_or_else(malformed)?),
        not_after: Some(to),
        not_before: Some(from),
        renewal_eligibility: Some("INELIGIBLE".into()),
        serial: Some(certificate.raw_serial_as_string()),
        signature_algorithm: Some("SHA256WITHECDSA".into()),
        status: Some("ISSUED".into()),
        subject: Some(certificate.subject().to_string()),
        subject_alternative_names: Some(names),
        r#type: Some("IMPORTED".into()),
        ..Default::default()
    })
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    use x509_parser::extensions::GeneralName;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}

fn key_algorithm(certificate: &X509Certificate<'_>) -> Option<String> {
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some(format!("RSA_{}", key.key_size())),
        PublicKey::EC(point) => match point.key_size() {
            256 => Some("EC_prime256v1".into()),
            384 => Some("EC_secp384r1".into()),
            _ => Some("EC_secp521r1".into()),
        },
        _ => None,
    }
}
