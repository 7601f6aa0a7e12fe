//! Whether the names that a definition asks for are free in its group, and what its status says about it.
//!
//! The rules and words of Kubernetes' naming controller: a name belongs to the definition that was given it first, and
//! a definition that asks for other names keeps those it has until the others are free.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::cluster::object::{as_map, member_mut, text, texts};

/// The names that the definitions of one group were given.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Plurals, singulars and short names.
    resources: HashSet<String>,
    /// Kinds, and kinds of lists.
    kinds: HashSet<String>,
}

impl Taken {
    /// What these definitions, all of one group, were given.
    pub(crate) fn by<'a>(definitions: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut taken = Self::default();
        for definition in definitions {
            let Some(names) = definition.pointer("/status/acceptedNames") else {
                continue;
            };
            let of = |keys: [&str; 2]| keys.map(|key| name(names, key).to_owned());
            taken.resources.extend(of(["plural", "singular"]));
            let short_names = texts(names, &["shortNames"]);
            taken
                .resources
                .extend(short_names.into_iter().map(str::to_owned));
            taken.kinds.extend(of(["kind", "listKind"]));
        }
        taken
    }
}

/// Gives a definition the names it asks for as far as they are free, and says in its status whether all were.
pub(crate) fn accept(definition: &mut Value, taken: &Taken, now: &str) {
    let asked = definition
        .pointer("/spec/names")
        .cloned()
        .unwrap_or_default();
    let was_established = is_established(definition);
    let status = member_mut(definition, "status");
    let mut claim = Claim {
        asked: &asked,
        accepted: as_map(status.entry("acceptedNames").or_insert(Value::Null)),
        taken,
        conflict: None,
    };
    claim.all();
    let conflict = claim.conflict;
    let accepted = match &conflict {
        None => Finding::new(true, "NoConflicts", "no conflicts found"),
        Some((reason, message)) => Finding::new(false, reason, message),
    };
    report(status, "NamesAccepted", &accepted, now);
    let established = match conflict {
        _ if was_established => return,
        None => Finding::new(
            true,
            "InitialNamesAccepted",
            "the initial names have been accepted",
        ),
        Some(_) => Finding::new(false, "NotAccepted", "not all names are accepted"),
    };
    report(status, "Established", &established, now);
}

/// Whether all names of a definition were free at some time, and its types are served since.
pub(crate) fn is_established(definition: &Value) -> bool {
    says(definition, "Established", "True")
}

/// Whether a definition waits for a name that another one has.
pub(crate) fn is_waiting(definition: &Value) -> bool {
    says(definition, "NamesAccepted", "False")
}

fn says(definition: &Value, type_: &str, status: &str) -> bool {
    let conditions = definition
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        text(condition, &["type"]) == Some(type_) && text(condition, &["status"]) == Some(status)
    })
}

/// Marks a definition as going.
pub(crate) fn terminate(definition: &mut Value, now: &str) {
    let finding = Finding::new(
        true,
        "InstanceDeletionInProgress",
        "CustomResource deletion is in progress",
    );
    report(
        member_mut(definition, "status"),
        "Terminating",
        &finding,
        now,
    );
}

/// A definition that takes its names one after the other.
struct Claim<'a> {
    asked: &'a Value,
    accepted: &'a mut Map<String, Value>,
    taken: &'a Taken,
    /// The reason and the message of the last conflict, which is the one that is told.
    conflict: Option<(&'static str, String)>,
}

impl Claim<'_> {
    /// Takes the names that are free, in the order of Kubernetes.
    fn all(&mut self) {
        let Taken { resources, kinds } = self.taken;
        self.one("plural", resources, "PluralConflict");
        self.one("singular", resources, "SingularConflict");
        self.short_names();
        self.one("kind", kinds, "KindConflict");
        self.one("listKind", kinds, "ListKindConflict");
        let categories = texts(self.asked, &["categories"]);
        self.set("categories", json!(categories), categories.is_empty());
        // The API always shows these two, even when they are not accepted.
        for key in ["plural", "kind"] {
            self.accepted.entry(key).or_insert_with(|| "".into());
        }
    }

    fn one(&mut self, key: &str, used: &HashSet<String>, reason: &'static str) {
        let wanted = name(self.asked, key);
        let has = self.accepted.get(key).and_then(Value::as_str);
        if wanted != has.unwrap_or_default() && used.contains(wanted) {
            self.conflict = Some((reason, in_use(wanted)));
        } else {
            self.set(key, wanted.into(), wanted.is_empty());
        }
    }

    /// Takes all short names or none.
    fn short_names(&mut self) {
        let wanted = texts(self.asked, &["shortNames"]);
        let has = self.accepted.get("shortNames");
        let has = has.map(|has| texts(has, &[])).unwrap_or_default();
        let is_used =
            |wanted: &&&str| !has.contains(*wanted) && self.taken.resources.contains(**wanted);
        let mut used: Vec<String> = wanted
            .iter()
            .filter(is_used)
            .map(|name| in_use(name))
            .collect();
        let mut told = HashSet::new();
        used.retain(|message| told.insert(message.clone()));
        let message = match used.as_slice() {
            [] => return self.set("shortNames", json!(wanted), wanted.is_empty()),
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        self.conflict = Some(("ShortNamesConflict", message));
    }

    fn set(&mut self, key: &str, value: Value, is_empty: bool) {
        if is_empty {
            self.accepted.remove(key);
        } else {
            self.accepted.insert(key.to_owned(), value);
        }
    }
}

fn in_use(name: &str) -> String {
    format!("{} is already in use", Value::from(name))
}

fn name<'a>(names: &'a Value, key: &str) -> &'a str {
    text(names, &[key]).unwrap_or_default()
}

/// What a condition says.
struct Finding<'a> {
    is_true: bool,
    reason: &'a str,
    message: &'a str,
}

impl<'a> Finding<'a> {
    fn new(is_true: bool, reason: &'a str, message: &'a str) -> Self {
        Self {
            is_true,
            reason,
            message,
        }
    }
}

/// Sets a condition; the time of its last transition stays unless it is one.
fn report(status: &mut Map<String, Value>, type_: &str, finding: &Finding<'_>, now: &str) {
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else {
        return;
    };
    let value = if finding.is_true { "True" } else { "False" };
    let known = conditions
        .iter_mut()
        .find(|known| text(known, &["type"]) == Some(type_));
    let since = known
        .as_ref()
        .filter(|known| text(known, &["status"]) == Some(value))
        .and_then(|known| text(known, &["lastTransitionTime"]))
        .unwrap_or(now);
    let condition = json!({
        "type": type_, "status": value, "reason": finding.reason, "message": finding.message, "lastTransitionTime": since,
    });
    match known {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(names: &Value) -> Value {
        json!({"spec": {"group": "x.io", "names": names}})
    }

    fn one() -> Value {
        let mut one = definition(
            &json!({"plural": "ones", "singular": "one", "kind": "One", "listKind": "OneList", "shortNames": ["o", "oo"]}),
        );
        accept(&mut one, &Taken::default(), "then");
        one
    }

    fn condition(definition: &Value, index: usize) -> [&str; 3] {
        let condition = &definition["status"]["conditions"][index];
        ["status", "reason", "message"].map(|key| condition[key].as_str().unwrap())
    }

    #[track_caller]
    fn check(names: &Value, reason: &str, message: &str, accepted: &Value) {
        let mut other = definition(names);
        accept(&mut other, &Taken::by([&one()]), "now");
        assert_eq!(condition(&other, 0), ["False", reason, message]);
        assert_eq!(
            condition(&other, 1),
            ["False", "NotAccepted", "not all names are accepted"]
        );
        assert_eq!(other["status"]["acceptedNames"], *accepted);
        assert!(!is_established(&other));
    }

    #[test]
    fn free_names_are_given_and_said_so_once() {
        let mut one = one();
        assert!(is_established(&one));
        assert_eq!(one["status"]["acceptedNames"], one["spec"]["names"]);
        assert_eq!(
            condition(&one, 0),
            ["True", "NoConflicts", "no conflicts found"]
        );
        let status = one["status"].clone();
        let taken = Taken::by([&one]);
        accept(&mut one, &taken, "later");
        assert_eq!(one["status"], status);
    }

    #[test]
    fn each_name_has_its_conflict() {
        let names = |plural, singular, kind, list| json!({"plural": plural, "singular": singular, "kind": kind, "listKind": list});
        check(
            &names("o", "five", "Five", "FiveList"),
            "PluralConflict",
            r#""o" is already in use"#,
            &json!({"plural": "", "singular": "five", "kind": "Five", "listKind": "FiveList"}),
        );
        check(
            &names("fours", "one", "Four", "FourList"),
            "SingularConflict",
            r#""one" is already in use"#,
            &json!({"plural": "fours", "kind": "Four", "listKind": "FourList"}),
        );
        check(
            &names("sixes", "six", "OneList", "SixList"),
            "KindConflict",
            r#""OneList" is already in use"#,
            &json!({"plural": "sixes", "singular": "six", "kind": "", "listKind": "SixList"}),
        );
        check(
            &names("sevens", "seven", "Seven", "One"),
            "ListKindConflict",
            r#""One" is already in use"#,
            &json!({"plural": "sevens", "singular": "seven", "kind": "Seven"}),
        );
    }

    #[test]
    fn short_names_are_given_together_and_later_conflicts_are_told() {
        let mut names = json!({"plural": "threes", "kind": "Three", "listKind": "ThreeList", "shortNames": ["o", "x", "oo", "o"]});
        let accepted = json!({"plural": "threes", "kind": "Three", "listKind": "ThreeList"});
        let both = r#"["o" is already in use, "oo" is already in use]"#;
        check(&names, "ShortNamesConflict", both, &accepted);
        names["singular"] = "one".into();
        names["kind"] = "One".into();
        let accepted = json!({"plural": "threes", "kind": "", "listKind": "ThreeList"});
        let told = r#""One" is already in use"#;
        check(&names, "KindConflict", told, &accepted);
    }

    #[test]
    fn an_established_definition_keeps_its_names_until_the_others_are_free() {
        let mut nine = definition(
            &json!({"plural": "nines", "kind": "Nine", "listKind": "NineList", "shortNames": ["n"]}),
        );
        accept(&mut nine, &Taken::by([&one()]), "then");
        nine["spec"]["names"]["shortNames"] = json!(["o"]);
        nine["spec"]["names"]["categories"] = json!(["all"]);
        let taken = Taken::by([&one(), &nine]);
        accept(&mut nine, &taken, "now");
        assert_eq!(condition(&nine, 0)[1], "ShortNamesConflict");
        assert!(is_established(&nine));
        assert_eq!(nine["status"]["acceptedNames"]["shortNames"], json!(["n"]));
        assert_eq!(
            nine["status"]["acceptedNames"]["categories"],
            json!(["all"])
        );
        let transition = &nine["status"]["conditions"][0]["lastTransitionTime"];
        assert_eq!(transition, "now");
        let taken = Taken::by([&nine]);
        accept(&mut nine, &taken, "later");
        assert_eq!(nine["status"]["acceptedNames"], nine["spec"]["names"]);
        assert_eq!(condition(&nine, 0)[0], "True");
    }
}
