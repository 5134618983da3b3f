//! What a configuration file can say: the defaults, and an example of what they leave open.

use toml::{Table, Value};

use super::Config;

/// The tables whose keys are the operator's own. One that is given replaces its default as a whole.
const FREE: [&str; 5] =
    ["tags", "database.parameters", "service.environment", "service.secrets", "backup.rules"];

/// Values of the keys that have no default, and an item of each list and free table that is empty by default.
const EXAMPLES: &str = r#"
region = "us-east-1"

[network]
admit = [{ group = "load-balancer", cidr = "172.16.0.0/12" }]

[security]
alarm_emails = ["security@university.example"]

[database]
parameters = { work_mem = "65536" }
classification = { retain_until = "2035-06-30" }

[cache]
classification = { retain_until = "2035-06-30" }

[stream]
classification = { retain_until = "2035-06-30" }

[disclosure]
classification = { retain_until = "2035-06-30" }

[files]
lifecycle = { archive_after_days = 90 }
classification = { retain_until = "2035-06-30" }

[backup]
classification = { retain_until = "2035-06-30" }
rules.daily = { cold_after_days = 30 }

[service]
entry_point = ["/usr/bin/env"]
environment = { LOG_FORMAT = "json" }
secrets = { API_KEY = "arn:aws:secretsmanager:us-east-1:123456789012:secret:api-AbCdEf" }

[certificate]
arn = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
host = "records.university.example"

[api]
user_pool_arns = ["arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_AbCdEf"]
oauth_scopes = ["records/read"]
authorizer_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:authorize"

[audit]
declared_accounts = ["123456789012"]
declared_regions = ["us-east-1"]
declared_readers = ["retention-forecast"]

[[audit.waivers]]
control = "FERPA-NET-12"
resource = "*"
reason = "the campus firewall stands before the API until the contract ends"
owner = "security@university.example"
expires = "2027-06-30"
"#;

/// Whether the keys of a table are the operator's own.
pub fn is_free(table: &str) -> bool {
    FREE.contains(&table)
}

/// The defaults of a file that says something, as TOML: which program runs it decides as a whole.
pub fn usual() -> String {
    let service = compute::Workload::default();
    toml::to_string(&Config { service, ..Config::default() }).expect("the defaults are TOML")
}

/// A value for every key that there is, as TOML.
pub fn sample() -> String {
    let mut sample = Table::try_from(Config::default()).expect("the defaults are TOML");
    merge(&mut sample, EXAMPLES.parse().expect("the examples are TOML"));
    sample.to_string()
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that hold plain values and lists, each with its value: `service.health.matcher`,
    /// `audit.waivers[0].control`.
    fn leaves(at: &str, value: &Value) -> Vec<(String, Value)> {
        let inner: Vec<(String, &Value)> = match value {
            Value::Table(table) => {
                let name =
                    |key: &str| if at.is_empty() { key.into() } else { format!("{at}.{key}") };
                table.iter().map(|(key, value)| (name(key), value)).collect()
            }
            Value::Array(items) if items.iter().any(Value::is_table) => {
                items.iter().take(1).map(|item| (format!("{at}[0]"), item)).collect()
            }
            _ => return vec![(at.to_owned(), value.clone())],
        };
        inner.into_iter().flat_map(|(at, value)| leaves(&at, value)).collect()
    }

    fn sample_leaves() -> Vec<(String, Value)> {
        leaves("", &Value::Table(sample().parse().unwrap()))
    }

    /// A document that says this and nothing else.
    fn only(key: &str, value: Value) -> Table {
        let mut value = value;
        for part in key.rsplit('.') {
            value = match part.strip_suffix("[0]") {
                Some(list) => {
                    [(list.to_owned(), Value::Array(vec![value]))].into_iter().collect::<Table>()
                }
                None => [(part.to_owned(), value)].into_iter().collect::<Table>(),
            }
            .into();
        }
        match value {
            Value::Table(table) => table,
            _ => unreachable!("a key has a part"),
        }
    }

    fn read(document: &Table) -> (Config, Vec<super::super::Fault>) {
        let (config, _, faults) = Config::parse("ferpa.toml", document.to_string()).unwrap();
        (config, faults)
    }

    #[test]
    fn the_sample_can_be_read_and_has_an_item_of_every_list() {
        let (_, faults) = read(&sample().parse().unwrap());
        assert_eq!(faults, []);
        for (key, value) in sample_leaves() {
            assert!(value.as_array().is_none_or(|items| !items.is_empty()), "{key}");
        }
    }

    #[test]
    fn whatever_a_section_says_the_rest_keeps_its_defaults() {
        let usual: Table = Table::try_from(Config::default()).unwrap();
        let is_free = |key: &str| FREE.iter().any(|free| key.starts_with(&format!("{free}.")));
        for (key, value) in leaves("", &Value::Table(usual.clone())) {
            // A free table replaces its default as a whole, an image brings its own command.
            if is_free(&key) || key.contains("[0]") || key == "service.image" {
                continue;
            }
            let (config, faults) = read(&only(&key, value));
            assert_eq!(faults, [], "{key}");
            assert_eq!(Table::try_from(&config).unwrap(), usual, "{key}");
        }
    }

    #[test]
    fn every_table_refuses_keys_that_it_does_not_know() {
        let mut tables: Vec<String> = sample_leaves()
            .into_iter()
            .filter_map(|(key, _)| Some(key.rsplit_once('.')?.0.to_owned()))
            .filter(|table| !FREE.contains(&table.as_str()))
            .collect();
        tables.dedup();
        assert!(tables.len() > 25, "{tables:?}");
        for table in tables {
            let unknown = format!("{table}.no_such_key");
            let (_, faults) = read(&only(&unknown, 1.into()));
            let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
            assert!(keys.contains(&unknown.as_str()), "{unknown}: {keys:?}");
        }
    }

    #[test]
    fn every_key_is_documented_in_its_section() {
        let text = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../docs/configuration.md"
        ));
        let text = text.unwrap();
        let sections: Vec<&str> = text.split("\n## ").collect();
        let about = |key: &str| {
            let heading = match key.split_once('.') {
                None => "Top level".to_owned(),
                Some((_, rest)) if rest.starts_with("classification.") => {
                    "Classification".to_owned()
                }
                Some((section, _)) => format!("`[{section}]`"),
            };
            sections.iter().find(|section| section.starts_with(&heading)).copied()
        };
        for (key, _) in sample_leaves() {
            if FREE.iter().any(|free| *free != "backup.rules" && key.starts_with(free)) {
                continue;
            }
            let name = key.rsplit('.').next().unwrap_or_default();
            let section = about(&key).unwrap_or_else(|| panic!("no section about {key}"));
            let is_there = section.contains(&format!("`{name}`"))
                || section.contains(&format!("{name} = "))
                || section.contains(&format!(".{name}`"));
            assert!(is_there, "{key}");
        }
        for free in FREE {
            let name = free.rsplit('.').next().unwrap_or_default();
            assert!(
                text.contains(&format!("`{name}`")) || text.contains(&format!("`[{name}]`")),
                "{free}"
            );
        }
    }
}
