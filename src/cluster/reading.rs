//! What a stored object looks like through the schemas that read it, worked out once for each of them.
//!
//! What reading does to an object is the schema's; here is only what is remembered of it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::{
    record::Record,
    schema::{Schema, SchemaId},
};

/// The most schemas that are remembered: more versions of one type are seldom served.
const MOST: usize = 4;

/// What the latest schemas made of one object.
#[derive(Default)]
pub(crate) struct Readings {
    /// A schema that leaves the object as it is, so that most readers need no lock; zero when none is known.
    complete_for: AtomicU64,
    known: Mutex<Vec<Reading>>,
}

struct Reading {
    schema: SchemaId,
    /// Nothing when the object is already what the schema makes of it.
    record: Option<Arc<Record>>,
}

impl Readings {
    /// Notes that a schema leaves the object as it is, for the object was written with it.
    pub(crate) fn complete_for(&self, schema: &Schema) {
        self.complete_for.store(schema.id().0, Ordering::Relaxed);
    }

    /// The object as a schema reads it; the same one when the schema makes nothing else of it.
    pub(super) fn of(&self, record: &Arc<Record>, schema: &Schema) -> Arc<Record> {
        if self.complete_for.load(Ordering::Relaxed) == schema.id().0 {
            return Arc::clone(record);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|known| known.schema == schema.id());
        let reading = match found.map(|found| found.record.clone()) {
            Some(reading) => reading,
            None => read(&mut known, record, schema),
        };
        reading.unwrap_or_else(|| {
            self.complete_for(schema);
            Arc::clone(record)
        })
    }
}

/// Reads the object and remembers what came of it in place of the oldest reading.
fn read(known: &mut Vec<Reading>, record: &Record, schema: &Schema) -> Option<Arc<Record>> {
    let value = schema.read(&record.value());
    let record = value.map(|value| Arc::new(Record::of(&value, record.revision)));
    if known.len() == MOST {
        known.remove(0);
    }
    known.push(Reading {
        schema: schema.id(),
        record: record.clone(),
    });
    record
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn schema(fields: &Value) -> Schema {
        let spec = json!({"type": "object", "properties": fields});
        Schema::compile(&json!({"type": "object", "properties": {"spec": spec}})).unwrap()
    }

    fn record(spec: &Value) -> Arc<Record> {
        let metadata = json!({"name": "x", "resourceVersion": "7"});
        Arc::new(Record::of(&json!({"metadata": metadata, "spec": spec}), 7))
    }

    #[test]
    fn a_reading_is_made_once_for_each_schema() {
        let record = record(&json!({"a": "1", "gone": "2"}));
        let schemas = [
            schema(&json!({"a": {"type": "string"}, "b": {"type": "string", "default": "new"}})),
            schema(&json!({"a": {"type": "string"}})),
        ];
        let expected = [json!({"a": "1", "b": "new"}), json!({"a": "1"})];
        let first = schemas.each_ref().map(|schema| record.read_by(schema));
        for ((reading, schema), expected) in first.iter().zip(&schemas).zip(expected) {
            assert_eq!(reading.value()["spec"], expected);
            assert_eq!(reading.value()["metadata"]["resourceVersion"], "7");
            assert!(Arc::ptr_eq(&record.read_by(schema), reading), "{expected}");
        }
    }

    #[test]
    fn an_object_that_is_complete_is_read_as_it_is() {
        let record = record(&json!({"a": "1"}));
        for _ in 0..MOST * 2 {
            let schema = schema(&json!({"a": {"type": "string"}}));
            assert!(Arc::ptr_eq(&record.read_by(&schema), &record));
        }
    }

    #[test]
    fn few_readings_are_remembered() {
        let record = record(&json!({"gone": "1"}));
        for _ in 0..MOST * 2 {
            record.read_by(&schema(&json!({})));
        }
        assert_eq!(record.readings().known.lock().unwrap().len(), MOST);
    }
}
