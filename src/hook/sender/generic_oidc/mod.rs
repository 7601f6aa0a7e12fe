//! `generic-oidc`: anybody with a token of an issuer that the Receiver names, whose claims satisfy its rules.
//!
//! There is no shared secret, and the path is no credential. The body is neither signed nor read.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    super::{
        jwt::{Claims, Jwt, KeyRequest, KeySource, Quoted, RefusedToken, is_before},
        provider::Provider,
    },
    Asked, Claim, Keys, Profile, ReceiverType, Unauthentic, Verifier, Vouched,
};

/// How far in the future a token may begin to be valid, for clocks that differ.
const LEEWAY: SignedDuration = SignedDuration::from_mins(5);

pub(super) const PROFILE: Profile = Profile {
    signs_deliveries: Some(|_| Ok(())),
    keys: |_| Ok(Keys::default()),
    key_request: |claim| Some(unproven(claim).ok()?.1),
    verifier,
    sign: |_, _| None,
    ..Profile::of(Asked::Type(ReceiverType::GenericOidc))
};

fn verifier(claim: &Claim<'_>) -> Result<Verifier, Unauthentic> {
    let (provider, request) = unproven(claim)?;
    let message = claim.refuses_replays.then(|| request.jwt.digest());
    let claims = request.jwt.proven(claim.issuer_keys)?;
    provider.rules.check(&claims)?;
    Ok(Verifier::vouched_for(Vouched {
        claims: Some(claims),
        message,
    }))
}

/// The token, and the provider it is to be judged by, if nothing that can be told without keys speaks against it.
fn unproven<'c>(claim: &Claim<'c>) -> Result<(&'c Provider, KeyRequest), RefusedToken> {
    let token = claim.bearer()?.trim_ascii();
    if token.is_empty() {
        return Err(RefusedToken::NoToken);
    }
    let jwt = Jwt::parse(token)?;
    let issuer = jwt.claims().text("iss").ok_or(RefusedToken::NoIssuer)?;
    let mut providers = claim.providers.iter();
    let provider = providers
        .find(|provider| *provider.issuer == *issuer)
        .ok_or_else(|| RefusedToken::UnknownIssuer(Quoted::new(issuer)))?;
    if !jwt.claims().is_for(&provider.audience) {
        return Err(RefusedToken::WrongAudience);
    }
    check_times(jwt.claims(), claim.now)?;
    let source = KeySource::Discovered(Arc::clone(&provider.issuer));
    Ok((provider, KeyRequest { source, jwt }))
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<(), RefusedToken> {
    let expiry = claims.seconds("exp").ok_or(RefusedToken::Expired)?;
    if is_before(expiry, now) {
        return Err(RefusedToken::Expired);
    }
    if claims.find("nbf").is_none() {
        return Ok(());
    }
    let start = claims.seconds("nbf");
    let start = start.ok_or(RefusedToken::Malformed("its `nbf` is not a number"))?;
    let latest = now.saturating_add(LEEWAY).unwrap_or(now).as_nanosecond();
    if i128::from(start) * 1_000_000_000 > latest {
        Err(RefusedToken::NotYetValid)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
