//! From words to a tree: the grammar of CEL, with its macros.
//!
//! Names and types are `check`'s, as is the depth of the tree; here only recursion is bounded.

use super::{
    bounds::MAX_DEPTH,
    literal::Literal,
    macros,
    problem::SyntaxError,
    syntax::{Element, Entry, Expression, Inner, Kind},
    token::{self, Token, Word},
    value::Value,
};

/// Names that the language keeps for itself.
const RESERVED: [&str; 15] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
];

/// The binary operators, those that bind tightest last.
const LEVELS: [&[&str]; 3] = [
    &["==", "!=", "<", "<=", ">", ">=", "in"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// Parses a text that is within bounds.
pub(super) fn parse(text: &str) -> Result<Expression, SyntaxError> {
    let words = token::words(text)?;
    let mut parser = Parser {
        text,
        words: &words,
        depth: 0,
    };
    let expression = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(expression),
        _ => Err(parser.unexpected("<EOF>")),
    }
}

type Parsed = Result<Expression, SyntaxError>;

struct Parser<'t> {
    text: &'t str,
    words: &'t [Word],
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.words.first().map_or(&Token::End, |word| &word.token)
    }

    fn at(&self) -> usize {
        self.words.first().map_or(self.text.len(), |word| word.at)
    }

    fn advance(&mut self) {
        if let [_, rest @ ..] = self.words {
            self.words = rest;
        }
    }

    /// Takes a symbol, if it is the next word.
    fn takes(&mut self, symbol: &str) -> bool {
        let is_next = matches!(self.peek(), Token::Symbol(next) if *next == symbol);
        if is_next {
            self.advance();
        }
        is_next
    }

    fn expect(&mut self, symbol: &str) -> Result<(), SyntaxError> {
        if self.takes(symbol) {
            Ok(())
        } else {
            Err(self.unexpected(symbol))
        }
    }

    fn identifier(&mut self) -> Result<String, SyntaxError> {
        match self.peek() {
            Token::Identifier(name) => {
                let name = name.clone();
                self.advance();
                Ok(name)
            }
            _ => Err(self.unexpected("IDENTIFIER")),
        }
    }

    fn error(&self, at: usize, detail: impl Into<String>) -> SyntaxError {
        SyntaxError::new(self.text, at, detail)
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        let found = match self.peek() {
            Token::Identifier(name) => name.clone(),
            Token::Symbol(symbol) => (*symbol).to_owned(),
            Token::Literal(_) => "a literal".to_owned(),
            Token::End => "<EOF>".to_owned(),
        };
        let detail = format!("Syntax error: mismatched input '{found}' expecting '{expected}'");
        self.error(self.at(), detail)
    }

    /// Parses something that may contain what contains it.
    fn deeper(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth >= MAX_DEPTH {
            let detail = format!("expression recursion limit exceeded: {MAX_DEPTH}");
            return Err(self.error(self.at(), detail));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Parsed {
        self.deeper(|parser| {
            let condition = parser.disjunction()?;
            let at = parser.at();
            if !parser.takes("?") {
                return Ok(condition);
            }
            let then = parser.disjunction()?;
            parser.expect(":")?;
            let otherwise = parser.expression()?;
            let kind = Kind::Conditional(Box::new([condition, then, otherwise]));
            Ok(Expression { at, kind })
        })
    }

    fn disjunction(&mut self) -> Parsed {
        self.chain("||", Self::conjunction, Kind::Or)
    }

    fn conjunction(&mut self) -> Parsed {
        self.chain("&&", |parser| parser.binary(0), Kind::And)
    }

    /// Parts with one operator between them, as one flat list.
    fn chain(
        &mut self,
        operator: &str,
        part: impl Fn(&mut Self) -> Parsed,
        kind: impl FnOnce(Vec<Expression>) -> Kind,
    ) -> Parsed {
        let first = part(self)?;
        let at = self.at();
        let mut parts = vec![first];
        while self.takes(operator) {
            parts.push(part(self)?);
        }
        match parts.len() {
            1 => parts.pop().ok_or_else(|| self.unexpected(operator)),
            _ => Ok(Expression {
                at,
                kind: kind(parts),
            }),
        }
    }

    fn binary(&mut self, level: usize) -> Parsed {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Token::Symbol(operator) = self.peek()
            && operators.contains(operator)
        {
            let (operator, at) = (*operator, self.at());
            self.advance();
            let right = self.binary(level + 1)?;
            left = operation(at, operator, vec![left, right]);
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let at = self.at();
        if self.takes("!") {
            let operand = self.deeper(Self::unary)?;
            return Ok(operation(at, "!", vec![operand]));
        }
        let is_number = |word: &Word| {
            matches!(
                word.token,
                Token::Literal(Literal::Int(_) | Literal::Double(_))
            )
        };
        let negates = matches!(self.peek(), Token::Symbol("-"));
        if negates && !self.words.get(1).is_some_and(is_number) {
            self.advance();
            let operand = self.deeper(Self::unary)?;
            return Ok(operation(at, "negate", vec![operand]));
        }
        self.member()
    }

    fn member(&mut self) -> Parsed {
        let mut operand = self.primary()?;
        loop {
            let at = self.at();
            let step = match self.peek() {
                Token::Symbol(step @ ("." | ".?" | "[" | "[?")) => *step,
                Token::Symbol("{") if names_something(&operand) => {
                    let detail = "messages are not supported; write a map, such as {'a': 1}";
                    return Err(self.error(at, detail));
                }
                _ => return Ok(operand),
            };
            self.advance();
            operand = match step {
                "." | ".?" => self.select(at, Box::new(operand), step == ".?")?,
                _ => {
                    let index = self.expression()?;
                    self.expect("]")?;
                    let function = if step == "[?" { "[?]" } else { "[]" };
                    operation(at, function, vec![operand, index])
                }
            };
        }
    }

    /// What follows a dot: a field, or a function with its arguments.
    fn select(&mut self, at: usize, operand: Inner, is_optional: bool) -> Parsed {
        let field = self.identifier()?;
        let call_at = self.at();
        if is_optional || !self.takes("(") {
            let kind = Kind::Select {
                operand,
                field,
                is_optional,
            };
            return Ok(Expression { at, kind });
        }
        let arguments = self.arguments()?;
        self.call(call_at, Some(operand), field, arguments)
    }

    fn call(
        &self,
        at: usize,
        target: Option<Inner>,
        function: String,
        arguments: Vec<Expression>,
    ) -> Parsed {
        let kind = macros::expand(target, function, arguments);
        let kind = kind.map_err(|(at, detail)| self.error(at, detail))?;
        Ok(Expression { at, kind })
    }

    fn arguments(&mut self) -> Result<Vec<Expression>, SyntaxError> {
        let mut arguments = Vec::new();
        if self.takes(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if self.takes(")") {
                return Ok(arguments);
            }
            self.expect(",")?;
        }
    }

    fn primary(&mut self) -> Parsed {
        let at = self.at();
        let kind = match self.peek().clone() {
            Token::Literal(literal) => {
                self.advance();
                self.literal(at, literal, false)?
            }
            Token::Symbol("-") => {
                self.advance();
                match self.peek().clone() {
                    Token::Literal(literal) => {
                        self.advance();
                        self.literal(at, literal, true)?
                    }
                    _ => return Err(self.unexpected("NUM_INT")),
                }
            }
            Token::Symbol("(") => {
                self.advance();
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Symbol("[") => {
                self.advance();
                Kind::List(self.elements(false)?)
            }
            Token::Symbol("[?") => {
                self.advance();
                Kind::List(self.elements(true)?)
            }
            Token::Symbol("{") => {
                self.advance();
                Kind::Map(self.entries()?)
            }
            Token::Symbol(".") => {
                self.advance();
                return self.named(at);
            }
            Token::Identifier(_) => return self.named(at),
            Token::Symbol(_) | Token::End => return Err(self.unexpected("an expression")),
        };
        Ok(Expression { at, kind })
    }

    fn literal(&self, at: usize, literal: Literal, is_negative: bool) -> Result<Kind, SyntaxError> {
        let value = match literal {
            Literal::Int(digits) => {
                let value = digits.signed(is_negative).map(Value::Int);
                let error = || self.error(at, "invalid int literal");
                return value.map(Kind::Constant).ok_or_else(error);
            }
            Literal::Double(value) if is_negative => Value::Double(-value),
            Literal::Double(value) => Value::Double(value),
            Literal::Null => Value::Null,
            Literal::Bool(value) => Value::Bool(value),
            Literal::Uint(value) => Value::Uint(value),
            Literal::String(text) => Value::text(text),
            Literal::Bytes(bytes) => Value::Bytes(bytes.into()),
        };
        Ok(Kind::Constant(value))
    }

    /// A variable, or a function with its arguments.
    fn named(&mut self, at: usize) -> Parsed {
        let name = self.identifier()?;
        if RESERVED.contains(&name.as_str()) || ["void", "while"].contains(&name.as_str()) {
            return Err(self.error(at, format!("reserved identifier: {name}")));
        }
        let call_at = self.at();
        if self.takes("(") {
            let arguments = self.arguments()?;
            return self.call(call_at, None, name, arguments);
        }
        let kind = Kind::Name(name);
        Ok(Expression { at, kind })
    }

    fn elements(&mut self, mut is_optional: bool) -> Result<Vec<Element>, SyntaxError> {
        let mut elements = Vec::new();
        while is_optional || !self.takes("]") {
            is_optional |= self.takes("?");
            let value = self.expression()?;
            elements.push(Element { is_optional, value });
            is_optional = false;
            if !self.takes(",") {
                self.expect("]")?;
                break;
            }
        }
        Ok(elements)
    }

    fn entries(&mut self) -> Result<Vec<Entry>, SyntaxError> {
        let mut entries = Vec::new();
        while !self.takes("}") {
            let is_optional = self.takes("?");
            let key = self.expression()?;
            self.expect(":")?;
            let value = self.expression()?;
            entries.push(Entry {
                is_optional,
                key,
                value,
            });
            if !self.takes(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(entries)
    }
}

fn names_something(expression: &Expression) -> bool {
    matches!(expression.kind, Kind::Name(_) | Kind::Select { .. })
}

/// An operator as the function that cel-go takes it for.
fn operation(at: usize, operator: &str, arguments: Vec<Expression>) -> Expression {
    let function = match operator {
        "in" => "@in".to_owned(),
        "[]" => "_[_]".to_owned(),
        "[?]" => "_[?_]".to_owned(),
        "!" => "!_".to_owned(),
        "negate" => "-_".to_owned(),
        binary => format!("_{binary}_"),
    };
    let kind = Kind::Call {
        target: None,
        function,
        arguments,
    };
    Expression { at, kind }
}
