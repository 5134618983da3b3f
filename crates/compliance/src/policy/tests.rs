//! Tables: what documents mean.

use super::*;
use serde_json::json;

const OURS: &str = "123456789012";
const THEIRS: &str = "999999999999";

fn document(statement: Value) -> Document {
    Document::of(&Policy::from(json!({"Version": "2012-10-17", "Statement": statement})))
}

fn outsiders(statement: Value) -> Vec<Principal> {
    let ours = [OURS, "vpc-ours", "vpce-ours", "arn:aws:s3:::ours"];
    document(statement).outsiders(|who| ours.contains(&who))
}

#[test]
fn everybody_is_everybody_however_it_is_spelled() {
    for principal in [
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": ["*"]}),
        json!({"AWS": "arn:aws:iam::*:root"}),
    ] {
        let found = outsiders(
            json!({"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}),
        );
        assert_eq!(found, [Principal::Everybody], "{principal}");
    }
    let not =
        outsiders(json!([{"Effect": "Allow", "NotPrincipal": {"AWS": THEIRS}, "Action": "s3:*"}]));
    assert_eq!(not, [Principal::Everybody]);
}

#[test]
fn another_account_is_an_outsider_by_number_and_by_arn() {
    for principal in [json!(THEIRS), json!(format!("arn:aws:iam::{THEIRS}:role/x"))] {
        let found = outsiders(
            json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "s3:GetObject"}),
        );
        assert_eq!(found, [Principal::Account(THEIRS.into())]);
    }
    assert!(
        outsiders(json!({"Effect": "Allow", "Principal": {"AWS": OURS}, "Action": "*"})).is_empty()
    );
}

#[test]
fn only_conditions_that_really_narrow_count() {
    let with = |condition: Value| {
        outsiders(
            json!({"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Condition": condition}),
        )
    };
    for narrow in [
        json!({"StringEquals": {"aws:SourceAccount": OURS}}),
        json!({"StringEquals": {"kms:CallerAccount": OURS, "kms:ViaService": "rds.us-east-1.amazonaws.com"}}),
        json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:cloudtrail:*:{OURS}:trail/*")}}),
        json!({"StringEquals": {"aws:sourceVpce": "vpce-ours"}}),
        json!({"StringEquals": {"aws:SourceVpc": ["vpc-ours"]}}),
        json!({"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::ours"}}),
    ] {
        assert!(with(narrow.clone()).is_empty(), "{narrow}");
    }
    for open in [
        json!({"StringLike": {"aws:PrincipalArn": "*"}}),
        json!({"StringLike": {"aws:SourceAccount": "*"}}),
        json!({"StringEqualsIfExists": {"aws:SourceAccount": OURS}}),
        json!({"StringEquals": {"kms:ViaService": "rds.us-east-1.amazonaws.com"}}),
        json!({"StringNotEquals": {"aws:PrincipalAccount": THEIRS}}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-abc"}}),
        json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
        json!({"StringEquals": {"aws:SourceVpce": "vpce-theirs"}}),
        json!({"StringEquals": {"aws:SourceVpc": ["vpc-ours", "vpc-theirs"]}}),
        json!({"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::theirs"}}),
    ] {
        assert_eq!(with(open.clone()), [Principal::Everybody], "{open}");
    }
    let theirs = with(json!({"StringEquals": {"aws:PrincipalAccount": THEIRS}}));
    assert_eq!(theirs, [Principal::Account(THEIRS.into())]);
}

#[test]
fn a_deny_for_strangers_takes_an_allow_back() {
    let allow = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
    let deny = |action: &str| {
        json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*",
               "Condition": {"StringNotEquals": {"aws:PrincipalAccount": OURS}}})
    };
    assert!(outsiders(json!([allow, deny("s3:*")])).is_empty());
    assert_eq!(outsiders(json!([allow, deny("s3:Put*")])).len(), 1, "it denies something else");
}

#[test]
fn plain_transport_is_denied_only_by_a_deny_to_everybody() {
    let denies = |action: &str, principal: Value| {
        document(
            json!({"Effect": "Deny", "Principal": principal, "Action": action, "Resource": "*",
                        "Condition": {"Bool": {"aws:SecureTransport": false}}}),
        )
        .denies_plain_transport_to("s3", &["arn:aws:s3:::b"])
    };
    assert!(denies("s3:*", json!("*")));
    assert!(denies("*", json!({"AWS": "*"})));
    assert!(!denies("s3:Put*", json!("*")));
    assert!(!denies("s3:*", json!({"AWS": OURS})));
}

#[test]
fn what_a_caller_says_of_itself_and_where_it_calls_from_do_not_narrow() {
    for condition in [
        json!({"StringEquals": {"kms:EncryptionContext:aws:logs:arn": format!("arn:aws:logs:r:{OURS}:log-group:x")}}),
        json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/records"}}),
        json!({"StringLike": {"aws:SourceAccount": "12345678901?"}}),
        json!({"StringLike": {"aws:PrincipalOrgID": "*"}}),
        json!({"Null": {"aws:SourceAccount": "false"}}),
        json!({"ArnNotLike": {"aws:PrincipalArn": format!("arn:aws:iam::{THEIRS}:*")}}),
        json!({"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-abc/*"}}),
    ] {
        let found = outsiders(
            json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Condition": condition}),
        );
        assert_eq!(found, [Principal::Everybody], "{condition}");
    }
}

#[test]
fn conditions_hold_together() {
    let with = |condition: Value| {
        outsiders(
            json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:*", "Condition": condition}),
        )
    };
    let both = json!({"StringEquals": {
        "aws:PrincipalAccount": [OURS, THEIRS], "kms:CallerAccount": OURS,
    }});
    assert!(with(both).is_empty());
    let endpoint = json!({"StringEquals": {
        "aws:PrincipalAccount": THEIRS, "aws:sourceVpce": "vpce-1",
    }});
    assert_eq!(with(endpoint), [Principal::Account(THEIRS.into())]);
}

#[test]
fn principals_are_read_in_every_partition_and_whoever_vouches_for_them() {
    let admitted = |principal: Value, condition: Value| {
        outsiders(
            json!({"Effect": "Allow", "Principal": principal, "Action": "s3:*", "Condition": condition}),
        )
    };
    let any = json!({"AWS": "arn:aws-us-gov:iam::*:root"});
    assert_eq!(admitted(any, json!({})), [Principal::Everybody]);
    let provider =
        |account| json!({"Federated": format!("arn:aws:iam::{account}:saml-provider/x")});
    assert!(admitted(provider(OURS), json!({})).is_empty());
    assert_eq!(admitted(provider(THEIRS), json!({})), [Principal::Account(THEIRS.into())]);
    let pools = "cognito-identity.amazonaws.com";
    let public = || json!({"Federated": pools});
    assert_eq!(admitted(public(), json!({})), [Principal::Federated(pools.into())]);
    let guests = json!({"ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "x"}});
    assert_eq!(admitted(public(), guests).len(), 1);
    let pool = json!({"StringEquals": {"cognito-identity.amazonaws.com:aud": "us-east-1:pool"}});
    assert!(admitted(public(), pool).is_empty());
    let gone = json!({"AWS": "AROAEXAMPLEEXAMPLE123"});
    assert_eq!(admitted(gone, json!({})).len(), 1, "nobody knows whose it was");
}

#[test]
fn every_usual_form_of_a_deny_for_strangers_counts() {
    let allow = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
    let after = |deny: Value| outsiders(json!([allow, deny])).len();
    let deny = |condition: Value| {
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*",
               "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"], "Condition": condition})
    };
    let root = format!("arn:aws:iam::{OURS}:*");
    assert_eq!(after(deny(json!({"ArnNotLike": {"aws:PrincipalArn": root}}))), 0);
    let perimeter = json!({"StringNotEqualsIfExists": {"aws:PrincipalAccount": OURS},
                           "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}});
    assert_eq!(after(deny(perimeter)), 0);
    let endpoint = json!({"StringNotEquals": {"aws:SourceVpce": "vpce-ours"}});
    assert_eq!(after(deny(endpoint)), 0);
    let not =
        json!({"Effect": "Deny", "NotPrincipal": {"AWS": OURS}, "Action": "*", "Resource": "*"});
    assert_eq!(after(not), 0);
    let all = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:Get*", "Resource": "*"});
    assert_eq!(after(all), 0);

    let theirs = json!({"StringNotEquals": {"aws:PrincipalAccount": THEIRS}});
    assert_eq!(after(deny(theirs)), 1, "it lets the stranger through");
    let endpoint = json!({"StringNotEquals": {"aws:SourceVpce": "vpce-theirs"}});
    assert_eq!(after(deny(endpoint)), 1, "that is the stranger's");
    let weak = json!({"StringNotEquals": {"aws:PrincipalAccount": OURS},
                      "Bool": {"aws:SecureTransport": "false"}});
    assert_eq!(after(deny(weak)), 1, "it is for plain requests only");
    let elsewhere = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::c/*"});
    assert_eq!(after(elsewhere), 1);
}

#[test]
fn everything_is_everything_however_it_is_spelled() {
    let all = |action: &str, resource: &str| {
        document(json!({"Effect": "Allow", "Action": action, "Resource": resource}))
            .allows_everything()
    };
    for (action, resource) in [("*", "*"), ("*:*", "arn:aws:*"), ("?*", "arn:*"), ("**", "*:*:*")] {
        assert!(all(action, resource), "{action} on {resource}");
    }
    assert!(!all("s3:*", "*") && !all("*", "arn:aws:s3:::*"));
    let but = document(json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::b"}));
    assert!(but.allows_everything());
}

#[test]
fn an_organisation_is_admitted_where_nothing_else_narrows() {
    let admitted = |condition: Value| {
        outsiders(
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Condition": condition}),
        )
    };
    let whole = |id: &str| [Principal::Organisation(id.into())];
    let foreign = json!({"StringEquals": {"aws:PrincipalOrgID": "o-abc"}});
    assert_eq!(admitted(foreign), whole("o-abc"));
    let unit = json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-abc/r-ab12/*"}});
    assert_eq!(admitted(unit), whole("o-abc/r-ab12/*"));
    for ours in [
        json!({"aws:PrincipalOrgID": "o-abc", "aws:PrincipalAccount": OURS}),
        json!({"aws:PrincipalOrgID": "o-abc", "aws:SourceVpce": "vpce-ours"}),
    ] {
        assert!(admitted(json!({"StringEquals": ours})).is_empty());
    }
    let theirs = json!({"aws:PrincipalOrgID": "o-abc", "aws:SourceVpce": "vpce-theirs"});
    assert_eq!(admitted(json!({"StringEquals": theirs})), whole("o-abc"));
}

#[test]
fn a_deny_for_all_but_an_organisation_admits_the_organisation() {
    let allow = |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "*"});
    let deny = |condition: Value| json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": condition});
    let not = |id: &str| deny(json!({"StringNotEquals": {"aws:PrincipalOrgID": id}}));
    let whole = |id: &str| Principal::Organisation(id.into());
    let everybody = || allow(json!("*"));
    assert_eq!(outsiders(json!([everybody(), not("o-abc")])), [whole("o-abc")]);
    let perimeter = deny(json!({"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-abc"},
                                "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}));
    assert_eq!(outsiders(json!([everybody(), perimeter])), [whole("o-abc")]);
    let either = deny(json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-abc",
                                                 "aws:PrincipalAccount": OURS}}));
    assert_eq!(outsiders(json!([everybody(), either])), [whole("o-abc")]);
    assert_eq!(outsiders(json!([everybody(), not("o-*")])), [Principal::Everybody]);

    let ours = deny(json!({"StringNotEquals": {"aws:PrincipalAccount": OURS}}));
    assert!(outsiders(json!([everybody(), not("o-abc"), ours])).is_empty(), "both hold");
    let named = outsiders(json!([allow(json!({"AWS": THEIRS})), not("o-abc")]));
    assert_eq!(named, [Principal::Account(THEIRS.into())], "it may be one of them");
}

#[test]
fn a_service_is_an_outsider_where_it_reads_for_others() {
    let through = |service: &str, action: &str, condition: Value| {
        outsiders(json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": action,
                         "Resource": "*", "Condition": condition}))
    };
    let cloudfront = "cloudfront.amazonaws.com";
    let anybody = [Principal::Service(cloudfront.into())];
    assert_eq!(through(cloudfront, "s3:GetObject", json!({})), anybody);
    assert_eq!(through(cloudfront, "s3:*", json!({})), anybody);
    let bucket = |name: &str| json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:s3:::{name}")}});
    assert_eq!(through(cloudfront, "kms:Decrypt", bucket("theirs")), anybody);
    assert!(through(cloudfront, "kms:Decrypt", bucket("ours")).is_empty());
    let distribution = |of: &str| json!({"StringEquals": {"aws:SourceArn": format!("arn:aws:cloudfront::{of}:distribution/E1")}});
    assert!(through(cloudfront, "s3:GetObject", distribution(OURS)).is_empty());
    let theirs = [Principal::Account(THEIRS.into())];
    assert_eq!(through(cloudfront, "s3:GetObject", distribution(THEIRS)), theirs);

    let group = |of: &str| json!({"ArnLike": {"kms:EncryptionContext:aws:logs:arn": format!("arn:aws:logs:us-east-1:{of}:*")}});
    let logs = "logs.us-east-1.amazonaws.com";
    assert!(through(logs, "kms:Decrypt", group(OURS)).is_empty());
    assert_eq!(through(logs, "kms:Decrypt", group(THEIRS)), theirs);
    assert_eq!(through(logs, "kms:Decrypt", group("*")), [Principal::Service(logs.into())]);

    let delivery = "delivery.logs.amazonaws.com";
    let organisation = || json!({"StringEquals": {"aws:SourceOrgID": "o-abc"}});
    for harmless in ["s3:PutObject", "s3:GetBucketAcl", "s3:ListBucket", "kms:GenerateDataKey*"] {
        assert!(through(delivery, harmless, json!({})).is_empty(), "{harmless}");
        assert!(through(delivery, harmless, organisation()).is_empty(), "{harmless}");
    }
    let whole = [Principal::Organisation("o-abc".into())];
    assert_eq!(through(delivery, "s3:GetObject", organisation()), whole);
    let account = json!({"StringEquals": {"aws:SourceAccount": THEIRS}});
    assert_eq!(through(delivery, "s3:PutObject", account), theirs);
}

#[test]
fn a_deny_keeps_services_out_where_it_does_not_except_them() {
    let after = |condition: Value| {
        outsiders(json!([
            {"Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": "s3:GetObject", "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": condition},
        ]))
    };
    for out in [
        json!({}),
        json!({"StringNotEquals": {"aws:SourceAccount": OURS}}),
        json!({"StringNotEqualsIfExists": {"aws:SourceAccount": OURS}, "Bool": {"aws:PrincipalIsAWSService": "true"}}),
        json!({"ArnNotLike": {"aws:SourceArn": format!("arn:aws:cloudfront::{OURS}:*")}}),
        json!({"StringNotEquals": {"aws:PrincipalAccount": OURS}}),
    ] {
        assert!(after(out.clone()).is_empty(), "{out}");
    }
    for left in [
        json!({"StringNotEquals": {"aws:PrincipalAccount": OURS}, "Bool": {"aws:PrincipalIsAWSService": "false"}}),
        json!({"StringNotEquals": {"aws:SourceAccount": THEIRS}}),
        json!({"Bool": {"aws:SecureTransport": "false"}}),
    ] {
        assert_eq!(after(left.clone()).len(), 1, "{left}");
    }
}

#[test]
fn an_action_can_be_left_aside() {
    let allow = |action: Value| json!({"Effect": "Allow", "Principal": {"AWS": THEIRS}, "Action": action, "Resource": "*"});
    let beyond =
        |statement: Value| document(statement).beyond("s3:PutObject").outsiders(|_| false).len();
    assert_eq!(beyond(allow(json!("s3:putobject"))), 0);
    assert_eq!(beyond(allow(json!(["s3:PutObject", "s3:GetObject"]))), 1);
    assert_eq!(beyond(allow(json!("s3:PutObject*"))), 1);
    let but = json!({"Effect": "Allow", "Principal": {"AWS": THEIRS}, "NotAction": "s3:PutObject", "Resource": "*"});
    assert_eq!(beyond(but), 1);
}

#[test]
fn plain_transport_is_denied_for_the_bucket_and_its_objects() {
    let resources = ["arn:aws:s3:::b", "arn:aws:s3:::b/*"];
    let denies = |resource: Value, condition: Value| {
        document(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resource,
                        "Condition": condition}))
        .denies_plain_transport_to("s3", &resources)
    };
    let plain = || json!({"Bool": {"aws:SecureTransport": "false"}});
    assert!(denies(json!(resources), plain()));
    assert!(denies(json!("*"), json!({"BoolIfExists": {"aws:SecureTransport": false}})));
    assert!(denies(json!("arn:aws:s3:::b*"), plain()));
    assert!(!denies(json!("arn:aws:s3:::b/*"), plain()), "the list of objects is left");
    assert!(!denies(json!("arn:aws:s3:::b"), plain()), "the objects are left");
    assert!(!denies(json!("*"), json!({"Bool": {"aws:SecureTransport": "true"}})));
    let also = json!({"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:PrincipalAccount": OURS}});
    assert!(!denies(json!("*"), also), "only some are denied");
}

#[test]
fn administering_a_key_is_more_than_using_it() {
    let may = |statement: Value| {
        let document = document(statement);
        let mut actions = KEY_ADMINISTRATION.to_vec();
        actions.retain(|action| document.administers_keys(action));
        actions
    };
    let allow = |action: Value| json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    assert!(
        may(allow(json!(["kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]))).is_empty()
    );
    assert_eq!(may(allow(json!("kms:Put*"))), ["kms:PutKeyPolicy"]);
    assert!(may(allow(json!("KMS:*"))).contains(&"kms:ScheduleKeyDeletion"));
    let but = json!({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"});
    assert!(may(but).contains(&"kms:DisableKey"));
    let deny = json!({"Effect": "Deny", "Action": "kms:*", "Resource": "*"});
    assert!(may(json!([allow(json!("*")), deny])).is_empty());
    let grant = |condition: Value| {
        may(
            json!({"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "*", "Condition": condition}),
        )
    };
    assert!(grant(json!({"Bool": {"kms:GrantIsForAWSResource": true}})).is_empty());
    assert_eq!(grant(json!({"StringEquals": {"kms:CallerAccount": OURS}})), ["kms:CreateGrant"]);
}

#[test]
fn a_key_policy_says_who_administers_the_key() {
    let role = format!("arn:aws:iam::{OURS}:role/task");
    let who = |statement: Value| {
        let found = document(statement).key_administrators();
        found.into_iter().flat_map(|one| one.principals).collect::<Vec<_>>()
    };
    let named = json!({"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:*"});
    assert_eq!(who(named), std::slice::from_ref(&role));
    let uses = json!({"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:Decrypt"});
    assert!(who(uses).is_empty());
    let all = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:DisableKey",
                     "Condition": {"StringEquals": {"kms:CallerAccount": OURS}}});
    assert_eq!(who(all), ["*"]);
    let some = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:DisableKey",
                      "Condition": {"ArnLike": {"aws:PrincipalArn": role}}});
    assert_eq!(who(some), [role]);
    let service =
        json!({"Effect": "Allow", "Principal": {"Service": "x.amazonaws.com"}, "Action": "kms:*"});
    assert!(who(service).is_empty());
}

#[test]
fn a_mount_in_plain_is_denied_by_whatever_covers_it() {
    let denies = |action: Value, operator: &str| {
        document(json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*",
                        "Condition": {operator: {"aws:SecureTransport": "false"}}}))
        .denies_plain("elasticfilesystem:ClientMount", "arn:fs")
    };
    assert!(denies(json!("*"), "Bool") && denies(json!("elasticfilesystem:*"), "BoolIfExists"));
    assert!(denies(json!(["elasticfilesystem:clientmount", "x:Y"]), "Bool"));
    assert!(!denies(json!("elasticfilesystem:ClientWrite"), "Bool"));
    assert!(denies(json!("*"), "StringEquals"));
    assert!(!denies(json!("*"), "Null"));
}

#[test]
fn a_place_is_no_identity() {
    let mount = "elasticfilesystem:ClientMount";
    let allow = |condition: Value| json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": mount, "Condition": condition});
    let nameless = |statements: Value| document(statements).admits_nameless(mount, "arn:fs");
    let via = json!({"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}});
    assert!(nameless(json!([allow(via.clone())])));
    assert!(nameless(json!([allow(json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}}))])));
    assert!(!nameless(json!([allow(json!({"StringEquals": {"aws:PrincipalAccount": OURS}}))])));
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "elasticfilesystem:Client*",
                      "Condition": {"StringEquals": {"aws:PrincipalType": "Anonymous"}}});
    assert!(!nameless(json!([allow(via.clone()), deny])));
    let both = document(json!([allow(via), deny]));
    assert!(both.admits_anyone(mount, "arn:fs"), "those with a name are still admitted");
}

#[test]
fn whoever_is_named_is_someone_unless_everybody_is_denied() {
    let root = "elasticfilesystem:ClientRootAccess";
    let statement = |effect: &str, principal: Value, action: &str| json!({"Effect": effect, "Principal": principal, "Action": action});
    let admits = |statements: Value| document(statements).admits_anyone(root, "arn:fs");
    let role = || json!({"AWS": format!("arn:aws:iam::{OURS}:role/task")});
    let allow = || statement("Allow", role(), "elasticfilesystem:Client*");
    assert!(admits(json!([allow()])));
    assert!(!admits(json!([statement("Allow", role(), "elasticfilesystem:ClientMount")])));
    assert!(!admits(json!([allow(), statement("Deny", json!("*"), root)])));
    let other = json!({"AWS": format!("arn:aws:iam::{OURS}:role/other")});
    assert!(admits(json!([allow(), statement("Deny", other, root)])), "somebody else is denied");
}

#[test]
fn a_service_control_policy_may_exempt_those_whom_it_names() {
    let denies =
        |statement: Value| document(statement).denies_to_nearly_all("cloudtrail:StopLogging");
    let but = |condition: Value| json!({"Effect": "Deny", "Action": "cloudtrail:Stop*", "Resource": "*", "Condition": condition});
    assert!(denies(json!({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"})));
    assert!(denies(but(
        json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/break-glass"}})
    )));
    for open in [
        but(json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}})),
        but(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/intern"}})),
        but(json!({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}})),
        json!({"Effect": "Deny", "Action": "cloudtrail:*", "Resource": "arn:aws:cloudtrail:*:*:trail/a"}),
        json!({"Effect": "Deny", "Action": "cloudtrail:Delete*", "Resource": "*"}),
        json!({"Effect": "Allow", "Action": "*", "Resource": "*"}),
    ] {
        assert!(!denies(open.clone()), "{open}");
    }
}

#[test]
fn only_a_deny_to_everybody_without_conditions_denies_everybody() {
    let denies = |principal: Value, action: &str, resource: &str, condition: Value| {
        let statement = json!({"Effect": "Deny", "Principal": principal, "Action": action,
            "Resource": resource, "Condition": condition});
        document(statement).denies_everybody("s3:DeleteObject", "arn:aws:s3:::record/*")
    };
    assert!(denies(json!("*"), "s3:Delete*", "arn:aws:s3:::record/*", json!({})));
    assert!(denies(json!({"AWS": "*"}), "*", "*", json!({})));
    assert!(!denies(json!({"AWS": OURS}), "*", "*", json!({})));
    assert!(!denies(json!("*"), "s3:Get*", "*", json!({})));
    assert!(!denies(json!("*"), "*", "arn:aws:s3:::record/a/*", json!({})));
    let odd = json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}});
    assert!(!denies(json!("*"), "*", "*", odd));
}
