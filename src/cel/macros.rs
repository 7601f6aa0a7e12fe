//! The macros of CEL: calls that are not functions, because they bind a name or look at a field.
//!
//! A call with another number of arguments is a function of that name, which `check` then does not know.

use super::syntax::{Expression, Inner, Kind, Loop, Over};

/// What is wrong with a macro, and where.
type Misused = (usize, &'static str);

/// Makes a call what it means.
pub(super) fn expand(
    target: Option<Inner>,
    function: String,
    arguments: Vec<Expression>,
) -> Result<Kind, Misused> {
    let Some(target) = target else {
        return match (function.as_str(), <[Expression; 1]>::try_from(arguments)) {
            ("has", Ok([field])) => has(field),
            (_, arguments) => Ok(Kind::Call {
                target: None,
                function,
                arguments: arguments.map_or_else(|all| all, Vec::from),
            }),
        };
    };
    let over = match (function.as_str(), arguments.len()) {
        ("all", 2) => Over::All,
        ("exists", 2) => Over::Exists,
        ("exists_one" | "existsOne", 2) => Over::ExistsOne,
        ("filter", 2) => Over::Filter,
        ("map", 2 | 3) => Over::Map,
        ("optMap", 2) => return optional_map(target, arguments, false),
        ("optFlatMap", 2) => return optional_map(target, arguments, true),
        _ => {
            return Ok(Kind::Call {
                target: Some(target),
                function,
                arguments,
            });
        }
    };
    each(over, *target, arguments)
}

fn has(field: Expression) -> Result<Kind, Misused> {
    match field.kind {
        Kind::Select {
            operand,
            field,
            is_optional: false,
        } => Ok(Kind::Has { operand, field }),
        _ => Err((field.at, "invalid argument to has() macro")),
    }
}

fn each(over: Over, range: Expression, arguments: Vec<Expression>) -> Result<Kind, Misused> {
    let mut arguments = arguments.into_iter();
    let variable = name(arguments.next())?;
    let body = arguments.next_back().ok_or(NO_BODY)?;
    Ok(Kind::Loop(Box::new(Loop {
        over,
        range,
        variable,
        condition: arguments.next(),
        body,
    })))
}

fn optional_map(target: Inner, arguments: Vec<Expression>, is_flat: bool) -> Result<Kind, Misused> {
    let mut arguments = arguments.into_iter();
    let variable = name(arguments.next())?;
    let body = Box::new(arguments.next().ok_or(NO_BODY)?);
    Ok(Kind::OptionalMap {
        target,
        variable,
        body,
        is_flat,
    })
}

const NO_BODY: Misused = (0, "argument must be an expression");

fn name(argument: Option<Expression>) -> Result<String, Misused> {
    match argument {
        Some(Expression {
            kind: Kind::Name(name),
            ..
        }) => Ok(name),
        Some(other) => Err((other.at, "argument must be a simple name")),
        None => Err(NO_BODY),
    }
}
