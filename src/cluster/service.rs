//! The one function that answers requests, whatever door they came in by, as a `tower` service.
//!
//! It routes; reading, watching and writing are elsewhere.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request::Parts};
use serde_json::json;
use tower::{BoxError, Service};

use super::{
    Cluster, Embedded,
    accept::{self, Encoding, Form},
    content::{Content, Document},
    documents,
    object::ObjectName,
    options::{self, Options},
    patch::Patch,
    read,
    request::{Route, Target, route},
    resource::{Origin, Resource},
    response::{self, Body},
    review,
    selector::Selector,
    status::{self, Failure},
    view::View,
    watch::{self, Subject},
    write::{DeleteOptions, Deleted, Part, Write},
};

impl<B> Service<Request<B>> for Embedded
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let cluster = Arc::clone(&self.cluster);
        let encoding = accept::encoding(text(request.headers(), &header::ACCEPT));
        Box::pin(async move {
            let answer = answer(cluster, request).await;
            let answer = answer.unwrap_or_else(|failure| response::failure(&failure));
            Ok(match encoding {
                Encoding::Json => answer,
                Encoding::Yaml => response::in_yaml(answer).await,
            })
        })
    }
}

/// A request for objects of a type that is served.
struct Call {
    cluster: Arc<Cluster>,
    resource: Arc<Resource>,
    /// Empty for objects of the whole cluster; nothing for objects of all namespaces.
    namespace: Option<String>,
    part: Part,
    options: Options,
    form: Form,
    content: Content,
}

async fn answer<B>(cluster: Arc<Cluster>, request: Request<B>) -> Result<Response<Body>, Failure>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let (
        Parts {
            method,
            uri,
            headers,
            ..
        },
        body,
    ) = request.into_parts();
    let target = match route(uri.path()).ok_or_else(Failure::unknown_path)? {
        Route::Objects(target) => target,
        document if method == Method::GET => {
            return documents::answer(&cluster.registry.load(), &document, &headers);
        }
        _ => return Err(Failure::method_not_allowed()),
    };
    let registry = cluster.registry.load_full();
    let resource = registry
        .find(target.group, target.version, target.plural)
        .ok_or_else(Failure::unknown_path)?;
    let (namespace, part) = (namespace(resource, &target)?, part(resource, &target)?);
    let options = options::parse(&method, uri.query().unwrap_or_default())?;
    let call = Call {
        resource: Arc::clone(resource),
        namespace,
        part,
        form: accept::form(text(&headers, &header::ACCEPT), options.watch)?,
        options,
        content: Content::read(&headers, body).await?,
        cluster,
    };
    if resource.is_review() {
        return call.review(&method, target.name);
    }
    let call = if method == Method::GET && call.change().has_old_events() {
        call.without_old_events().await?
    } else {
        call
    };
    match target.name.map(str::to_owned) {
        Some(name) => call.one(&method, name).await,
        None => call.many(&method).await,
    }
}

fn namespace(resource: &Resource, target: &Target<'_>) -> Result<Option<String>, Failure> {
    match (resource.is_namespaced, target.namespace, target.name) {
        (true, Some(namespace), _) => Ok(Some(namespace.to_owned())),
        (true, None, None) => Ok(None),
        (false, None, _) => Ok(Some(String::new())),
        (true, None, Some(_)) | (false, Some(_), _) => Err(Failure::unknown_path()),
    }
}

fn part(resource: &Resource, target: &Target<'_>) -> Result<Part, Failure> {
    match target.subresource {
        None => Ok(Part::Main),
        Some("status") if resource.has_status => Ok(Part::Status),
        Some(_) => Err(unknown_part(resource, target)),
    }
}

/// Of a custom object, Kubernetes says that the object is not there.
fn unknown_part(resource: &Resource, target: &Target<'_>) -> Failure {
    match (&resource.origin, target.name) {
        (Origin::Custom(_), Some(name)) => Failure::not_found(&resource.served_as(), name),
        _ => Failure::unknown_path(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

impl Call {
    async fn one(mut self, method: &Method, name: String) -> Result<Response<Body>, Failure> {
        match *method {
            Method::GET => self.read(&name),
            Method::PUT => {
                self.write(move |write, call| write.replace(&name, call.object()?))
                    .await
            }
            Method::PATCH => {
                let patch = Patch::parse(
                    &self.resource,
                    &self.content.media_type,
                    &self.content.bytes,
                )?;
                self.write(move |write, _| write.patch(&name, &patch)).await
            }
            Method::DELETE if self.part == Part::Main => {
                let options = self.delete_options()?;
                self.blocking(move |call| call.delete(&name, &options))
                    .await
            }
            _ => Err(Failure::method_not_allowed()),
        }
    }

    async fn many(mut self, method: &Method) -> Result<Response<Body>, Failure> {
        match *method {
            Method::GET if self.options.watch => self.watch(),
            Method::GET => {
                let selector = self.selector()?;
                let view = self.view();
                let list = read::list(
                    &self.cluster.store,
                    &view,
                    self.namespace.as_deref(),
                    &selector,
                    &self.options,
                )?;
                Ok(response::json(StatusCode::OK, list))
            }
            Method::POST if self.namespace.is_some() => self.create().await,
            Method::DELETE if self.namespace.is_some() => {
                let options = self.delete_options()?;
                self.blocking(move |call| call.delete_all(&options)).await
            }
            _ => Err(Failure::method_not_allowed()),
        }
    }

    fn review(&self, method: &Method, name: Option<&str>) -> Result<Response<Body>, Failure> {
        if *method != Method::POST || name.is_some() {
            return Err(Failure::method_not_allowed());
        }
        let answer = review::answer(&self.resource, self.object()?.value)?;
        Ok(response::value(StatusCode::CREATED, &answer))
    }

    fn read(&self, name: &str) -> Result<Response<Body>, Failure> {
        let resource = self.resource.group_resource();
        let found = self
            .cluster
            .store
            .object(&resource, &ObjectName::new(self.namespace(), name));
        let object = found.ok_or_else(|| Failure::not_found(&resource, name))?;
        Ok(response::json(StatusCode::OK, self.view().object(&object)))
    }

    fn watch(self) -> Result<Response<Body>, Failure> {
        let subject = Subject {
            selector: self.selector()?,
            view: self.view(),
            namespace: self.namespace,
        };
        Ok(response::stream(watch::watch(
            &self.cluster,
            subject,
            &self.options,
        )?))
    }

    async fn create(self) -> Result<Response<Body>, Failure> {
        let mut response = self
            .write(|write, call| write.create(call.object()?))
            .await?;
        *response.status_mut() = StatusCode::CREATED;
        Ok(response)
    }

    /// Changes one object and answers with it.
    async fn write(
        self,
        change: impl FnOnce(Write<'_>, &Self) -> Result<super::write::Written, Failure> + Send + 'static,
    ) -> Result<Response<Body>, Failure> {
        self.blocking(move |call| {
            let written = change(call.change(), call)?;
            let object = call.view().object(&written.object);
            let mut response = response::json(StatusCode::OK, object);
            response::warn(&mut response, &written.warnings);
            Ok(response)
        })
        .await
    }

    fn delete(&self, name: &str, options: &DeleteOptions) -> Result<Response<Body>, Failure> {
        match self.change().delete(name, options)? {
            Deleted::Gone(uid) => Ok(response::value(
                StatusCode::OK,
                &status::deleted(&self.resource, name, &uid),
            )),
            Deleted::Going(object) => {
                Ok(response::json(StatusCode::OK, self.view().object(&object)))
            }
        }
    }

    fn delete_all(&self, options: &DeleteOptions) -> Result<Response<Body>, Failure> {
        let selector = self.selector()?;
        let objects = self.change().delete_all(&selector, options)?;
        let metadata = json!({"resourceVersion": self.cluster.store.revision().to_string()});
        let list = self.view().list(&metadata, &objects);
        Ok(response::json(StatusCode::OK, list))
    }

    fn change(&self) -> Write<'_> {
        Write::new(
            &self.cluster,
            &self.resource,
            self.namespace(),
            self.part,
            &self.options,
        )
    }

    fn view(&self) -> View {
        View::new(Arc::clone(&self.resource), self.form, self.options.include)
    }

    fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    fn selector(&self) -> Result<Selector, Failure> {
        let Options {
            label_selector,
            field_selector,
            ..
        } = &self.options;
        Selector::parse(&self.resource.served_as(), label_selector, field_selector)
    }

    fn delete_options(&mut self) -> Result<DeleteOptions, Failure> {
        if self.content.bytes.is_empty() {
            return Ok(DeleteOptions::default());
        }
        let options: DeleteOptions =
            serde_json::from_value(self.object()?.value).map_err(|error| {
                Failure::bad_request(format!("the body is no DeleteOptions: {error}"))
            })?;
        let is_dry_run = options::is_dry_run(&options.dry_run)
            .map_err(|error| Failure::wrong_options("DeleteOptions", &[error]))?;
        self.options.is_dry_run |= is_dry_run;
        Ok(options)
    }

    fn object(&self) -> Result<Document, Failure> {
        self.content.object(&self.resource)
    }

    /// Removes Events that are too old to be shown; when that fails, they are shown once more.
    async fn without_old_events(self) -> Result<Self, Failure> {
        let expired = tokio::task::spawn_blocking(move || {
            drop(self.change().expire());
            self
        });
        expired.await.map_err(|_| incomplete())
    }

    /// Runs what waits for the disk where it keeps no other request waiting.
    async fn blocking(
        self,
        work: impl FnOnce(&Self) -> Result<Response<Body>, Failure> + Send + 'static,
    ) -> Result<Response<Body>, Failure> {
        let done = tokio::task::spawn_blocking(move || work(&self)).await;
        done.unwrap_or_else(|_| Err(incomplete()))
    }
}

fn incomplete() -> Failure {
    Failure::internal("the request could not be completed")
}
