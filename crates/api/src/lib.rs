//! REST API, VPC link, authorisation, stage and WAF.
