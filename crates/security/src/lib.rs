//! KMS keys, secrets, CloudTrail with its locked bucket, alarms and account guards.
