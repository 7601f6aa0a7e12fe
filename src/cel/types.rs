//! The types of expressions, and which of them can stand for which.
//!
//! The rules are cel-go's; which functions take which types is in `library`.

use std::fmt;

/// A type, as far as it is known before an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Any value; which one is known when it is evaluated.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Duration,
    Timestamp,
    /// The type of types.
    OfTypes,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Optional(Box<Type>),
    /// Any type, but the same one wherever the letter stands in a signature.
    Parameter(char),
    /// A type that is still to be found out.
    Unknown(usize),
}

impl Type {
    pub(super) fn list(of: Type) -> Self {
        Self::List(Box::new(of))
    }

    pub(super) fn map(keys: Type, values: Type) -> Self {
        Self::Map(Box::new(keys), Box::new(values))
    }

    pub(super) fn optional(of: Type) -> Self {
        Self::Optional(Box::new(of))
    }

    /// The type of a variable: what JSON calls an object.
    pub(super) fn object() -> Self {
        Self::map(Self::String, Self::Dyn)
    }

    /// The same type with others within it.
    fn with_parts(&self, change: &mut impl FnMut(&Type) -> Type) -> Type {
        match self {
            Self::List(of) => Self::list(change(of)),
            Self::Map(keys, values) => Self::map(change(keys), change(values)),
            Self::Optional(of) => Self::optional(change(of)),
            simple => simple.clone(),
        }
    }

    /// Whether values of the other type are among the values of this one.
    fn is_as_general_as(&self, other: &Type) -> bool {
        match (self, other) {
            (Self::Dyn, _) => true,
            (Self::List(own), Self::List(other)) | (Self::Optional(own), Self::Optional(other)) => {
                own.is_as_general_as(other)
            }
            (Self::Map(keys, values), Self::Map(other_keys, other_values)) => {
                keys.is_as_general_as(other_keys) && values.is_as_general_as(other_values)
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::List(of) => return write!(f, "list({of})"),
            Self::Map(keys, values) => return write!(f, "map({keys}, {values})"),
            Self::Optional(of) => return write!(f, "optional_type({of})"),
            Self::Parameter(letter) => return write!(f, "{letter}"),
            Self::Dyn | Self::Unknown(_) => "dyn",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Timestamp => "timestamp",
            Self::OfTypes => "type",
        };
        f.write_str(name)
    }
}

/// What has been found out about unknown types.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Vec<Option<Type>>);

impl Known {
    /// A type that is still to be found out.
    pub(super) fn unknown(&mut self) -> Type {
        self.0.push(None);
        Type::Unknown(self.0.len() - 1)
    }

    /// A signature's type, with an unknown one for each of its parameters.
    pub(super) fn instance(&mut self, of: &Type, parameters: &mut Vec<(char, Type)>) -> Type {
        let Type::Parameter(letter) = of else {
            return of.with_parts(&mut |part| self.instance(part, parameters));
        };
        if let Some((_, known)) = parameters.iter().find(|(known, _)| known == letter) {
            return known.clone();
        }
        let unknown = self.unknown();
        parameters.push((*letter, unknown.clone()));
        unknown
    }

    /// The type with all in it that is known by now.
    pub(super) fn resolved(&self, of: &Type) -> Type {
        match of {
            Type::Unknown(index) => match self.0.get(*index) {
                Some(Some(known)) => self.resolved(known),
                _ => of.clone(),
            },
            other => other.with_parts(&mut |part| self.resolved(part)),
        }
    }

    /// The type with `dyn` for all that nothing was found out about.
    pub(super) fn settled(&self, of: &Type) -> Type {
        match self.resolved(of) {
            Type::Unknown(_) => Type::Dyn,
            other => other.with_parts(&mut |part| self.settled(part)),
        }
    }

    /// Whether a value of one type can stand where another is needed; what follows for unknown types is kept if so.
    pub(super) fn assign_all(&mut self, pairs: &[(&Type, &Type)]) -> bool {
        let mut known = self.clone();
        let fits = pairs.iter().all(|(from, to)| known.assign(from, to));
        if fits {
            *self = known;
        }
        fits
    }

    fn assign(&mut self, from: &Type, to: &Type) -> bool {
        let from = self.resolved(from);
        if let Type::Unknown(index) = to
            && let Some(Some(bound)) = self.0.get(*index).cloned()
        {
            let fits = self.assign(&from, &bound);
            let bound = self.resolved(&bound);
            if fits && from.is_as_general_as(&bound) && !matches!(from, Type::Unknown(_)) {
                self.learn(*index, from);
            }
            return fits;
        }
        match (&from, &self.resolved(to)) {
            (Type::Unknown(own), Type::Unknown(other)) if own == other => true,
            (_, Type::Unknown(index)) => self.bind(*index, from),
            (Type::Unknown(index), to) => self.bind(*index, to.clone()),
            (Type::Dyn, _)
            | (_, Type::Dyn)
            | (Type::Null, Type::Timestamp | Type::Duration | Type::Optional(_)) => true,
            (Type::List(from), Type::List(to)) | (Type::Optional(from), Type::Optional(to)) => {
                self.assign(from, to)
            }
            (Type::Map(from_keys, from_values), Type::Map(to_keys, to_values)) => {
                self.assign(from_keys, to_keys) && self.assign(from_values, to_values)
            }
            (from, to) => from == to,
        }
    }

    fn bind(&mut self, index: usize, to: Type) -> bool {
        let is_circular = self.contains(&to, index);
        if !is_circular {
            self.learn(index, to);
        }
        !is_circular
    }

    fn learn(&mut self, index: usize, what: Type) {
        if let Some(slot) = self.0.get_mut(index) {
            *slot = Some(what);
        }
    }

    fn contains(&self, whole: &Type, index: usize) -> bool {
        match self.resolved(whole) {
            Type::Unknown(other) => other == index,
            Type::List(of) | Type::Optional(of) => self.contains(&of, index),
            Type::Map(keys, values) => self.contains(&keys, index) || self.contains(&values, index),
            _ => false,
        }
    }
}
