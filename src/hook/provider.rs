//! An issuer whose tokens a Receiver accepts, and what they must claim.
//!
//! Made by `compile` from `spec.oidcProviders`; its keys are fetched elsewhere.

use std::sync::Arc;

use super::{
    jwt::{Claims, RefusedToken},
    problem::ProviderProblem,
};
use crate::{
    api::receiver::OidcProvider,
    cel::{Meter, Output, Program, Value, Variables},
};

/// One entry of `spec.oidcProviders`, ready for deliveries.
#[derive(Clone, Debug)]
pub(super) struct Provider {
    /// The issuer, exactly as tokens name it.
    pub(super) issuer: Arc<str>,
    /// Whom tokens must be for.
    pub(super) audience: String,
    /// What tokens must claim.
    pub(super) rules: Rules,
}

/// The name of what a token claims, in expressions.
pub(super) const CLAIMS: &str = "claims";
/// The name of the variables computed so far, in expressions.
const VARS: &str = "vars";

/// What the claims of a token must satisfy.
#[derive(Clone, Debug)]
pub(super) struct Rules(Arc<Compiled>);

#[derive(Debug, Default)]
struct Compiled {
    /// Names with their expressions, in the order they are evaluated.
    variables: Vec<(String, Program)>,
    /// Expressions with what is said when they are false.
    validations: Vec<(Program, String)>,
}

impl Rules {
    /// Compiles what can be compiled, with a problem for what cannot; empty expressions are somebody else's problem.
    pub(super) fn compile(provider: &OidcProvider) -> (Self, Vec<ProviderProblem>) {
        let compile =
            |expression: &str, output| Program::compile(expression, &[CLAIMS, VARS], output);
        let (mut compiled, mut problems) = (Compiled::default(), Vec::new());
        for variable in &provider.variables {
            if variable.expression.is_empty() {
                continue;
            }
            let name = variable.name.clone();
            match compile(&variable.expression, Output::Any) {
                Ok(program) => compiled.variables.push((name, program)),
                Err(error) => problems.push(ProviderProblem::InvalidVariable { name, error }),
            }
        }
        for validation in &provider.validations {
            if validation.expression.is_empty() {
                continue;
            }
            let message = validation.message.clone();
            match compile(&validation.expression, Output::Bool) {
                Ok(program) => compiled.validations.push((program, message)),
                Err(error) => problems.push(ProviderProblem::InvalidValidation { message, error }),
            }
        }
        (Self(Arc::new(compiled)), problems)
    }

    /// Checks the claims of a token that is proven; all rules together have one budget.
    pub(super) fn check(&self, claims: &Claims) -> Result<(), RefusedToken> {
        let mut meter = Meter::new(&|| false);
        let known = self.0.compute(claims, &mut meter)?;
        let failed = self.0.failed(&known, &mut meter)?;
        if failed.is_empty() {
            return Ok(());
        }
        let reason = format!("token validation failed: {}", failed.join("; "));
        Err(RefusedToken::Invalid(reason))
    }
}

impl Compiled {
    /// The claims and all variables, each of which may use those before it.
    fn compute<'c>(
        &self,
        claims: &'c Claims,
        meter: &mut Meter<'_>,
    ) -> Result<Variables<'c>, RefusedToken> {
        let none = Value::from_iter([]);
        let known = Variables::default();
        let mut known = known.with(CLAIMS, claims.as_object()).with(VARS, none);
        let mut computed = Vec::new();
        for (name, program) in &self.variables {
            let value = program.evaluate(&known, meter).map_err(|error| {
                RefusedToken::Invalid(format!("failed to evaluate variable \"{name}\": {error}"))
            })?;
            computed.push((name.clone(), value));
            known = known.with(VARS, computed.iter().cloned().collect::<Value<'_>>());
        }
        Ok(known)
    }

    /// What is said of the validations that are false; one that cannot be evaluated ends it.
    fn failed(
        &self,
        known: &Variables<'_>,
        meter: &mut Meter<'_>,
    ) -> Result<Vec<&str>, RefusedToken> {
        let mut failed = Vec::new();
        for (program, message) in &self.validations {
            let holds = program.holds(known, meter).map_err(|error| {
                RefusedToken::Invalid(format!("failed to evaluate validation: {error}"))
            })?;
            if !holds {
                failed.push(message.as_str());
            }
        }
        Ok(failed)
    }
}
