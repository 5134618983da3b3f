//! What a configuration file may say about things of this layer, checked before anything is called.

use crate::log_group::RETENTION_DAYS_ALLOWED;

/// The retention periods that CloudWatch Logs takes, in days.
pub fn retention_days_allowed() -> &'static [i32] {
    RETENTION_DAYS_ALLOWED
}

/// That CloudWatch Logs takes a retention period.
///
/// # Errors
/// What is wrong, with the nearest longer period.
pub fn retention_days(days: i32) -> Result<(), String> {
    if RETENTION_DAYS_ALLOWED.contains(&days) {
        return Ok(());
    }
    let longer = RETENTION_DAYS_ALLOWED.iter().find(|allowed| **allowed > days);
    Err(match longer {
        Some(longer) => format!(
            "CloudWatch Logs does not keep events for {days} days; the next longer period is {longer}"
        ),
        None => format!("CloudWatch Logs keeps events for 3653 days at most, not for {days}"),
    })
}

/// That a text is the ARN of a resource of a service, in any partition: `arn("acm", "certificate/", …)`.
///
/// # Errors
/// What is wrong.
pub fn arn(service: &str, resource_prefix: &str, text: &str) -> Result<(), String> {
    let wrong =
        |why: &str| Err(format!("{text:?} is not the ARN of {service} {resource_prefix}…: {why}"));
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [scheme, partition, in_service, region, account, resource] = parts.as_slice() else {
        return wrong("it does not have six parts");
    };
    if *scheme != "arn" || !matches!(*partition, "aws" | "aws-us-gov" | "aws-cn") {
        return wrong("it does not begin with arn and a partition");
    }
    if *in_service != service {
        return wrong(&format!("it belongs to {in_service}"));
    }
    if region.is_empty() && !matches!(service, "iam" | "s3" | "cloudfront" | "route53") {
        return wrong("it has no region");
    }
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if !digits && !matches!(service, "s3") && *account != "aws" {
        return wrong("its account is not twelve digits");
    }
    let rest = resource.strip_prefix(resource_prefix).unwrap_or_default();
    if rest.is_empty() || text.contains(char::is_whitespace) {
        return wrong("its resource is of another kind");
    }
    Ok(())
}

/// That a text is a certificate's ARN, in the region where a listener is to use it.
///
/// # Errors
/// What is wrong.
pub fn certificate_arn(text: &str, region: &str) -> Result<(), String> {
    arn("acm", "certificate/", text)?;
    let lies_in = text.split(':').nth(3).unwrap_or_default();
    if lies_in != region {
        return Err(format!(
            "the certificate {text} lies in {lies_in}; a listener in {region} cannot use it"
        ));
    }
    Ok(())
}

/// That a text is a role's ARN.
///
/// # Errors
/// What is wrong.
pub fn role_arn(text: &str) -> Result<(), String> {
    arn("iam", "role/", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_period_names_the_next_right_one() {
        assert!(retention_days(365).is_ok());
        assert!(retention_days(366).unwrap_err().contains("400"));
        assert!(retention_days(9999).unwrap_err().contains("3653"));
    }

    #[test]
    fn arns_are_told_apart() {
        let certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1-2";
        assert!(certificate_arn(certificate, "us-east-1").is_ok());
        assert!(
            certificate_arn(certificate, "eu-west-1").unwrap_err().contains("lies in us-east-1")
        );
        assert!(certificate_arn("arn:aws:iam::123456789012:role/x", "us-east-1").is_err());
        assert!(role_arn("arn:aws:iam::123456789012:role/x").is_ok());
        assert!(role_arn("arn:aws:iam::12345:role/x").is_err());
        assert!(role_arn("role/x").is_err());
    }
}
